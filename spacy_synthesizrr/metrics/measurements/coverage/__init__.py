"""`coverage` for `evaluate`."""
