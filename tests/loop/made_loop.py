"""The folder of a finished loop as its parts would leave it, without training or asking anybody: for tests that read one."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import spacy

from spacy_synthesizrr.candidates import ACCEPTED, ERROR, GENERATED, REJECTED, Candidate, Event, Seed
from spacy_synthesizrr.jsonl import write_json, write_jsonl
from spacy_synthesizrr.labelled import LabelledRow
from spacy_synthesizrr.loop.errors import ErrorSettings
from spacy_synthesizrr.loop.extrapolation import ExtrapolateSettings
from spacy_synthesizrr.loop.parents import Parent, write_parents
from spacy_synthesizrr.loop.predictions import Prediction, join, write_predictions
from spacy_synthesizrr.loop.settings import RoundSettings, StartSettings, StopSettings
from spacy_synthesizrr.loop.split import SplitSettings, write_part
from spacy_synthesizrr.students.export import write_docs
from spacy_synthesizrr.students.rows import StudentRow
from spacy_synthesizrr.students.scores import spread
from spacy_synthesizrr.taskfile import read_task

LABELS = ("sport", "cooking", "music")
WORDS = {
    "sport": "match goal keeper striker league coach race final team record stadium referee medal sprint".split(),
    "cooking": "oven bread butter garlic soup recipe kitchen onion pepper sauce dough salt lemon roast".split(),
    "music": "concert violin song choir drum melody stage band guitar tune opera piano chord singer".split(),
}
TASK = """
name: tiny
k_seeds: {seeds}
labels:
  sport: {{verbalization: about sport}}
  cooking: {{verbalization: about cooking}}
  music: {{verbalization: about music}}
