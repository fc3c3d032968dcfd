"""Categories: `ncodes.csv`, the WordNet hierarchy, search, selection and folder names."""
