"""Small tasks, rows and predictions for the tests of errors and parents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spacy_synthesizrr.labelled import LabelledRow
from spacy_synthesizrr.loop.predictions import Prediction
from spacy_synthesizrr.taskfile import TaskSpec

PAIR = [{"name": "premise"}, {"name": "claim", "generated": True}]


def make_task(*labels: str, path: Path = Path("task.yml"), exclusive: bool = True, **more: Any) -> TaskSpec:
    """A task with these labels; `fields=PAIR` makes rows of two texts."""
    words = {label: {"verbalization": f"about {label}"} for label in labels}
    about = {"name": "given", "exclusive": exclusive, "labels": words, "prompt": {"instruction": "Write {verbalization}."}}
    return TaskSpec.model_validate({**about, "path": path, "corpus": {"path": "corpus.jsonl"}, "seeds": {"path": "seeds.jsonl"}, **more})


def row(line: int, *labels: str, text: str = "", **fields: str) -> LabelledRow:
    """A row of one text, or of the fields given."""
    return LabelledRow(fields or {"text": text or f"the text of line {line}"}, labels, line)


def said(line: int, gold: Sequence[str] | str, predicted: Sequence[str] | str, *, text: str = "", **more: Any) -> Prediction:
    """A prediction; a label alone stands for a set of one."""
    labels, answer = ((one,) if isinstance(one, str) else tuple(one) for one in (gold, predicted))
    numbers = {"score": 0.3, "margin": -0.4, "loss": 1.2, **more}
    return Prediction(line, {"text": text or f"the text of line {line}"}, labels, answer, **numbers)
