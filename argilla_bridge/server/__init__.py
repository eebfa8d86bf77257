"""Argilla as the place of review; nothing else of the bridge knows it."""
