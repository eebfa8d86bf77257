"""A pretrained transformer as a student: an architecture for spaCy's own text categorizers, and its export to ONNX.

Nothing here imports torch or transformers before a student is made.
"""
