"""`distinct` for `evaluate`."""
