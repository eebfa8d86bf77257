"""The rounds of a loop: what is done in each, for the loop itself and for a control. Every piece is a step with a receipt."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.configs import read_config
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.curation.near_duplicates import REGISTERED
from spacy_synthesizrr.jsonl import atomic, read_json, read_jsonl
from spacy_synthesizrr.labelled import LabelledRow
from spacy_synthesizrr.loop.answering import ask
from spacy_synthesizrr.loop.controls import GENERATED
from spacy_synthesizrr.loop.errors import Errors, find_errors
from spacy_synthesizrr.loop.folder import START, Loop
from spacy_synthesizrr.loop.parents import Parent, Uses, read_parents, write_parents
from spacy_synthesizrr.loop.planning import Asked, NothingToAsk, plan_round
from spacy_synthesizrr.loop.predictions import PREDICTIONS, Prediction, join, read_predictions
from spacy_synthesizrr.loop.split import ERROR
from spacy_synthesizrr.loop.starting import STARTING, starting_rows
from spacy_synthesizrr.loop.training import ACCEPTED_ROWS, TrainRows, chosen_seed, export_round, predict_round, selection_score
from spacy_synthesizrr.progress import say
from spacy_synthesizrr.receipts import RunFolder
from spacy_synthesizrr.steps import curate, index, prepare, train
from spacy_synthesizrr.steps.plan import PLAN
from spacy_synthesizrr.steps.plan import PLANNED as PLANNED_ROWS

if TYPE_CHECKING:
    from spacy_synthesizrr.stores.base import Store

PARENTS, LOG = "parents.jsonl", "log.txt"
CURATE = "configs/curate.cfg"
ANSWERED = ("index", "plan", "synthesize", "curate")  # steps before a round's sets
Planner = Callable[[Context, "Store", Uses], Asked]


@dataclass(frozen=True)
class Round:
    """A round that is done.

    arm (str), number (int): Whose; 0 is the start. ctx (Context): Its run.
    rows (TrainRows): What its student was trained on.
    """

    arm: str
    number: int
    ctx: Context
    rows: TrainRows

    @property
    def folder(self) -> RunFolder:
        """RETURNS (RunFolder): Where it lies."""
        return self.ctx.folder

    @property
    def calls(self) -> int:
        """RETURNS (int): Prompts that its teacher was asked."""
        return self._count(GENERATED) if self.number else 0

    @property
    def accepted(self) -> int:
        """RETURNS (int): Rows that it added, before the contamination gate."""
        return self._count(ACCEPTED_ROWS) if self.number else 0

    def _count(self, name: str) -> int:
        return sum(1 for _ in read_jsonl(self.folder.file(name), dict))

    @property
    def size(self) -> int:
        """RETURNS (int): Rows of its train set."""
        return int(self.folder.receipt("export")["counts"]["rows"]["main"])

    @property
    def score(self) -> float:
        """RETURNS (float): See `selection_score`."""
        return selection_score(self.ctx)

    @property
    def told(self) -> str:
        """RETURNS (str): Its score, for people."""
        return f"{100 * self.score:.1f} on the selection part"

    def answers(self, loop: Loop) -> list[Prediction]:
        """RETURNS (List[Prediction]): One answer per row of the error part, as [errors] by says."""
        found = read_predictions(self.folder.file(PREDICTIONS), {ERROR: loop.parts[ERROR]})[ERROR]
        return join(found, by=loop.settings.errors.by, chosen=chosen_seed(self.ctx))

    def errors(self, loop: Loop) -> Errors:
        """RETURNS (Errors): The errors of its student, by the section [errors]."""
        return find_errors(self.answers(loop), loop.settings.errors)

    @property
    def parents(self) -> list[Parent]:
        """RETURNS (List[Parent]): Those that its rows were made from."""
        return asked_parents(self.folder) if self.number else []


def asked_parents(folder: RunFolder) -> list[Parent]:
    """RETURNS (List[Parent]): The parents of a round that its plan asks for rows of; a control has some to spare."""
    path = folder.file(PARENTS)
    asked = {row.seed_id for row in read_jsonl(folder.file(PLANNED_ROWS), Candidate.from_dict)}
    return [parent for parent in read_parents(path) if parent.seed.id in asked] if path.is_file() else []


def do_start(loop: Loop) -> Round:
    """Train the first student, on the starting rows."""
    folder = loop.round(START, 0)
    with logged(folder):
        prepare.run(loop.choices(folder))
        ctx = Context.open(folder.path)
        index.run(ctx)
        rows = starting_rows(loop, folder)
        export_round(ctx, rows, after=("index",))
        made = _trained(loop, Round(START, 0, ctx, rows))
    say(f"  {made.size:,} rows; {made.told}")
    return made


def planned_round(
    loop: Loop,
    arm: str,
    before: Sequence[Round],
    parents: Sequence[Parent],
    plan: Planner,
    *,
    settings: Mapping[str, Any],
    pace: Round | None = None,
) -> Context:
    """Make the run of a round and its plan. Its teacher is asked for nothing.

    before (Sequence[Round]): The start and the earlier rounds of the arm.
    parents (Sequence[Parent]): What the rows are made from; none where the arm needs none.
    plan (Callable): What the teacher is asked for, given the round, its index and what was used before.
    settings (Mapping): What the plan depends on beside parents, task, strategy: plain JSON.
    pace (Round | None): The loop's round, for a control.
    RETURNS (Context): The round.
    RAISES (NothingToAsk): When no row can be asked for.
    """
    number = len(before)
    folder = loop.round(arm, number)
    if parents:
        write_parents(folder.file(PARENTS), parents)
    wanted = {"parents": folder.file(PARENTS).as_posix()} if parents else {}
    most = max(1, len(parents) * loop.settings.extrapolate.per_error, pace.calls if pace else 0)
    earlier = [[one.folder.path.name, one.folder.receipt("plan")["key"]] for one in before[1:]]
    with logged(folder):
        prepare.run(loop.choices(folder, curate=_curate_config(loop, folder, before), per_label=most, **wanted))
        ctx = Context.open(folder.path)
        index.run(ctx)
        plan_round(ctx, {**settings, "round": number, "earlier": earlier}, lambda store: plan(ctx, store, _uses(loop, before)))
    return ctx


def do_round(loop: Loop, arm: str, before: Sequence[Round], ctx: Context, *, pace: Round | None = None) -> Round:
    """Ask, curate, add, and train a fresh student; what the answers will take is told before they are asked for.

    before (Sequence[Round]): The start and the earlier rounds of the arm. ctx (Context): What `planned_round` made.
    pace (Round | None): The loop's round, for a control: at most as many rows are added, and as many training steps are taken.
    """
    for remark in read_json(ctx.folder.file(PLAN))["remarks"]:
        say(f"  {remark}")
    tell = _aloud()
    with logged(ctx.folder):
        missing = ask(ctx, tell=tell)
        curate.run(ctx)
        rows = _rows(loop, before, ctx, limit=pace.accepted if pace else None)
        export_round(ctx, rows, after=ANSWERED, pace=pace.size if pace else None)
        made = _trained(loop, Round(arm, len(before), ctx, rows))
    if missing:
        say(f"  {missing}")
    said = f"{made.calls:,} calls, {made.accepted:,} accepted, {made.size:,} rows in all"
    say(f"  {said}; {made.told}, {100 * before[-1].score:.1f} before it")
    return made


def _aloud() -> Callable[[str], None]:
    """RETURNS (Callable): Says a line on today's stdout, wherever that leads when it is called."""
    stdout = sys.stdout

    def tell(line: str) -> None:
        with contextlib.redirect_stdout(stdout):
            say(f"  {line}")

    return tell


