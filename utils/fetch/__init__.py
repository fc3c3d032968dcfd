"""HTTP: many small files by libcurl, a few big ones by requests."""
