"""The same work on many machines, by Dask: tasks go out in shards, and what became of them comes back.

::

    fleet           the traffic of many machines
    outing          a shard that is out, as the run sees it
    dealing         which tasks go out together
    dask_workers    the workers, what they are given, and how it ends
    dask_scheduler  how a scheduler is reached or started, and left
    errand          what a Dask worker does
    luggage         our code, as it travels
    shard_main      the process of one shard
    shard_work      one shard, done as on one machine
    mail            what whoever works on a shard is told
    shard           what goes out, and the lease on it

Each module imports only from those below it here, and from packages on lower floors. Machines talk through
the result folder, which they share: for each shard a lease lies there while it may be worked on, a segment
tells what becomes of it, and by mail it is told what more is wanted. Whoever loses its lease stops.
"""
