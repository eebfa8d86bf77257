"""The runs of weak_teacher.py: its strategies, the arms of its table, and where a run lies."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DRAWS, SEEDS, PER_LABEL, DEV, TEST = 3, 10, 50, 25, 500  # all but the first: rows per label
IN_FLIGHT = 4  # as many as Ollama answers at a time
STEPS = ("index", "plan", "synthesize", "curate", "measure", "export", "train", "evaluate")
PARAMETERS = {"temperature": 0.7, "max_tokens": 100, "seed": 0}
STUDENT_STEPS = 200  # the same for all arms, however many rows they have


@dataclass(frozen=True)
class Strategy:
    """One run per draw.

    mode (str): Of the project's [plan].
    shots (int): Per prompt.
    margin (bool): Whether passages are chosen by margin, or by rank alone.
    controls (Sequence[str]): Arms beside it that cost no calls.
    """

    mode: str
    shots: int
    margin: bool
    controls: Sequence[str] = ()

    def config(self) -> str:
        """RETURNS (str): configs/strategy.NAME.cfg."""
        ranks = "ranks = [3, 50]\npair_ranks = [1, 2]\n" if self.mode == "retricl" else ""
        return (
            f'[plan]\nmode = "{self.mode}"\nshots = {self.shots}\nhits = 50\n{ranks}overgenerate = 4.0\n\n'
            # long prompts take the time
            f"[plan.context]\nmax_tokens = 130\n\n[plan.margin]\non = {json.dumps(self.margin)}\n\n"
            f"[plan.controls]\narms = {json.dumps([*self.controls])}\n"
        )


# the cheap ones first
STRATEGIES = {
    "zero-shot-margin": Strategy("zero-shot", 0, True, ("seed-only", "gold", "retrieve-only")),
    "fewgen": Strategy("fewgen", 3, False),
    "zero-shot": Strategy("zero-shot", 0, False, ("retrieve-only",)),
    "retricl-margin": Strategy("retricl", 3, True, ("retrieve-only",)),
    "retricl": Strategy("retricl", 3, False, ("retrieve-only",)),
    "non-retricl-margin": Strategy("non-retricl", 3, True),
}
# arm of the table → strategy, arm of that run
ARMS = {
    "seed-only": ("zero-shot-margin", "seed-only"),
    "retrieve-only, by rank": ("zero-shot", "retrieve-only"),
    "retrieve-only, by margin": ("zero-shot-margin", "retrieve-only"),
    "FewGen, 3 shots": ("fewgen", "main"),
    "refine zero-shot, by rank": ("zero-shot", "main"),
    "refine zero-shot, by margin": ("zero-shot-margin", "main"),
    "Non-RetrICL, 3 shots, by margin": ("non-retricl-margin", "main"),
    "RetrICL, 3 pairs, by rank": ("retricl", "main"),
    "RetrICL, 3 pairs, by margin": ("retricl-margin", "main"),
    "retrieve-only of RetrICL, by rank": ("retricl", "retrieve-only"),
    "retrieve-only of RetrICL, by margin": ("retricl-margin", "retrieve-only"),
    "gold": ("zero-shot-margin", "gold"),
}


@dataclass(frozen=True)
class Scratch:
    """Where the work is done, outside the checkout."""

    folder: Path

    @property
    def project(self) -> Path:
        """RETURNS (Path): A project as `synthesizrr init` makes it."""
        return self.folder / "project"

    @property
    def answers(self) -> Path:
        """RETURNS (Path): The response store of all runs."""
        return self.folder / "answers.sqlite"

    def run(self, draw: int, strategy: str) -> Path:
        """RETURNS (Path): The run folder of a strategy."""
        return self.project / "runs" / f"draw{draw}-{strategy}"


def call(*words: str, cwd: Path) -> None:
    """Run a command of the project, showing what it prints."""
    subprocess.run([sys.executable, "-m", "spacy_synthesizrr", *words], cwd=cwd, check=True)


def finished(scratch: Scratch, draw: int, strategy: str) -> bool:
    """RETURNS (bool): Whether a run went to its end."""
    return (scratch.run(draw, strategy) / "receipts" / "evaluate.json").is_file()
