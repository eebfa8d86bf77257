"""Teachers, as spacy-llm models."""
