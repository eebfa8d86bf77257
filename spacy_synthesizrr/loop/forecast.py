"""What a loop will ask its teacher for and what that will take, told before anything is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import TeacherError
from spacy_synthesizrr.loop.controls import why_not
from spacy_synthesizrr.loop.extrapolation import EXTRAPOLATE, TEXT
from spacy_synthesizrr.loop.folder import Loop
from spacy_synthesizrr.loop.parents import Parent
from spacy_synthesizrr.loop.settings import LOOP
from spacy_synthesizrr.receipts import fresh
from spacy_synthesizrr.steps import synthesize
from spacy_synthesizrr.steps.plan_cost import money_of, plan_cost
from spacy_synthesizrr.steps.teacher import pipeline
from spacy_synthesizrr.synthesis import STEP
from spacy_synthesizrr.teachers import teacher_copies


def check_teacher(loop: Loop) -> None:
    """Ask whether the teacher can do what [extrapolate] wants, before a student is trained for nothing.

    RAISES (TeacherError): When it only copies, and texts are to be written after a text.
    """
    if loop.settings.extrapolate.how != TEXT or fresh(loop.round(LOOP, 1), STEP):
        return
    if teacher_copies(pipeline(loop.ctx, EXTRAPOLATE)):
        raise TeacherError(
            f'{loop.settings.path}: [extrapolate] with = "{TEXT}" needs a teacher that writes, and that of the run '
            f"'{loop.ctx.folder.name}' only copies passages. Set with = \"retrieval\", or start from a run of another teacher "
            "(--vars.teacher NAME --vars.run OTHER)."
        )


def forecast(loop: Loop, parents: Sequence[Parent], stopped: str) -> Iterator[str]:
    """YIELDS (str): Errors and calls of the first round, and calls of the whole loop.

    parents (Sequence[Parent]): Of the first round. stopped (str): Why there is none; else empty.
    """
    if stopped:
        yield f"There would be no round: {stopped}."
        return
    labels = Counter(" + ".join(parent.seed.labels) for parent in parents)
    calls = len(parents) * loop.settings.extrapolate.per_error
    yield f"The first round takes {len(parents)} errors: " + ", ".join(f"{label} {count}" for label, count in sorted(labels.items())) + "."
    yield f"It asks the teacher at most {calls:,} times; {_extent(loop)} at most about {calls * _times(loop):,} times."


def forecast_money(loop: Loop, first: Context) -> Iterator[str]:
    """YIELDS (str): What the whole loop may cost, by the prompts of its first round; nothing where that is known to be nothing.

    first (Context): The first round, planned.
    """
    if synthesize.costs_nothing(first) or fresh(first.folder, STEP):
        return
    money = money_of(plan_cost(first))
    if money is None:
        yield f"What {_extent(loop)} will cost is not known: the teacher's config gives no price."
    elif money[2]:
        likely, most = (value * _times(loop) for value in money[1:])
        yield f"If all rounds are like the first, {_extent(loop)} cost about {likely:.4f} of money (at most {most:.4f})."


def _controls(loop: Loop) -> int:
    return sum(not why_not(loop, arm) for arm in loop.settings.loop.controls)


def _times(loop: Loop) -> int:
    return (1 + _controls(loop)) * loop.settings.loop.rounds


def _extent(loop: Loop) -> str:
    rounds, controls = loop.settings.loop.rounds, _controls(loop)
    return f"{rounds} round{'s' * (rounds != 1)} with {controls} control{'s' * (controls != 1)}"
