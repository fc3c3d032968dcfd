"""A few big files: resumed where they broke off, checked, from one source after the other.

::

    sourcing       one source after the other
    known_sources  where ImageNet's files are
    packed         zip, tgz, tar and gz as a stream
    web_file       one big file
    web_session    one conversation with a server, which can be cut short
    web_faults     why a file does not come
    part_file      what has arrived of a file
    addresses      URLs and paths
    credentials    what lets us in, and is never shown

Each module imports only from those below it here, and from packages on lower floors.
"""
