"""Command lines of the two scripts: flags, checks, messages, progress bars, exit codes."""
