"""`label_agreement` for `evaluate`."""
