"""The two scripts as the user sees them: flags, what was found, how it goes, exit codes.

::

    extract_cli      which work the flags of extract_images_as_per_tags.py ask for
    run_cli          a run on the screen; a dry one
    verify_cli       --verify
    export_cli       --export after it
    cluster_cli      --scheduler: the same on many machines
    showing          the gallery and the dataset card
    falling_short    why there are fewer images than were wanted
    finding_cli      --find, --mark, --unmark
    marking_cli      what was marked, and what comes next
    catalogue        what can be told of a category
    listing          as a table that fits the terminal, or as CSV
    download_cli     the prerequisites on the screen
    extract_options  the flags
    contradictions   which make no sense together
    telling          words beside the work
    screen           lines and bars
    cli              readers of flags, signals, exit codes

Each module imports only from those below it here, and from packages on lower floors.
"""
