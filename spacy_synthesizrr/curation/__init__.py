"""Filters over rows and over finished sets."""
