"""Local web servers with the faults of real ones: `python -m demo` runs both scripts on them."""
