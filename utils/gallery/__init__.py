"""What a run leaves for people to look at: a page of all images with their boxes, and the dataset card.

::

    leaving   both, at the end of a run
    page      index.html
    earlier   what of an earlier page still holds
    pictures  what the page's script is given of every image
    card      dataset_card.md
    asked     what was asked of the runs into the folder
    loading   how the folder and its exports are loaded
    markdown  text that breaks no Markdown
    figures   the numbers of a category
    shown     an image as the page has it
    meanings  the reasons of failure in words
    owned     files that are ours to write over

Each module imports only from those below it here, and from packages on lower floors. Beside them lie
`page.html`, `gallery.css`, `gallery.js` and `card.md`, which become the page and the card.
"""
