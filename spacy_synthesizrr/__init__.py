"""From a label set and a pile of unlabelled text to a small spaCy classifier."""

__version__ = "0.1.0"
