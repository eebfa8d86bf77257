"""The file with the secrets of the servers in compose.yml: random, written once, for its owner's eyes only."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from spacy_synthesizrr.errors import InputError

BYTES = 24
SECRETS = (
    "WEAVIATE_API_KEY",
    "ARGILLA_API_KEY",
    "ARGILLA_PASSWORD",
    "ARGILLA_AUTH_SECRET_KEY",
    "ELASTIC_PASSWORD",
    "REDIS_PASSWORD",
)
ADDRESSES = {
    "WEAVIATE_URL": "http://127.0.0.1:8080",
    "ARGILLA_API_URL": "http://127.0.0.1:6900",
    "OLLAMA_HOST": "127.0.0.1:11434",
}
HEAD = """\
# Keys and passwords of the servers in compose.yml, made by `synthesizrr env`. Not for version control.
# For the commands of this project: set -a; . ./.env; set +a
"""


def write_env(path: Path) -> list[str]:
    """Write random secrets, and where the servers listen.

    RETURNS (List[str]): The names that the file sets; never the values.
    RAISES (InputError): When the file is there already; it is left as it is.
    """
    values = {name: secrets.token_hex(BYTES) for name in SECRETS} | ADDRESSES
    text = HEAD + "".join(f"{name}={value}\n" for name, value in values.items())
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        cure = "The servers that were started with it know no other keys. To make new ones, move it away first."
        raise InputError("This file is there already; it was not touched.", path=path, cure=cure) from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)  # whatever the umask says
        file.write(text)
    return list(values)


def is_ignored(path: Path) -> bool:
    """RETURNS (bool): Whether a .gitignore beside a file names it; True also where there is nothing that keeps versions."""
    listed = path.parent / ".gitignore"
    if not listed.is_file():
        return not (path.parent / ".git").exists()
    return path.name in (line.strip().lstrip("/") for line in listed.read_text(encoding="utf-8").splitlines())
