"""The tests; each one's docstring is the rule that it keeps."""
