"""A fit in words and JSON."""
