"""`python -m spacy_synthesizrr`: the command line without spaCy's start-up."""

from spacy_synthesizrr.cli import main

main()
