"""What users bring: the table of categories and the table of URLs, read as any program writes them.

::

    selection     which categories a run is about
    hierarchy     what is a kind of what
    marking       marks written into ncodes.csv
    cell_edits    cells changed where they stand
    categories    ncodes.csv, and the table that ships
    finding       categories found by words
    name_words    names taken apart and compared
    folder_names  what the folders of categories are called
    user_table    tables with a header as any program writes them
    url_table     imageNetURLs.csv
    url_index     which bytes hold a category's rows
    url_layout    how the table is spelled
    url_rows      which rows can be asked for

Each module imports only from those below it here, and from packages on lower floors.
"""
