"""`package`: a run's student, its card and its test scores as a Python package. No step: it writes outside the run folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from spacy_synthesizrr.context import Context
from spacy_synthesizrr.documents import read_document
from spacy_synthesizrr.errors import RunFolderError
from spacy_synthesizrr.jsonl import read_json
from spacy_synthesizrr.receipts import fresh
from spacy_synthesizrr.steps.evaluate import REPORT
from spacy_synthesizrr.steps.takehome import CARD
from spacy_synthesizrr.steps.train import STUDENT
from spacy_synthesizrr.students.config import TEXTCAT_MULTILABEL
from spacy_synthesizrr.students.span.settings import only_classifiers
from spacy_synthesizrr.students.takehome.packaging import Package, Wanted, make_package

SPACYS = {"score": "cats_micro_f", "macro_f": "cats_macro_f", "per_label": "cats_f_per_type"}
OURS = {"score": "micro_f_at_thresholds", "macro_f": "macro_f_at_thresholds", "per_label": "f_per_label_at_thresholds"}


def package(ctx: Context, wanted: Wanted) -> Package:
    """Package the student of a run.

    RAISES (RunFolderError): When it has not been evaluated, or was trained again since.
    RAISES (SynthesizrrError): See `make_package`.
    """
    only_classifiers("package", ctx.task.answer)
    card = ctx.folder.file(CARD)
    if not fresh(ctx.folder, "evaluate") or not card.is_file():
        again = (
            ""
            if card.is_file()
            else f" (when it says that nothing changed, delete receipts/evaluate.json of this run first: {CARD} is gone)"
        )
        raise RunFolderError(
            f"The student of the run '{ctx.folder.name}' has no card that fits it. "
            f"Run the step 'evaluate': synthesizrr evaluate --run {ctx.folder.name}{again}"
        )
    student, evaluation = ctx.folder.file(STUDENT), read_document(ctx.folder, REPORT)
    own = None if ctx.task.exclusive else float(read_json(student / TEXTCAT_MULTILABEL / "cfg")["threshold"])
    found = performance(evaluation, threshold=own)
    return make_package(student, wanted, card=card.read_text(encoding="utf-8"), performance=found)


def performance(evaluation: Mapping[str, Any], *, threshold: float | None) -> dict[str, Any]:
    """Test scores of the student, under spaCy's names only where `spacy evaluate` would give the same.

    threshold (float | None): The one that spaCy takes for every label; None in an exclusive task, which has none.
    RETURNS (dict): Shares from 0 to 1; empty without test rows. Scores at thresholds of its own have other names than spaCy's.
    """
    chosen = evaluation["chosen"]
    if not chosen:
        return {}
    names = SPACYS if all(value == threshold for value in chosen["thresholds"].values()) else OURS
    score = chosen["intervals"]["score"]
    found = {names["score"]: chosen["score"], names["macro_f"]: chosen["macro_f"], "test_rows": evaluation["rows"]}
    found |= {f"{names['score']}_low": score["low"], f"{names['score']}_high": score["high"]}
    per_label = {label: {key: one[key] for key in ("p", "r", "f")} for label, one in chosen["per_label"].items()}
    calibration = chosen["calibration"]
    return found | {names["per_label"]: per_label} | ({"cats_ece": calibration["ece"]["after"]} if calibration else {})


def told(made: Package) -> Iterator[str]:
    """YIELDS (str): What to do with a package."""
    yield f"{made.wheel} ({made.wheel.stat().st_size / 1e6:.1f} MB; needs {', '.join(made.requirements) or 'nothing'})"
    yield f"Install it:  pip install {made.wheel}"
    yield f"Use it:      python -m spacy apply {made.name} texts.jsonl out.spacy"
