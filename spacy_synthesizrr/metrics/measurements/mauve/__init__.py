"""`mauve` for `evaluate`."""