@contextlib.contextmanager
def logged(folder: RunFolder) -> Iterator[None]:
    """What the steps of a round say goes to its log, for there are many of them; who stops in one is told where to look."""
    folder.path.mkdir(parents=True, exist_ok=True)
    path = folder.file(LOG)
    try:
        with path.open("a", encoding="utf-8") as log, contextlib.redirect_stdout(log):
            yield
    except NothingToAsk:
        raise  # the caller may go on with other rounds
    except BaseException:
        say(f"  Stopped in {folder.name}; what its steps said: {path}. The same command goes on from here.")
        raise


def _trained(loop: Loop, made: Round) -> Round:
    anew = [train.run(made.ctx), predict_round(loop, made.ctx)]
    loop.note(made.arm, made.number, anew=any(anew))
    return made


def _uses(loop: Loop, before: Sequence[Round]) -> Uses:
    """What the starting run and the arm's earlier rounds asked for."""
    files = [loop.ctx.folder.file(GENERATED), *(one.folder.file(PLANNED_ROWS) for one in before[1:])]
    rows = (read_jsonl(path, Candidate.from_dict) for path in files if path.is_file())
    return Uses.of(chain.from_iterable(rows))


def _rows(loop: Loop, before: Sequence[Round], ctx: Context, *, limit: int | None) -> TrainRows:
    """The rows of the round before and what this one adds."""
    old = before[-1].rows
    candidates = (*old.candidates, (ctx.folder.file(ACCEPTED_ROWS), limit))
    kept: tuple[LabelledRow, ...] = old.kept_errors
    if loop.settings.loop.keep_errors_in_train:
        lines = {parent.line for parent in asked_parents(ctx.folder)} | {row.line for row in kept}
        kept = tuple(row for row in loop.parts[ERROR] if row.line in lines)
    return replace(old, candidates=candidates, kept_errors=kept)


def _curate_config(loop: Loop, folder: RunFolder, before: Sequence[Round]) -> str:
    """The curate config of the starting run; near-duplicates of all earlier rows are turned away, too."""
    from confection import Config

    source = loop.ctx.config_path("curate")
    read_config(source)  # says what is wrong with it
    config = Config().from_disk(source, interpolate=False)
    earlier = [path.as_posix() for path, _ in before[-1].rows.candidates]
    earlier += [before[0].folder.file(STARTING).as_posix()] if before[0].rows.labelled else []
    for about in config.get("row_filters", {}).values():
        if isinstance(about, dict) and about.get("@misc") == REGISTERED:
            about["earlier"] = [*about.get("earlier", ()), *earlier]
    text = f"# Made by `synthesizrr loop` from {source.as_posix()}; edit that one.\n\n{config.to_str()}\n"
    path: Path = folder.file(CURATE)
    if not (path.is_file() and path.read_text(encoding="utf-8") == text):
        with atomic(path) as file:
            file.write(text)
    return path.as_posix()
