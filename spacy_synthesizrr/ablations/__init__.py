"""Ablations: the same project several times, each time with one thing changed, in one table with paired intervals."""
