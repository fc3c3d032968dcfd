"""The result folder: paths, journals, reports, verification."""
