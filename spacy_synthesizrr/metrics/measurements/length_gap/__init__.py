"""`length_gap` for `evaluate`."""
