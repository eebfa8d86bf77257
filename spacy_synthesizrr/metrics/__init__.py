"""Measures: pure functions on lists of texts and labels."""
