"""Which bytes are an image, which only say that there is none, and which may not be used.

::

    images            bytes -> Picture, or the Refusal
    image_structure   whether all of a picture is there
    image_signatures  what bytes begin like
    placeholders      pictures that say "no longer here"
    opt_out           X-Robots-Tag

Each module imports only from those below it here, and from packages on lower floors.
"""
