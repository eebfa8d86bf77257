"""`synthesizrr env`: random keys and passwords for compose.yml."""

from __future__ import annotations

from pathlib import Path

import typer

from spacy_synthesizrr.cli_errors import user_errors
from spacy_synthesizrr.progress import say


@user_errors
def env(file: Path = typer.Option(Path(".env"), "--file", help="Where to write; never over a file that is there.")) -> None:  # noqa: B008
    """Write a .env file with random keys and passwords for the servers of compose.yml. They are not shown."""
    from spacy_synthesizrr.env_file import is_ignored, write_env

    for name in write_env(file):
        say(name)
    say(f"{file} holds these, readable for you alone. Next: docker compose up -d --wait weaviate")
    if not is_ignored(file):
        say(f"Keep it out of version control: add the line {file.name} to .gitignore.")
