"""spacy-llm tasks: prompts out, candidates back."""
