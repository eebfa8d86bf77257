"""`loop`: round after round until nothing is gained, then the controls, then the test set, once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.context import RUNS, Context
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.fingerprints import fingerprint_file
from spacy_synthesizrr.jsonl import read_json, write_json
from spacy_synthesizrr.loop.clusters import order_errors
from spacy_synthesizrr.loop.controls import GENERATED, control_parents, more_seed, why_not
from spacy_synthesizrr.loop.errors import check_errors
from spacy_synthesizrr.loop.extrapolation import RETRIEVAL, check_strategy
from spacy_synthesizrr.loop.folder import ABOUT, MADE, PARTS, Loop, check_dry, left_over, opened
from spacy_synthesizrr.loop.forecast import check_teacher, forecast, told_errors
from spacy_synthesizrr.loop.ledger import chosen_of, make_ledger, table
from spacy_synthesizrr.loop.page import write_page
from spacy_synthesizrr.loop.parents import ERRORS, Parent, Uses, error_parents, write_parents
from spacy_synthesizrr.loop.planning import Asked, NothingToAsk, extrapolate
from spacy_synthesizrr.loop.rounds import Planner, Round, do_round, do_start, logged, planned_round
from spacy_synthesizrr.loop.settings import LOOP, MORE_SEED, LoopSettings
from spacy_synthesizrr.loop.split import ERROR
from spacy_synthesizrr.progress import say
from spacy_synthesizrr.steps import evaluate
from spacy_synthesizrr.steps.plan import plan_settings

if TYPE_CHECKING:
    from spacy_synthesizrr.stores.base import Store

LEDGER = "ledger.json"
NOTHING_LEFT = "nothing is left that could be asked for"
SPARE = 4  # parents at hand for each one that a control needs, where passages do not suffice for some


def run_loop(ctx: Context, settings: LoopSettings, *, name: str, dry_run: bool = False) -> dict[str, Any] | None:
    """Work through a loop; what is done already is not done again, and a stopped loop goes on where it stopped.

    ctx (Context): The starting run. name (str): Of the loop's folder under runs/.
    dry_run (bool): Train the first student, plan the first round and say what it and the loop will take, and ask nothing.
    RETURNS (dict | None): The ledger; None after a dry run.
    RAISES (ConfigError): When the settings do not fit the task or the strategy, before anything is done.
    RAISES (RunFolderError): When the starting run is not finished, or the folder is somebody else's.
    RAISES (BudgetReached, WaitsForAnswers, TeacherError): As `synthesize` does; the same command goes on.
    """
    check_errors(settings.errors, ctx.task)
    if settings.extrapolate.how == RETRIEVAL:
        if ctx.task.answer:
            raise ConfigError('[extrapolate] with = "retrieval", and the task has `answer`: a passage has other answers. Set it to "text".')
        check_strategy(RETRIEVAL, plan_settings(ctx))
    if dry_run:
        check_dry(RUNS / name, ctx, settings)
    with opened(ctx, settings, name) as loop:
        check_teacher(loop)
        say("round 0: the first student")
        start = do_start(loop)
        parents, stopped = _parents(loop, [start])
        _foretell(loop, start, parents, stopped, dry_run=dry_run)
        if dry_run:
            return None
        done = {LOOP: [start]}
        while not stopped:
            say(f"round {len(done[LOOP])}: {len(parents)} errors are extrapolated")
            try:
                done[LOOP].append(do_round(loop, LOOP, done[LOOP], _planned(loop, done[LOOP], parents)))
            except NothingToAsk as fault:
                if len(done[LOOP]) == 1:
                    raise  # a loop without a single round: the settings are wrong
                stopped = NOTHING_LEFT
                say(f"  {fault}")
                break
            parents, stopped = _parents(loop, done[LOOP])
        say(f"The loop ends: {stopped}.")
        not_run = dict(_controls(loop, done))
        number, compared = chosen_of(done[LOOP], final=settings.loop.final)
        result = done[LOOP][number]
        made = {arm: len(rounds) - 1 for arm, rounds in done.items()}
        about = {"stopped": stopped, "not_run": not_run, MADE: made, "result": number, "compared": compared}
        write_json(loop.folder / ABOUT, read_json(loop.folder / ABOUT) | about)
        _test(loop, [start, result, *(rounds[min(compared, len(rounds) - 1)] for rounds in done.values())])
        return _tell(loop, result, chain(*done.values()))


def _test(loop: Loop, rounds: Sequence[Round]) -> None:
    """Score the students on the test set, which nothing has looked at before: all arms in the same round, with as many rows and steps."""
    for one in {one.folder.path: one for one in rounds}.values():
        with logged(one.folder):
            evaluate.run(one.ctx)


def _foretell(loop: Loop, start: Round, parents: Sequence[Parent], stopped: str, *, dry_run: bool) -> None:
    """Plan the first round, and say what it and the whole loop will take, before anything is asked."""
    if stopped:
        say(f"There is no round: {stopped}.")
        return
    say(told_errors(parents))
    first = _planned(loop, [start], parents)
    for line in forecast(loop, first, alone=dry_run):
        say(line)
    if dry_run:
        say(f"Nothing was asked (dry run). The prompts of the first round: synthesizrr preview --run {first.folder.name}")


def _planned(loop: Loop, before: Sequence[Round], parents: Sequence[Parent]) -> Context:
    """RETURNS (Context): The next round of the loop itself, planned; where it is so already, as it is."""
    return planned_round(loop, LOOP, before, parents, _extrapolating(loop, parents, len(before)), settings=_plan_settings(loop))


def _plan_settings(loop: Loop) -> dict[str, Any]:
    """What the plan of every round depends on; passages are also chosen by the whole error part.

    What the starting run asked for counts by itself: requests of it that failed may be asked again, and then fewer of its plan are taken,
    though it is done by the same settings.
    """
    generated = loop.ctx.folder.file(GENERATED)
    found = {
        "extrapolate": loop.settings.extrapolate.model_dump(mode="json"),
        "asked_before": fingerprint_file(generated) if generated.is_file() else None,
    }
    if loop.settings.extrapolate.how == RETRIEVAL:
        found["error_part"] = fingerprint_file(loop.folder / PARTS[ERROR])
    return found


def _extrapolating(loop: Loop, parents: Sequence[Parent], number: int) -> Planner:
    def plan(ctx: Context, store: Store, uses: Uses) -> Asked:
        return extrapolate(loop, ctx, store, parents, number=number, uses=uses)

    return plan


def _parents(loop: Loop, done: Sequence[Round]) -> tuple[list[Parent], str]:
    """The errors that the next round starts from, or why there is none.

    The last round's errors are written beside its predictions in any case.
    """
    from contextlib import closing

    from spacy_synthesizrr.stores.opening import open_store

    last, settings = done[-1], loop.settings
    found = last.errors(loop)
    with closing(open_store(last.ctx)) as store:
        embedder = getattr(store, "embedder", None)
        ordered = order_errors(found.found, loop.task, settings.errors, embedder=embedder, seed=loop.ctx.seed)
    write_parents(last.folder.file(ERRORS), error_parents(ordered, include_prediction=True))
    calls = sum(one.calls for one in done)
    left = None if settings.stop.max_calls is None else (settings.stop.max_calls - calls) // settings.extrapolate.per_error
    if why := _why_stop(loop, done, few=found.few(settings.errors), errors=len(found.found), left=left):
        return [], why
    return error_parents(ordered[:left], include_prediction=settings.extrapolate.include_prediction), ""


def _why_stop(loop: Loop, done: Sequence[Round], *, few: bool, errors: int, left: int | None) -> str:
    settings, scores = loop.settings, [one.score for one in done]
    if few:
        return f"{errors} errors are left, fewer than {settings.errors.min_new}" if errors else "no error is left"
    best, at = scores[0], 0
    for number, score in enumerate(scores):
        if score > best + settings.stop.min_gain:
            best, at = score, number
    if len(done) - 1 - at >= settings.stop.patience and len(done) > 1:
        many = "a round" if settings.stop.patience == 1 else f"{settings.stop.patience} rounds"
        return f"{many} without a gain on the selection part"
    if len(done) > settings.loop.rounds:
        return "1 round is done" if settings.loop.rounds == 1 else f"{settings.loop.rounds} rounds are done"
    return "the budget of calls is spent" if left is not None and left < 1 else ""


def _controls(loop: Loop, done: dict[str, list[Round]]) -> Iterator[tuple[str, str]]:
    """Run the controls, round for round as the loop went.

    YIELDS (Tuple[str, str]): The controls that cannot be run, and why.
    """
    own = done[LOOP]
    for arm in loop.settings.loop.controls if len(own) > 1 else ():
        if why := why_not(loop, arm):
            say(f"Control '{arm}': {why}.")
            yield arm, why
            continue
        rounds = [own[0]]
        for pace in own[1:]:
            say(f"round {pace.number} of the control '{arm}'")
            try:
                rounds.append(_control_round(loop, arm, rounds, pace))
            except NothingToAsk as fault:
                say(f"  {fault}")
                break
        if len(rounds) == 1:
            yield arm, f"not run: {NOTHING_LEFT}"
        else:
            done[arm] = rounds


def _control_round(loop: Loop, arm: str, before: Sequence[Round], pace: Round) -> Round:
    planned = _planned_seed if arm == MORE_SEED else _planned_parents
    return do_round(loop, arm, before, planned(loop, arm, before, pace), pace=pace)


def _planned_seed(loop: Loop, arm: str, before: Sequence[Round], pace: Round) -> Context:
    earlier = [one.folder for one in before[1:]]

    def plan(ctx: Context, store: Store, uses: Uses) -> Asked:
        return more_seed(loop, earlier, calls=pace.calls, number=pace.number)

    settings = {**_control_settings(loop, pace), "plan": loop.ctx.folder.receipt("synthesize")["key"]}
    return planned_round(loop, arm, before, (), plan, settings=settings, pace=pace)


def _planned_parents(loop: Loop, arm: str, before: Sequence[Round], pace: Round) -> Context:
    said = None
    if loop.settings.extrapolate.include_prediction:
        said = {one.line: one.predicted for one in before[-1].answers(loop)}
    taken = sum(len(one.parents) for one in before[1:])
    parents = control_parents(loop, arm, SPARE * len(pace.parents), number=pace.number, before=taken, said=said)
    return planned_round(loop, arm, before, parents, _as_many(loop, parents, pace), settings=_control_settings(loop, pace), pace=pace)


def _control_settings(loop: Loop, pace: Round) -> dict[str, Any]:
    return {**_plan_settings(loop), "calls": pace.calls, "parents": len(pace.parents)}


def _as_many(loop: Loop, parents: Sequence[Parent], pace: Round) -> Planner:
    """Extrapolate as many parents as the loop had, and where that gives fewer calls, some more; never more calls than the loop made."""

    def plan(ctx: Context, store: Store, uses: Uses) -> Asked:
        some, lack, step = len(pace.parents), 1, 1
        while lack:
            asked = extrapolate(loop, ctx, store, parents[:some], number=pace.number, uses=uses)
            lack = max(0, pace.calls - len(asked.planned.candidates)) if some < len(parents) else 0
            some += max(lack, step)
            step *= 2  # each try plans anew, which takes long with a large index
        return replace(asked, planned=replace(asked.planned, candidates=asked.planned.candidates[: pace.calls]))

    return plan


def _tell(loop: Loop, result: Round, done: Iterable[Round]) -> dict[str, Any]:
    if left := left_over(loop.folder, [one.folder.path.name for one in done]):
        say(f"Left by a loop of other settings, and counted nowhere: {', '.join(left)}. You may remove them.")
    found = make_ledger(loop.folder)
    write_json(loop.folder / LEDGER, found)
    page = write_page(loop.folder, found)
    for line in table(found):
        say(line)
    say(f"The student: {result.folder.path / 'student'}. Page and numbers: {page}, {loop.folder / LEDGER}")
    return found
