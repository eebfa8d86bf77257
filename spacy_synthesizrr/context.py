"""What every step knows: its run folder, its task, its configs."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy_synthesizrr.configs import read_config
from spacy_synthesizrr.errors import RunFolderError
from spacy_synthesizrr.fingerprints import Cache, known_fingerprint, read_cache
from spacy_synthesizrr.receipts import RUNS as RUNS
from spacy_synthesizrr.receipts import RunFolder
from spacy_synthesizrr.taskfile import TaskSpec, read_task

CACHE = "fingerprints.json"
CONFIGS, SUFFIX = Path("configs"), ".cfg"
KINDS = ("strategy", "store", "teacher", "student", "review")
MAY_CHANGE = ("student", "review")  # within one run folder: they come after the rows that a teacher was paid for
GRID = "grid.json"  # in the folder of a grid, whose runs are folders in it
PARENTS = "parents"  # kind of file: the seeds that a round of a loop has beside those of the task
SINGLE = ("curate", "measure")  # kinds of which a project has one config
NO_REVIEW = "none"


def config_file(kind: str, named: str = "") -> Path:
    """Where a config lies.

    kind (str): One of `KINDS` or `SINGLE`.
    named (str): NAME of configs/KIND.NAME.cfg, or the path of a file elsewhere, which ends in .cfg; empty where there is one of a kind.
    """
    if named.endswith(SUFFIX):
        return Path(named)
    return CONFIGS / (f"{kind}.{named}{SUFFIX}" if named else f"{kind}{SUFFIX}")


def config_name(named: str) -> str:
    """RETURNS (str): What a config is called where others read it: NAME, or of a file elsewhere its name without folders."""
    return Path(named).stem if named.endswith(SUFFIX) else named


def relative(path: Path) -> str:
    """A path as seen from the project folder, so that every spelling of one file is one file."""
    try:
        return Path(os.path.relpath(path.resolve(), Path.cwd().resolve())).as_posix()
    except ValueError:  # another drive
        return path.resolve().as_posix()


def _sha256(path: Path, cache: Cache) -> str:
    return str(known_fingerprint(path, path.as_posix(), cache)["sha256"]) if path.is_file() else "gone"


@dataclass(frozen=True)
class Context:
    """A run as `prepare` recorded it. Paths in `inputs.json` are relative to the project folder, the working directory."""

    folder: RunFolder
    inputs: Mapping[str, Any]

    @classmethod
    def open(cls, run: Path | str) -> Context:
        """Open a run that `prepare` has set up.

        run (Path): Its name, or the path of its folder.
        RAISES (InputError): When `inputs.json` is missing.
        RAISES (RunFolderError): When the task, a config or a file of the task changed since then.
        """
        path = Path(run)
        folder = RunFolder(path if (path / "inputs.json").is_file() else RUNS / path)
        found = cls(folder, folder.inputs())
        found.check_unchanged()
        return found

    def check_unchanged(self) -> None:
        """Make sure that what a step reads now is what its receipt will vouch for.

        RAISES (RunFolderError): Names what changed since `prepare` looked at it.
        """
        changed = [about["path"] for about in self.inputs["configs"].values() if _sha256(Path(about["path"]), {}) != about["sha256"]]
        cache = read_cache(self.folder.file(CACHE))
        changed += [about["path"] for about in self.inputs["files"].values() if _sha256(Path(about["path"]), cache) != about["sha256"]]
        if self.task.fingerprint() != self.inputs["task"]["fingerprint"]:
            changed.append(self.inputs["identity"]["task"])
        if changed:
            raise RunFolderError(
                f"Changed since `prepare` looked at it: {', '.join(changed)}. "
                "Run `prepare` again, or the whole project: spacy project run all"
            )

    @functools.cached_property
    def task(self) -> TaskSpec:
        """RETURNS (TaskSpec): The task file, read again."""
        return read_task(Path(self.inputs["identity"]["task"]))

    @property
    def settings(self) -> Mapping[str, Any]:
        """RETURNS (Mapping): per_label, seed, lang, gpu_id."""
        return self.inputs["settings"]

    @property
    def reviewed(self) -> bool:
        """RETURNS (bool): Whether people review this run; not in runs from before that could be chosen."""
        if self.inputs.get("review", NO_REVIEW) == NO_REVIEW:
            return False
        return str(self.config("review").get("review", {}).get("backend", NO_REVIEW)) != NO_REVIEW

    @property
    def scope(self) -> str:
        """RETURNS (str): On whose account the run spends, see `models.answers.ledger`: that of its grid where it is a run of one; else its
        name, and the id that its folder got when it was made. Runs from before there were ids go by their name alone.
        """
        name, id = self.folder.name, self.inputs.get("id", "")
        return str(self.inputs.get("account") or (f"{name}/{id}" if id else name))

    @property
    def mark(self) -> str:
        """RETURNS (str): What this run's stages in the ledger begin with: its name where it spends on the account of a grid, so that what
        it asked itself can be told from what the others did; else nothing.
        """
        return f"{self.folder.name}: " if self.inputs.get("account") else ""

    @property
    def shared(self) -> Path:
        """RETURNS (Path): Where answers are kept that the teacher's config gives no place: in the run's folder, or in that of its grid."""
        return self.folder.path.parent if self.inputs.get("account") else self.folder.path

    @property
    def seed(self) -> int:
        """RETURNS (int): The seed of everything random in this run."""
        return int(self.settings["seed"])

    def config_path(self, kind: str) -> Path:
        """kind (str): One of `KINDS` or `SINGLE`."""
        return Path(self.inputs["configs"][kind]["path"])

    def config(self, kind: str) -> dict[str, Any]:
        """RETURNS (dict): The parsed .cfg of a kind."""
        return read_config(self.config_path(kind))

    def depends(
        self, *, task: bool = False, files: tuple[str, ...] = (), configs: tuple[str, ...] = (), settings: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """What a step's receipt should depend on, as plain JSON for `run_step(settings=...)`.

        task (bool): The words of the task file.
        files (Tuple[str, ...]): Files that the task names: "corpus", "seeds", "dev", "test", "train" (missing ones count as none).
        configs (Tuple[str, ...]): Kinds of config.
        settings (Tuple[str, ...]): Names among `settings`.
        """
        found: dict[str, Any] = {"task": self.inputs["task"]["fingerprint"]} if task else {}
        found["files"] = {name: self.inputs["files"].get(name, {}).get("sha256") for name in files}
        found["configs"] = {name: self.inputs["configs"][name]["sha256"] for name in configs}
        found["settings"] = {name: self.settings[name] for name in settings}
        return found
