"""Sources of images: the URL table, ImageNet's tars."""
