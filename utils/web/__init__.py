"""Thousands of small files: which URL comes next, how its host is treated, what a request may do.

::

    tempo         how many are in flight
    speed         the network's speed
    speed_cache   kept for a day
    schedule      which URL next: the whole policy, without I/O and without a clock
    queues        where tasks wait for their turn
    quarantine    which of many killed their worker
    outage        ours, or theirs
    congestion    our line's, or their slowness
    retries       whether a failed URL is tried again, and when
    journey       a task on its way through the schedule
    hosts         how politely each is treated
    alternates    where an image lies today
    fetch         many requests in flight
    transfer      one request, and its limits
    pace          whether what drips can come in time
    redirects     where they lead, and where none may lead
    curl_reasons  what curl's codes mean

Each module imports only from those below it here, and from packages on lower floors.
"""
