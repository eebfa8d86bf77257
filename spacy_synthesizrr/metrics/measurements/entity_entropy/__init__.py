"""`entity_entropy` for `evaluate`."""
