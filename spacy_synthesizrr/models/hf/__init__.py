"""A model of transformers on this machine."""
