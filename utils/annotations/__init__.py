"""ImageNet's bounding boxes: archives that may be hostile, XML, geometry.

::

    voc               XML -> Annotation -> XML, one image or a whole archive
    boxes             fitted from one picture to another
    annotated_images  how many images of a category have boxes
    voc_archive       an archive or folder of XML files, streamed
    tar_headers       what tar files may be like

Each module imports only from those below it here, and from packages on lower floors.
"""
