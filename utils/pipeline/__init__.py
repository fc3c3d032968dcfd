"""A run: categories, tasks, workers."""
