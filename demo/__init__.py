"""A small web of our own, on loopback: `python -m demo` shows the scripts on it, and the tests run on it."""
