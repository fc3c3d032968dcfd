"""The three files that a run needs: `ncodes.csv`, `imageNetURLs.csv`, `annotation/`; made once.

::

    preparing            all three
    makers               each of the three
    annotation_archives  the archives of boxes, from one big tar or a folder
    url_list             any list of URLs made into the table and its index

Each module imports only from those below it here, and from packages on lower floors.
"""
