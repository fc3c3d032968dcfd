"""What lies in the result folder, and what is said of it.

::

    collection  the images that stand, with their boxes
    verify      a result folder judged again
    publishing  reports, and images taken back
    report      the CSV of a category
    segments    what became of a shard, for many journals
    shards      where machines meet that work on one run
    inventory   what is there already
    folders     which categories have a folder
    pairing     an image and its XML, side by side
    journal     what became of every URL, a line at once
    lines       one of them
    summary     what a run came to, in numbers
    progress    how far it has come

Each module imports only from those below it here, and from packages on lower floors.
"""
