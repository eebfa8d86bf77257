"""A Python that has spaCy and nothing of this project, as on the machine of somebody who is only given a student.

Its packages are links to those that are installed here, without ours: so neither our modules nor our entry points are found.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

OURS = ("spacy_synthesizrr", "spacy-synthesizrr", "__editable__", "argilla_bridge")


def plain_site(folder: Path) -> Path:
    """Make a folder of packages without ours."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if not path.name.startswith(OURS) and path.suffix != ".pth":
            (folder / path.name).symlink_to(path)
    return folder


def plain_python(folder: Path, *words: object, more: tuple[Path, ...] = ()) -> str:
    """Run `python WORDS` with such packages and return what it prints.

    folder (Path): Where the links go; links that are there are used again.
    more (Tuple[Path, ...]): Other folders of packages, before these.
    """
    site = folder if folder.exists() else plain_site(folder)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (*more, site))), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-S", *map(str, words)], env=env, cwd=folder.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
