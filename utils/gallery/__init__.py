"""The gallery page and the dataset card."""
