"""The nouns: every value that travels between modules, and the words of the report.

All of them are frozen; none does any work beyond answering questions about itself.

::

    settings  what the user asked for
    tries     a try of one URL: the task, the way to the image, what came, what became of it
    rows      what is offered: categories, rows of the URL table, images in tars
    pictures  what is known of a picture: its format and size, its boxes and what became of them
    words     the words of the report: statuses, reasons and how long each is believed, formats
    manners   who asks, as servers are told, and how much is taken from them at most
    sent      what makes a value cheap to send from process to process
"""