prompt: {{instruction: "Write a line {{verbalization}}."}}
corpus: {{path: corpus.jsonl}}
"""
TEACHER = '[teacher]\n@llm_models = "synthesizrr.ChatCompletions.v1"\nbase_url = "http://localhost:1"\nmodel = "tiny"\n'
PRICE = "\n[teacher.price]\ninput_per_million = 2.0\noutput_per_million = 10.0\n"


@dataclass(frozen=True)
class Plan:
    """What the loop is to look like.

    skill (Mapping[str, Sequence[float]]): Arm → how often its students are right, in each round; "start" is of one round.
    added (Mapping[str, int]): Arm → rows that a round adds; calls (Mapping[str, int]) likewise. Others: 12 and 16.
    """

    skill: Mapping[str, Sequence[float]] = field(
        default_factory=lambda: {"start": [0.6], "loop": [0.72, 0.85], "goldgen": [0.66, 0.72], "more-seed": [0.62, 0.64]}
    )
    added: Mapping[str, int] = field(default_factory=dict)
    calls: Mapping[str, int] = field(default_factory=dict)
    seeds: int = 3
    rows: int = 40  # of each part
    test: int = 60
    share: float | None = 0.5
    final: str = "best"
    tested: bool = True
    priced: bool = True
    tokens: bool = True
    hostile: str = ""


def make_loop(folder: Path, plan: Plan | None = None) -> Path:
    """Write runs/NAME of a loop; `folder` is its path.

    RETURNS (Path): The same folder.
    """
    plan = plan or Plan()
    folder.mkdir(parents=True)
    (folder / "task.yml").write_text(TASK.format(seeds=plan.seeds))
    (folder / "teacher.cfg").write_text(TEACHER + (PRICE if plan.priced else ""))
    task = read_task(folder / "task.yml")
    chance = random.Random(5)
    first, second = (_rows(plan, chance, start) for start in (1, 1 + plan.rows))
    parts = {"error": first, "selection": second if plan.share else first}
    for name, rows in parts.items():
        write_part(folder / f"{name}.jsonl", rows, task)
    controls = [name for name in plan.skill if name not in ("start", "loop")]
    settings = {
        "loop": RoundSettings(final=plan.final, controls=controls), "start": StartSettings(), "split": SplitSettings(share=plan.share),
        "errors": ErrorSettings(), "extrapolate": ExtrapolateSettings(), "stop": StopSettings(),
    }  # fmt: skip
    told = {name: section.model_dump(mode="json") for name, section in settings.items()}
    write_json(folder / "loop.json", {"v": 1, "run": "tiny", "config": "configs/loop.retrieval.cfg", "settings": told, "rows": {}})
    write_json(folder / "grid.json", {"v": 1, "id": "0" * 12, "name": folder.name, "file": "configs/loop.retrieval.cfg", "loop_of": "tiny"})
    tests = _rows(plan, chance, 1, size=plan.test)
    start = _train_rows(60, chance)
    _round(folder / "start", plan, "start", 0, parts, tests, start, ())
    for arm, skills in plan.skill.items():
        rows = list(start)
        for number in range(1, len(skills) + 1 if arm != "start" else 0):
            parents = _parents(first, arm, number)
            added = _candidates(plan, arm, number, parents, chance)
            rows += [StudentRow(row.id, row.fields["text"], row.labels) for row in added if row.status == ACCEPTED]
            _round(folder / f"{arm}-{number}", plan, arm, number, parts, tests, rows, added)
            if arm != "more-seed":
                write_parents(folder / f"{arm}-{number}" / "parents.jsonl", parents)
    return folder


def text(label: str, chance: random.Random, length: int = 9) -> str:
    """RETURNS (str): Words of a label."""
    return " ".join(chance.choice(WORDS[label]) for _ in range(length)).capitalize() + "."


def _rows(plan: Plan, chance: random.Random, start: int, size: int | None = None) -> list[LabelledRow]:
    count = plan.rows if size is None else size
    return [
        LabelledRow({"text": text(LABELS[number % 3], chance) + plan.hostile}, (LABELS[number % 3],), start + number)
        for number in range(count)
    ]


def _train_rows(count: int, chance: random.Random) -> list[StudentRow]:
    return [StudentRow(f"seed{number}", text(LABELS[number % 3], chance), (LABELS[number % 3],)) for number in range(count)]


def _parents(rows: Sequence[LabelledRow], arm: str, number: int) -> list[Parent]:
    some = random.Random(f"{arm}{number}").sample(list(rows), min(16, len(rows)))
    wrong = [(LABELS[(LABELS.index(row.labels[0]) + 1) % 3],) for row in some]
    return [Parent(Seed.make(row.labels, row.fields, ERROR, said), row.line) for row, said in zip(some, wrong, strict=True)]


def _candidates(plan: Plan, arm: str, number: int, parents: Sequence[Parent], chance: random.Random) -> list[Candidate]:
    """Rows that change a few words of their parent; those after the ones to be added are turned away."""
    found = []
    for place in range(plan.calls.get(arm, 16)):
        seed = parents[place % len(parents)].seed
        planned = Candidate.plan(task="tiny", strategy="extrapolate", seed=seed, passage_id=None, draw=100 * number + place)
        words = seed.fields["text"].split()
        words[:3] = [chance.choice(WORDS[seed.labels[0]]) for _ in range(3)]
        tokens = {"prompt_tokens": 100, "answer_tokens": 20} if plan.tokens else {}
        done = planned.after(Event("synthesize", GENERATED, detail=tokens), fields={"text": " ".join(words)})
        kept = place < plan.added.get(arm, 12)
        found.append(done.after(Event("synthesize", ACCEPTED if kept else REJECTED, "" if kept else "near_duplicate")))
    return found


def _round(
    folder: Path, plan: Plan, arm: str, number: int, parts: Mapping[str, Sequence[LabelledRow]], tests: Sequence[LabelledRow],
    rows: Sequence[StudentRow], added: Sequence[Candidate],
) -> None:  # fmt: skip
    folder.mkdir()
    skill = plan.skill[arm][max(0, number - 1)]
    said = {part: _predictions(some, f"{arm}{number}{part}", skill, plan.seeds) for part, some in parts.items()}
    write_predictions(folder / "predictions.jsonl", said)
    wrong = [one for one in join(said["error"], chosen=0) if one.predicted != one.labels]
    write_parents(folder / "errors.jsonl", [Parent(Seed.make(one.labels, one.fields, ERROR, one.predicted), one.line) for one in wrong])
    write_docs(rows, folder / "train.spacy", nlp=spacy.blank("en"), labels=LABELS)
    dev = [sum(one.predicted == one.labels for one in some) / len(some) for some in said["selection"].values()]
    arms = [{"name": "main", "rows": len(rows), "labels": {}, "why": "", "run": True}]
    write_json(folder / "export.json", {"v": 1, "labels": list(LABELS), "exclusive": True, "lang": "en", "arms": arms})
    seeds = [{"seed": seed, "dev": score} for seed, score in enumerate(dev)]
    trained = {
        "v": 1,
        "metric": "accuracy",
        "arms": [{**arms[0], "steps": 100, "seeds": seeds, "dev": spread(dev)}],
        "chosen": {"arm": "main", "seed": 0},
    }
    write_json(folder / "student.json", trained)
    files = {"parents": {"path": str(folder / "parents.jsonl")}} if added and arm != "more-seed" else {}
    configs = {"teacher": {"path": str(folder.parent / "teacher.cfg")}}
    write_json(folder / "inputs.json", {"v": 1, "run": folder.name, "files": files, "configs": configs, "settings": {"seed": 0}})
    if added:
        _rows_files(folder, added)
    if plan.tested:
        _test(folder, plan, f"{arm}{number}test", tests, skill)


def _rows_files(folder: Path, added: Sequence[Candidate]) -> None:
    write_jsonl(folder / "generated.jsonl", (row.to_dict() for row in added))
    kept, away = ([row for row in added if (row.status == ACCEPTED) is right] for right in (True, False))
    write_jsonl(folder / "accepted.jsonl", (row.to_dict() for row in kept))
    write_jsonl(folder / "rejected.jsonl", (row.to_dict() for row in away))
    rejected = {"synthesize": {"near_duplicate": len(away)}} if away else {}
    write_json(folder / "funnel.json", {"v": 1, "total": {"failed": {}, "rejected": rejected}})


def _predictions(rows: Sequence[LabelledRow], key: str, skill: float, seeds: int) -> dict[int, list[Prediction]]:
    """A row has one mood for all students, so that a better round is right where a worse one was, and a little luck of each."""
    return {seed: [_said(row, f"{key}{seed}", skill) for row in rows] for seed in range(seeds)}


def _said(row: LabelledRow, key: str, skill: float) -> Prediction:
    mood = 0.8 * random.Random(f"{row.fields}").random() + 0.2 * random.Random(f"{key}{row.line}").random()
    label, other = row.labels[0], LABELS[(LABELS.index(row.labels[0]) + 1 + row.line % 2) % 3]
    right = mood < skill
    return Prediction(row.line, row.fields, row.labels, (label if right else other,), 0.7, 0.4 if right else -0.4, 0.36, other)


def _test(folder: Path, plan: Plan, key: str, tests: Sequence[LabelledRow], skill: float) -> None:
    found = [_predictions(tests, key, skill, plan.seeds)[seed] for seed in range(plan.seeds)]
    rows = [
        {"v": 1, "line": row.line, "gold": list(row.labels), "student": list(said[0].predicted),
         "arms": {"main": [list(one.predicted) for one in said]}}
        for row, said in zip(tests, zip(*found, strict=True), strict=True)
    ]  # fmt: skip
    write_jsonl(folder / "answers.jsonl", rows)
    write_json(folder / "evaluation.json", {"v": 1})
