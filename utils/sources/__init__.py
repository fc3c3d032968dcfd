"""Where images of a category come from: the URL table, ImageNet's tars."""
