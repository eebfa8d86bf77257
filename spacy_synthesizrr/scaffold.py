"""`synthesizrr init`: the same project as in the repository, for people without a clone."""

from __future__ import annotations

import shutil
from pathlib import Path

from spacy_synthesizrr.errors import InputError

PARTS = ("project.yml", "compose.yml", "configs", "grids", "assets")
LOCAL = "*.local.cfg"  # configs of this machine, in a checkout
GITIGNORE = f"runs/\nindex/\nproject.lock\nconfigs/{LOCAL}\n.env\n"


def template_folder() -> Path:
    """Where the project's files lie: inside the installed package, or in the checkout of an editable install."""
    inside = Path(__file__).parent / "project"
    return inside if (inside / "project.yml").is_file() else Path(__file__).parents[1]


def write_project(folder: Path) -> list[Path]:
    """Write project.yml, compose.yml, configs/, grids/ and assets/ into a folder.

    RETURNS (List[Path]): The files written.
    RAISES (InputError): When the folder holds anything already; nothing is written then.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("This folder is not empty; nothing was written.", path=folder, cure="Give a new folder.")
    source = template_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        if (source / part).is_dir():
            shutil.copytree(source / part, folder / part, ignore=shutil.ignore_patterns(LOCAL))
        else:
            shutil.copyfile(source / part, folder / part)
    (folder / ".gitignore").write_text(GITIGNORE, encoding="utf-8")
    return sorted(path for path in folder.rglob("*") if path.is_file())
