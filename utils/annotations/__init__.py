"""Bounding boxes: archives, VOC XML, geometry."""
