"""`self_bleu` for `evaluate`."""
