"""`vocabulary_gap` for `evaluate`."""
