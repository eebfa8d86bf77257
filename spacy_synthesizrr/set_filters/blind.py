"""The run's teacher as a blind judge: asked through the same response store, budget and ledger as for its texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import BudgetReached, TeacherError
from spacy_synthesizrr.extensions import JUDGED, VOTES
from spacy_synthesizrr.progress import progress, say
from spacy_synthesizrr.prompts import RETRYABLE
from spacy_synthesizrr.students.quality.calibration import Array
from spacy_synthesizrr.teachers import ANSWERS, COMPONENT, asking, keep_answers, pipeline_for, teacher_copies, told_spending

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

STAGE = "verify"
COPIES = "this teacher only copies and can judge nothing"
Sized: TypeAlias = "tuple[Iterable[Mapping[str, str]], int]"
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


@dataclass
class Judge:
    """The run's teacher as a judge of one arm. Its pipeline is built once, when somebody wants to know whether it can judge.

    draws (int): Questions per row.
    arm (str): For the ledger.
    """

    ctx: Context
    draws: int
    arm: str

    @cached_property
    def nlp(self) -> Language:
        """RETURNS (Language): The pipeline that asks."""
        return pipeline_for(self.ctx, judge_config(self.ctx, draws=self.draws))

    @property
    def why_not(self) -> str:
        """RETURNS (str): Why the teacher cannot judge; empty when it can."""
        component: Any = self.nlp.get_pipe(COMPONENT)
        if teacher_copies(self.nlp):
            return COPIES
        return DEFERS if getattr(component.model, "defers", False) else ""

    def ask(self, *sets: Sized) -> list[Votes]:
        """Let the teacher judge sets of rows, each row without its label; once.

        sets (Tuple[Iterable[Mapping[str, str]], int]): Text fields by name of each row, and how many rows there are.
        RETURNS (List[Votes]): Of each set.
        RAISES (BudgetReached): When a cap keeps questions from being asked; the answers until then are kept.
        RAISES (TeacherError): When nobody answered about a set.
        """
        from spacy_synthesizrr.models.answers.responses import ResponseStore

        with ResponseStore(self.ctx.shared / ANSWERS) as answers:
            keep_answers(self.nlp, self.ctx, answers, stage=f"{STAGE} {self.arm}")
            with asking(self.nlp) as model:
                found = [self._votes(rows, count, model) for rows, count in sets]
                _tell_spent(model, self.arm)
        for votes in found:
            _refuse_outage(votes)
        return found

    def _votes(self, rows: Iterable[Mapping[str, str]], count: int, model: Any) -> Votes:
        labels = list(self.ctx.task.labels)
        votes = Votes(np.zeros((count, len(labels))), np.zeros(count))
        for number, doc in enumerate(progress(self.nlp.pipe(_docs(self.nlp, rows)), f"Judging labels ({self.arm})", total=count)):
            for vote in doc._.get(VOTES):
                if "labels" in vote:
                    votes.counts[number, [labels.index(label) for label in vote["labels"]]] += 1
                    votes.valid[number] += 1
                else:
                    votes.failed[vote["failed"]] += 1
                    _check_budget(vote, model, self.ctx)
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
