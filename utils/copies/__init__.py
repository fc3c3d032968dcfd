"""Reads copies of ImageNet on disk: recognises their layouts, finds images, boxes and labels in them."""
