"""How far people agree: with each other, with the suggestions, with the truth."""
