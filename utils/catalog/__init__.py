"""The categories: `ncodes.csv`, WordNet's hierarchy, search, selection, folder names."""
