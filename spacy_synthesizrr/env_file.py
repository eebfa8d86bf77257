"""The file with the secrets of the servers in compose.yml: random, written once, for its owner's eyes only."""

from __future__ import annotations

import os
import secrets
import subprocess
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
    """Whether version control leaves a file alone: git says so, or where there is none, a .gitignore beside it or further up.

    RETURNS (bool): True also where there is nothing that keeps versions.
    """
    folder = path.absolute().parent
    said = _git_says(folder, path.name)
    if said is not None:
        return said
    folders = (folder, *folder.parents)
    top = next((number for number, each in enumerate(folders) if (each / ".git").exists()), None)
    listed = [each / ".gitignore" for each in (folders[:1] if top is None else folders[: top + 1])]
    listed = [each for each in listed if each.is_file()]
    if not listed:
        return top is None
    return any(_names(each, path.absolute()) for each in listed)


def _git_says(folder: Path, name: str) -> bool | None:
    """RETURNS (Optional[bool]): Whether git ignores a file; None without git, or where it keeps no versions."""
    command = ["git", "-C", str(folder), "check-ignore", "--quiet", "--", name]
    try:
        code = subprocess.run(command, capture_output=True, timeout=10).returncode
    except (OSError, subprocess.SubprocessError):
        return None
    return {0: True, 1: False}.get(code)


def _names(listed: Path, path: Path) -> bool:
    """RETURNS (bool): Whether a line of a .gitignore is the name of a file, or its path from there."""
    lines = {line.strip() for line in listed.read_text(encoding="utf-8").splitlines()}
    return path.name in lines or f"/{path.relative_to(listed.parent)}" in lines or str(path.relative_to(listed.parent)) in lines
