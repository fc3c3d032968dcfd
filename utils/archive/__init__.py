"""Images from an archive that keeps whole categories, a tar each.

::

    terms      ImageNet's terms, and the archive opened when they are accepted
    feeds      which category's tar comes when
    offer      what a tar has to offer, and how far it has been read
    feed       a category's tar, read while it comes
    faults     why a tar does not come
    image_tar  where images lie in a tar
    addresses  where a tar is, as the user says it

Each module imports only from those below it here, and from packages on lower floors.
"""
