"""Creation of `ncodes.csv`, `imageNetURLs.csv` and `annotation/`."""
