"""The same run on the workers of a Dask scheduler."""
