"""What a loop will ask its teacher for and what that will take, told before anything is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import TeacherError
from spacy_synthesizrr.jsonl import read_json
from spacy_synthesizrr.loop.controls import why_not
from spacy_synthesizrr.loop.extrapolation import EXTRAPOLATE, TEXT
from spacy_synthesizrr.loop.folder import Loop
from spacy_synthesizrr.loop.parents import Parent
from spacy_synthesizrr.loop.settings import LOOP
from spacy_synthesizrr.receipts import fresh
from spacy_synthesizrr.steps import synthesize
from spacy_synthesizrr.steps.plan import PLAN
from spacy_synthesizrr.steps.plan_cost import money_of, plan_cost, told
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


def told_errors(parents: Sequence[Parent]) -> str:
    """RETURNS (str): The errors that the first round takes, by label.

    parents (Sequence[Parent]): Of the first round.
    """
    labels = Counter(" + ".join(parent.seed.labels) for parent in parents)
    return f"The first round takes {len(parents)} errors: " + ", ".join(f"{label} {count}" for label, count in sorted(labels.items())) + "."


def forecast(loop: Loop, first: Context, *, alone: bool) -> Iterator[str]:
    """YIELDS (str): What the first round will ask for, and what all rounds take if they are like it; nothing of one that was asked already.

    first (Context): The first round, planned.
    alone (bool): Also what the first round takes by itself, which is told else when it is asked.
    """
    if fresh(first.folder, STEP):
        return
    calls = sum(int(label["planned"]) for label in read_json(first.folder.file(PLAN))["labels"].values())
    yield f"It asks the teacher {calls:,} times. If all rounds are like it, {_extent(loop)} ask {_all_calls(loop, calls):,} times."
    try:
        if not synthesize.costs_nothing(first):
            found = plan_cost(first)
            if alone:
                yield f"The first round: {told(found, first.folder.name)}"
            yield f"All together: {_told_money(money_of(found), _all_calls(loop, calls) / calls, kept=any(one.kept for one in found))}."
    except TeacherError as error:  # the loop says so again when it asks
        yield f"What it will take is not known: {error}"


def _told_money(money: tuple[float, ...] | None, times: float, *, kept: bool) -> str:
    """times (float): The first round's price, how often. kept (bool): Whether answers of it are there, which only the most counts in."""
    if money is None:
        return "price unknown"
    likely, most = money[1] * times, money[2] * times
    return "nothing to pay" if not most else f"at most {most:.4f} of money" if kept else f"about {likely:.4f} of money (at most {most:.4f})"


def _all_calls(loop: Loop, calls: int) -> int:
    """RETURNS (int): Calls of all rounds and controls; controls make as many as the loop."""
    own = calls * loop.settings.loop.rounds
    return min(own, loop.settings.stop.max_calls or own) * (1 + _controls(loop))


def _controls(loop: Loop) -> int:
    return sum(not why_not(loop, arm) for arm in loop.settings.loop.controls)


def _extent(loop: Loop) -> str:
    rounds, controls = loop.settings.loop.rounds, _controls(loop)
    return f"{rounds} round{'s' * (rounds != 1)} with {controls} control{'s' * (controls != 1)}"
