"""Registers our command line as `python -m spacy synthesizrr`; spaCy imports this module on each of its own calls."""

from spacy.cli._util import app as spacy_app

from spacy_synthesizrr.cli import HELP, app

spacy_app.add_typer(app, name="synthesizrr", help=HELP)
