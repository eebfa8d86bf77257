"""`compression_ratio` for `evaluate`."""
