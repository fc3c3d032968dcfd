"""A whole run over the selected categories, in this order; no I/O is waited for but in `pool`.

::

    pipeline        a whole run, in the order in which it happens
    traffic         tasks on their way, whoever does them
    books           what all categories of a run have
    supply          one category's books
    offering        all that a category has to offer, from one source after the other
    offers          rows of the URL table as an offer
    preview         what a run would do
    candidates      which rows of the URL table come into question
    store           what categories share
    pool            the worker processes, their pipes, their deaths
    worker_process  the process around a worker
    worker          the work on one image
    verdicts        how long it is believed what earlier runs found
    messages        what parent and workers say to each other

Each module imports only from those below it here, and from packages on lower floors.
"""
