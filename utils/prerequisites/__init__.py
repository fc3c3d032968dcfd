"""`ncodes.csv`, `imageNetURLs.csv` and `annotation/`, fetched once."""
