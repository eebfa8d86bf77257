"""One student to be trained, and one that was."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.fingerprints import size
from spacy_synthesizrr.receipts import versions

if TYPE_CHECKING:
    from confection import Config

RECORD = "training.json"  # in the folder of each trained student


@dataclass(frozen=True)
class Job:
    """A student to be trained.

    arm (str): Whose rows.
    seed (int): Of initial weights, dropout and order of rows.
    steps (int): Number of updates, as `count_steps` says.
    train (Path), dev (Path): Sets in spaCy's format; dev may be empty.
    folder (Path): Where the trained pipeline goes.
    inputs (str): Hash of what is in train and dev.
    """

    arm: str
    seed: int
    steps: int
    train: Path
    dev: Path
    folder: Path
    inputs: str

    @property
    def unfinished(self) -> Path:
        """RETURNS (Path): Where it lies until it is done: model-best is the best so far, a pipeline that can be loaded."""
        return self.folder.with_name(f"{self.folder.name}.unfinished")

    def key(self, config: Config) -> str:
        """RETURNS (str): Hash of everything that the trained student depends on."""
        words = json.dumps({**config, "paths": None}, sort_keys=True, ensure_ascii=False)
        return digest("student", self.inputs, str(self.seed), str(self.steps), words, json.dumps(versions(), sort_keys=True))


@dataclass(frozen=True)
class Trained:
    """A student that is on disk.

    dev (float | None): Score of the kept model on dev: accuracy, or micro F at thresholds that were chosen there. None without dev rows.
    best_step (int): The step it was kept from.
    curve (Tuple[Tuple[int, float], ...]): Step and what chose the model, at every evaluation: accuracy; in a multi-label task the mean
        AUC over labels; or what the config's score weights say. Empty without dev rows.
    finish (dict): What was done to it afterwards: see `quality.finishing`.
    seconds (float | None): How long it was trained just now; of one that went on, the last part. Not on disk with it: the same
        training leaves the same files.
    """

    arm: str
    seed: int
    steps: int
    dev: float | None
    best_step: int
    curve: tuple[tuple[int, float], ...]
    folder: Path
    finish: dict[str, Any] = field(default_factory=dict)
    seconds: float | None = field(default=None, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): Plain JSON for student.json."""
        curve = [list(point) for point in self.curve]
        return {"seed": self.seed, "dev": self.dev, "best_step": self.best_step, "curve": curve, "finish": self.finish}


def find_trained(job: Job, config: Config) -> Trained | None:
    """RETURNS (Trained | None): The student of a job when an earlier run finished it, and nothing of it is gone."""
    try:
        record = json.loads((job.folder / RECORD).read_text(encoding="utf-8"))
        if record["key"] != job.key(config) or record["bytes"] != size(job.folder) - size(job.folder / RECORD):
            return None
        curve = tuple((int(step), float(score)) for step, score in record["curve"])
        about = (record["dev"], int(record["best_step"]), curve, job.folder, dict(record["finish"]))
        return Trained(job.arm, job.seed, int(record["steps"]), *about)
    except (OSError, ValueError, KeyError, TypeError):
        return None
