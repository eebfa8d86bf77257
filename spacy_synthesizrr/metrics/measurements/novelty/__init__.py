"""`novelty` for `evaluate`."""
