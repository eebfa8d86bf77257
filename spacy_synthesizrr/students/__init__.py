"""Export, training and evaluation of the small classifier."""
