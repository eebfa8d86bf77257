"""How often a classifier of words that was trained on gold rows gives a row the label that it was asked to have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from statistics import fmean
from typing import Any

from s3_sets import CASES, cut, judge_rows

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.metrics.preservation import agreement, train_judge
from spacy_synthesizrr.stores.opening import open_store
from spacy_synthesizrr.students.quality.bootstrap import interval
from spacy_synthesizrr.taskfile import TaskSpec


def judge_of(name: str, data: Path, draw: int, task: TaskSpec) -> tuple[Any, int]:
    """RETURNS (Tuple[Judge, int]): Trained on gold rows of a case that no other part of the draw has; their number."""
    gold = [
        ((row["label"],), task.student_text({field: row[field] for field in CASES[name].fields})) for row in judge_rows(name, data, draw)
    ]
    return train_judge(gold, [*task.labels], exclusive=True), len(gold)


def judged(rows: Sequence[tuple[str, str]], judge: Any, labels: Sequence[str]) -> dict[str, Any]:
    """RETURNS (dict): How often a judge gives texts the label that they were asked to have; with other rows of the kind; shuffled."""
    if not rows:
        return {"rows": 0}
    said = judge.predict([text for _, text in rows])
    bounds = interval([(label,) for label, _ in rows], [said], labels, seed=0)
    found = agreement([label for label, _ in rows], [own for (own,) in said])
    return {"rows": len(rows), "confirmed": found["agreement"], "low": bounds.low, "high": bounds.high, "shuffled": found["shuffled"]}


def right_labels(name: str, data: Path, draw: int, run: Context) -> tuple[Callable[[Sequence[Candidate]], float | None] | None, str]:
    """How the labels of copied rows are looked at.

    run (Context): That the rows come from; its index has their passages.
    RETURNS (Tuple[Callable | None, str]): From rows to the share whose label is right, and how that is known: by the gold label of
        the passage's own text where the corpus is gold rows without their labels, else by the judge; nothing for pairs, of which it
        knows nothing.
    """
    task = run.task
    if CASES[name].corpus == "":
        gold = dict(enumerate(row["label"] for row in cut(CASES[name], data, draw)["rest"]))
        with closing(open_store(run)) as store:
            own = {passage.id: gold[int(passage.document)] for passage, _ in store.iterate()}
        return lambda rows: _share([own[row.passage_id] == row.labels[0] for row in rows]), "gold"
    if len(task.fields) > 1:
        return None, ""
    judge, _ = judge_of(name, data, draw, task)
    return lambda rows: _share([said == row.labels for said, row in zip(judge.predict(_texts(rows, task)), rows, strict=True)]), "judge"


def _texts(rows: Sequence[Candidate], task: TaskSpec) -> list[str]:
    return [task.student_text(row.fields) for row in rows]


def _share(right: Sequence[bool]) -> float | None:
    return round(fmean(right), 4) if right else None


def rows_of(path: Path) -> list[Candidate]:
    """RETURNS (List[Candidate]): Of a file of candidates; none where there is no file."""
    return list(read_jsonl(path, Candidate.from_dict)) if path.is_file() else []


def arm(folders: Sequence[Path], task: TaskSpec, judge: Any) -> dict[str, Any]:
    """RETURNS (dict): Calls, what could be read, what passed the filters, and what the judge says of both."""
    asked = [row for folder in folders for row in rows_of(folder / "generated.jsonl")]
    accepted = [row for folder in folders for row in rows_of(folder / "accepted.jsonl")]
    read = [row for row in asked if row.fields.get(task.generated.name)]
    failed = Counter(str(row.events[-1].reason) for row in asked if not row.fields.get(task.generated.name))
    pairs = [[(row.labels[0], task.student_text(row.fields)) for row in rows] for rows in (read, accepted)]
    found = {"calls": len(asked), "parsed": len(read) / len(asked) if asked else None, "not_parsed": dict(failed)}
    found["accepted"] = len(accepted) / len(asked) if asked else None
    return found | {
        "judge_on_parsed": judged(pairs[0], judge, [*task.labels]),
        "judge_on_accepted": judged(pairs[1], judge, [*task.labels]),
    }
