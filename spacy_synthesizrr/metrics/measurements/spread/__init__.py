"""`spread` for `evaluate`."""
