"""A run folder as it is after `curate`, for the tests of export, train and evaluate."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spacy_synthesizrr.candidates import ACCEPTED, Candidate, Event, Passage, Seed
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.fingerprints import fingerprint
from spacy_synthesizrr.jsonl import write_json, write_jsonl
from spacy_synthesizrr.labelled import read_seeds
from spacy_synthesizrr.receipts import RunFolder, run_step
from spacy_synthesizrr.taskfile import read_task

ROOT = Path(__file__).parents[2]
WORDS = {
    "sport": "goal match striker coach league keeper stadium".split(),
    "business": "bank shares profit market merger budget trade".split(),
    "science": "cell orbit genome telescope fossil enzyme comet".split(),
}
SEEDS = "seeds.jsonl"  # of the run folder
STRATEGY = '[plan]\nmode = "zero-shot"\n\n[plan.controls]\narms = ["seed-only", "gold", "retrieve-only", "random", "fewgen"]\n'


@dataclass(frozen=True)
class FixedPassages:
    """A store that only looks up."""

    texts: dict[str, str]

    def get(self, ids: Sequence[str]) -> list[Passage]:
        return [Passage(name, self.texts[name]) for name in ids]

    def close(self) -> None:
        """Nothing is open."""


def sentence(label: str, number: int) -> str:
    """A short text that only rows of this label could have."""
    words = WORDS[label]
    return f"{words[number % 7].capitalize()} number {number}: the {words[(number + 2) % 7]} and the {words[(number + 3) % 7]}."


def passage_text(label: str, number: int) -> str:
    """Every fourth passage says what its row says, but for case and blanks."""
    text = sentence(label, number)
    return text.upper().replace(" ", "  ") if number % 4 == 0 else f"Somewhere, {text} And so on."


class StudentRun:
    """Writes what the steps before `export` would have written.

    store (FixedPassages): Has the passage of every accepted row.
    """

    def __init__(self, path: Path, labels: Sequence[str] = ("sport", "business")) -> None:
        self.path, self.labels, self.passages = path, list(labels), dict[str, str]()
        self.folder = RunFolder(path / "runs" / "r")
        self.task = path / "task.yml"

    @classmethod
    def make(cls, path: Path, labels: Sequence[str] = ("sport", "business"), *, k_seeds: int = 2) -> StudentRun:
        """Write task, labelled files and configs."""
        made = cls(path, labels)
        made._write(k_seeds)
        return made

    def copy(self, path: Path) -> StudentRun:
        """The same run in another folder, with all that it has."""
        shutil.copytree(self.path, path, dirs_exist_ok=True)
        made = type(self)(path, self.labels)
        made.passages.update(self.passages)
        return made

    def without(self, kind: str) -> None:
        """Strike a file out of the task."""
        lines = self.task.read_text().splitlines(keepends=True)
        self.task.write_text("".join(line for line in lines if not line.startswith(f"{kind}:")))

    def _write(self, k_seeds: int) -> None:
        path, labels = self.path, self.labels
        lines = "".join(f"  {label}: {{verbalization: about {label}}}\n" for label in labels)
        files = "".join(f"{kind}: {{path: {kind}.jsonl}}\n" for kind in ("corpus", "seeds", "dev", "test"))
        self.task.write_text(
            f"name: News.Test\nk_seeds: {k_seeds}\nlabels:\n{lines}prompt: {{instruction: 'Write {{verbalization}}.'}}\n{files}"
        )
        (path / "strategy.cfg").write_text(STRATEGY)
        (path / "curate.cfg").write_text("[row_filters]\n\n[gate]\nmax_share = 0.1\n")
        (path / "student.bow.cfg").write_text((ROOT / "configs" / "student.bow.cfg").read_text())
        self.labelled("corpus", 1)
        self.labelled("seeds", 2)
        self.labelled("dev", 4, first=200)
        self.labelled("test", 6, first=300)

    @property
    def store(self) -> FixedPassages:
        return FixedPassages(self.passages)

    def labelled(self, kind: str, per_label: int, *, labels: Sequence[str] | None = None, first: int = 0) -> None:
        """Write a labelled file of the task, with the sentences from number `first` on."""
        numbers = range(first, first + per_label)
        rows = [{"text": sentence(label, i), "label": label} for i in numbers for label in labels or self.labels]
        write_jsonl(self.path / f"{kind}.jsonl", rows)

    def accept(self, per_label: int, *, arm: str = "", labels: Sequence[str] | None = None) -> None:
        """Write an accepted.jsonl; arm "" is the main one."""
        rows = []
        for number in range(per_label):
            for label in labels or self.labels:
                name = f"{arm}-{label}-{number}"
                self.passages[name] = passage_text(label, number)
                planned = Candidate.plan(task="t", strategy="s", seed=Seed.make([label], {"text": "seed"}), passage_id=name)
                rows.append(planned.after(Event("synthesize", ACCEPTED), fields={"text": sentence(label, number)}).to_dict())
        write_jsonl(self.folder.file(f"controls/{arm}/accepted.jsonl" if arm else "accepted.jsonl"), rows)

    def plan_seeds(self, seeds: Sequence[Seed] | None = None) -> None:
        """Write the seeds that `plan` used: all of the task, or these."""
        found = read_seeds(read_task(self.task)) if seeds is None else seeds
        write_jsonl(self.folder.file(SEEDS), [seed.to_dict() for seed in found])

    def not_run(self, arm: str, why: str) -> None:
        """Write the note of a control that the teacher cannot do."""
        write_json(self.folder.file(f"controls/{arm}/status.json"), {"v": 1, "run": False, "why": why})

    def ready(self, *, lang: str = "en", gpu_id: int = -1) -> Context:
        """Write inputs.json and the receipts of the steps before; what changed since the last call gets new receipts."""
        self.folder.path.mkdir(parents=True, exist_ok=True)
        task = read_task(self.task)
        found = {kind: task.file(kind) for kind in ("corpus", "seeds", "dev", "test", "train")}
        paths = {"strategy": self.path / "strategy.cfg", "student": self.path / "student.bow.cfg", "curate": self.path / "curate.cfg"}
        inputs = {
            "v": 1,
            "identity": {"task": str(self.task)},
            "settings": {"per_label": 8, "seed": 0, "lang": lang, "gpu_id": gpu_id},
            "task": {"name": task.name, "fingerprint": task.fingerprint()},
            "files": {kind: {"path": str(file), **fingerprint(file)} for kind, file in found.items() if file},
            "configs": {kind: {"path": str(file), "sha256": fingerprint(file)["sha256"]} for kind, file in paths.items()},
        }
        write_json(self.folder.file("inputs.json"), inputs)
        if not self.folder.file(SEEDS).is_file():
            self.plan_seeds()
        run_step(self.folder, "index", after=(), settings={}, outputs=(), body=dict)
        for step, name in (("plan", SEEDS), ("synthesize", "status.json"), ("curate", "accepted.jsonl")):
            written = [file.relative_to(self.folder.path).as_posix() for file in sorted(self.folder.path.rglob(name))]
            self.folder.receipt_path(step).unlink(missing_ok=True)
            run_step(self.folder, step, after=(), settings={}, outputs=written, body=dict)
        return Context.open(self.folder.path)

    def json(self, name: str) -> dict:
        """A JSON file of the run."""
        return json.loads(self.folder.file(name).read_text(encoding="utf-8"))

    def arm(self, file: str, name: str) -> dict:
        """One arm of export.json, student.json or evaluation.json."""
        return next(arm for arm in self.json(file)["arms"] if arm["name"] == name)
