"""The run's teacher as a blind judge: asked through the same response store, budget and ledger as for its texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import BudgetReached, TeacherError
from spacy_synthesizrr.extensions import JUDGED, VOTES
from spacy_synthesizrr.progress import progress, say
from spacy_synthesizrr.prompts import RETRYABLE
from spacy_synthesizrr.students.quality.calibration import Array
from spacy_synthesizrr.teachers import ANSWERS, COMPONENT, asking, pipeline_for, teacher_copies, told_spending

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

STAGE = "verify"
COPIES = "this teacher only copies and can judge nothing"
DEFERS = "this teacher answers in a later run, and a judge is needed now"


@dataclass
class Votes:
    """What the judge said of some rows.

    counts (Array): Votes for each label, rows × labels.
    valid (Array): Votes of each row that named labels.
    failed (Counter): Questions without such a vote, by kind.
    """

    counts: Array
    valid: Array
    failed: Counter[str] = field(default_factory=Counter)


def judge_config(ctx: Context, *, draws: int) -> dict[str, Any]:
    """RETURNS (dict): The config section of the judge's task for a run."""
    from spacy_synthesizrr.tasks.verify import verify_config

    return {**verify_config(ctx.task), "draws": draws, "seed": ctx.seed}


def why_not(ctx: Context, *, draws: int) -> str:
    """RETURNS (str): Why the run's teacher cannot judge; empty when it can."""
    nlp = pipeline_for(ctx, judge_config(ctx, draws=draws))
    component: Any = nlp.get_pipe(COMPONENT)
    if teacher_copies(nlp):
        return COPIES
    return DEFERS if getattr(component.model, "defers", False) else ""


def ask(ctx: Context, rows: Iterable[Mapping[str, str]], *, count: int, draws: int, arm: str) -> Votes:
    """Let the teacher judge rows, each without its label.

    rows (Iterable[Mapping[str, str]]): Text fields by name.
    count (int): How many rows there are.
    draws (int): Questions per row.
    arm (str): For the ledger.
    RAISES (BudgetReached): When a cap keeps questions from being asked; the answers until then are kept.
    RAISES (TeacherError): When nobody answered.
    """
    from spacy_synthesizrr.models.answers.responses import ResponseStore

    labels = list(ctx.task.labels)
    votes = Votes(np.zeros((count, len(labels))), np.zeros(count))
    with ResponseStore(ctx.shared / ANSWERS) as answers:
        nlp = pipeline_for(ctx, judge_config(ctx, draws=draws), answers, stage=f"{STAGE} {arm}")
        with asking(nlp) as model:
            for number, doc in enumerate(progress(nlp.pipe(_docs(nlp, rows)), f"Judging labels ({arm})", total=count)):
                for vote in doc._.get(VOTES):
                    if "labels" in vote:
                        votes.counts[number, [labels.index(label) for label in vote["labels"]]] += 1
                        votes.valid[number] += 1
                    else:
                        votes.failed[vote["failed"]] += 1
                        _check_budget(vote, model, ctx)
            _tell_spent(model, arm)
    _refuse_outage(votes)
    return votes


def _docs(nlp: Language, rows: Iterable[Mapping[str, str]]) -> Iterator[Doc]:
    for fields in rows:
        doc = nlp.make_doc("judged")
        doc._.set(JUDGED, dict(fields))
        yield doc


def _check_budget(vote: Mapping[str, Any], model: Any, ctx: Context) -> None:
    reached = model.status().get("reached", "") if hasattr(model, "status") else vote["detail"]
    if vote["failed"] == "budget" and reached:
        raise BudgetReached(
            f"The budget is used up while labels are judged: {reached}. All answers until now are kept. Raise the cap in [teacher.budget] "
            'and run `curate` again, or take "teacher" out of `judges` in configs/curate.cfg. What was spent: '
            f"synthesizrr responses ledger --run {ctx.folder.name}"
        )


def _tell_spent(model: Any, arm: str) -> None:
    if spent := told_spending(model.status().get("new", {}) if hasattr(model, "status") else {}):
        say(f"{arm}, labels judged by the teacher: {spent}")


def _refuse_outage(votes: Votes) -> None:
    if votes.failed and not votes.valid.any() and set(votes.failed) <= set(RETRYABLE):
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(votes.failed.items()))
        raise TeacherError(
            f"All questions to the judge of labels failed ({kinds}). Run `curate` again when the teacher can be reached, or take "
            '"teacher" out of `judges` in configs/curate.cfg.'
        )
