"""What a run leaves to look at: the gallery page and the dataset card."""
