"""A student as a Python package that pip installs: spaCy's own layout, with the card as its README.

spaCy's `package` function writes the package's folder. The wheel is built from it by `python -m build --no-isolation`, as spaCy
would do it but for the isolation: that downloads the build tools each time, and so fails without a network.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spacy_synthesizrr.errors import InputError, MissingExtraError, StudentError
from spacy_synthesizrr.jsonl import read_json, write_json
from spacy_synthesizrr.students.takehome.card import load_line

TOOLS = ("build", "setuptools")  # what a wheel is built with
EXTRA = "package"
OURS = "synthesizrr."  # beginning of the names that only this package registers
VERSION = "0.1.0"
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


@dataclass(frozen=True)
class Wanted:
    """How a package shall be called.

    out (Path): Folder that gets a folder NAME-VERSION.
    name (str): Of the pipeline, without the language; "" is the student's own, or the nearest to it that a package may have.
    version (str): As PEP 440 has it.
    license (str): Such as "MIT" or "proprietary"; "" says nothing.
    force (bool): Whether a package of the same name and version may be replaced.
    """

    out: Path
    name: str = ""
    version: str = VERSION
    license: str = ""
    force: bool = False


@dataclass(frozen=True)
class Package:
    """What was made.

    name (str): As it is imported and loaded, such as "en_news".
    wheel (Path): The file for pip.
    requirements (Tuple[str, ...]): What pip installs with it.
    """

    name: str
    wheel: Path
    requirements: tuple[str, ...] = field(default=())


def make_package(student: Path, wanted: Wanted, *, card: str, performance: Mapping[str, Any]) -> Package:
    """Package a student.

    student (Path): Its folder, which stays as it is.
    card (str): Becomes the README.
    performance (Mapping): Goes into meta.json in place of what training noted there; empty leaves that.
    RAISES (InputError): For a name or version that no package may have, or one that is there already.
    RAISES (MissingExtraError): When the tools to build a wheel are not installed.
    RAISES (StudentError): When building fails; the text has the last lines.
    """
    _check_tools()
    meta = read_json(student / "meta.json")
    name = _name(wanted.name) if wanted.name else package_name(str(meta["name"]))
    version = _version(wanted.version)
    loaded = name if name.startswith(f"{meta['lang']}_") else f"{meta['lang']}_{name}"
    folder = wanted.out / f"{loaded}-{version}"
    _make_room(folder, force=wanted.force)
    wanted.out.mkdir(parents=True, exist_ok=True)
    meta |= {"name": name, "version": version, "requirements": requirements(student, meta)}
    meta |= {"license": wanted.license} if wanted.license else {}
    meta |= {"performance": dict(performance)} if performance else {}
    with tempfile.TemporaryDirectory() as work:
        source = Path(work) / "student"
        shutil.copytree(student, source)
        write_json(source / "meta.json", meta)
        (source / "README.md").write_text(card.replace(load_line("student"), load_line(loaded)), encoding="utf-8")
        _lay_out(source, wanted.out)
    made = read_json(folder / "meta.json")
    return Package(loaded, _build(folder), tuple(made["requirements"]))


def _lay_out(source: Path, out: Path) -> None:
    """Let spaCy write the package; where it finds fault it says so on the terminal and ends the process."""
    from spacy.cli.package import package

    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # it leaves the closing of its files to Python
            package(source, out, create_sdist=False, create_wheel=False, require_parent=True, force=True, silent=False)
    except SystemExit as error:
        raise StudentError(f"spaCy refuses to package this student: {' '.join(said.getvalue().split())[-600:]}") from error


def requirements(student: Path, meta: Mapping[str, Any]) -> list[str]:
    """What the student needs beside spaCy and what spaCy finds out by itself: this package, where its model is made of our parts."""
    from spacy.util import load_config

    given = [str(name) for name in meta.get("requirements", [])]
    config = load_config(student / "config.cfg")
    used = [value for part in ("nlp", "components") for key, value in _pairs(config[part]) if key.startswith("@")]
    if not any(str(value).startswith(OURS) for value in used):
        return given
    return [*given, f"spacy-synthesizrr[transformers]>={importlib.metadata.version('spacy-synthesizrr')}"]


def _pairs(section: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in section.items():
        if isinstance(value, Mapping):
            yield from _pairs(value)
        else:
            yield key, value


def _check_tools() -> None:
    for tool in TOOLS:
        try:
            importlib.metadata.version(tool)  # a folder "build" in the working directory can be imported too
        except importlib.metadata.PackageNotFoundError:
            raise MissingExtraError(tool, EXTRA) from None


def package_name(name: str) -> str:
    """RETURNS (str): The name of a package that is nearest to any other name, such as "odd_x" for "7.odd-x"."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_").lstrip("_0123456789") or "student"


def _name(name: str) -> str:
    if _NAME.fullmatch(name):
        return name
    raise InputError(
        f"'{name}' cannot be the name of a package: a small letter, then small letters, digits and single '_' only.",
        cure=f"Try --name {package_name(name)}",
    )


def _version(version: str) -> str:
    from packaging.version import InvalidVersion, Version

    try:
        return str(Version(version))
    except InvalidVersion:
        raise InputError(f"'{version}' is no version.", cure="Try --version 0.1.0") from None


def _make_room(folder: Path, *, force: bool) -> None:
    if not folder.exists():
        return
    if not force:
        raise InputError("This package is there already.", path=folder, cure="Choose another --version, or replace it with --force.")
    if not (folder / "meta.json").is_file():
        raise InputError("This is no package of a pipeline, so it is not removed.", path=folder, cure="Choose another --out.")
    shutil.rmtree(folder)


def _build(folder: Path) -> Path:
    words = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist", "."]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    wheels = sorted((folder / "dist").glob("*.whl"))
    if done.returncode or not wheels:
        said = " ".join((done.stdout + done.stderr).split())[-600:]
        raise StudentError(
            f"The wheel of {folder.name} cannot be built: {said} Install the tools with: pip install 'spacy-synthesizrr[{EXTRA}]'"
        )
    for litter in (folder / "build", *folder.glob("*.egg-info")):
        shutil.rmtree(litter, ignore_errors=True)
    return wheels[0]
