"""spaCy factories; light imports only, since spaCy loads them with every pipeline."""
