"""Set filters: they see the finished set, take rows away, and say what they know of those that stay.

They come from configs/curate.cfg. A section `[set_filters.NAME]` names a registered factory with arguments from the config
alone; the factory returns a `SetBinder`, which is bound once per arm to what only the run knows (`SetInputs`) and gives the
filter, or `SwitchedOff` with the reason:

    make_match_distribution(to="train")      # what the .cfg says
        -> SetBinder.bind(SetInputs(...))    # what the run knows
            -> filter(rows)                  # one verdict per row, in the rows' order; the rows can be read again and again

Filters run one after the other; each sees what the ones before it left, with the labels, weights and events that they gave.
Between two filters the rows lie on disk, so that memory does not grow with them.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

from spacy_synthesizrr.candidates import ACCEPTED, REJECTED, Candidate, Event
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.curation.chain import build_filter
from spacy_synthesizrr.curation.verdicts import SwitchedOff, Verdict
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.jsonl import atomic, dumps, read_jsonl
from spacy_synthesizrr.labelled import LabelledRow, read_rows
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.taskfile import TaskSpec

SET_FILTERS, STEP = "set_filters", "curate"
WORK = ".curating.part"  # folder beside the rows while they are judged; cleared away when a run was killed
SAID = "said"  # key of what a filter tells: a sentence for the console
UNFINISHED = "unfinished"  # and whether it may do better when it is asked again, as some teacher did not answer
MAY_READ = ("seeds", "dev", "train")  # no filter sees test


@dataclass(frozen=True)
class Rows:
    """The candidates of a file; can be read again and again, and keeps none in memory."""

    path: Path

    def __iter__(self) -> Iterator[Candidate]:
        return read_jsonl(self.path, Candidate.from_dict)


SetFilter: TypeAlias = Callable[[Rows], Iterator[Verdict]]


@runtime_checkable
class Tells(Protocol):
    """A set filter that has more to say than its verdicts."""

    def told(self) -> dict[str, Any]:
        """RETURNS (dict): For curation.json and the report, after all rows were judged: plain JSON without texts. `SAID` and `UNFINISHED`
        are read by the step.
        """


@dataclass(frozen=True)
class SetInputs:
    """What a set filter can only learn from the run.

    ctx (Context): The run: task, seed, language, configs of teacher and student.
    arm (str): "main" or the name of a control.
    folder (Path): Of the arm, for what a filter keeps from one try to the next.
    lookup (Lookup): Texts of passages and seeds; its store knows the embedder of the index.
    """

    ctx: Context
    arm: str
    folder: Path
    lookup: Lookup

    @property
    def task(self) -> TaskSpec:
        """RETURNS (TaskSpec): Labels and fields."""
        return self.lookup.task

    def gold(self, kind: str) -> Iterator[LabelledRow]:
        """Stream one of the task's labelled files.

        kind (str): One of `MAY_READ`; a file that the task does not name has no rows.
        """
        if kind not in MAY_READ:
            raise ValueError(f"A set filter may read {', '.join(MAY_READ)} (was: {kind}).")
        return read_rows(self.task, kind) if self.task.file(kind) else iter(())  # type: ignore[arg-type]


@dataclass(frozen=True)
class SetBinder:
    """What a factory of a set filter returns.

    bind (Callable): Makes the filter for one arm of a run, or says why it does not run.
    configs (Tuple[str, ...]): Kinds of config, such as "teacher", on which its verdicts rest: `curate` is done again when one changes.
    files (Tuple[Path, ...]): Other files on which they rest.
    """

    bind: Callable[[SetInputs], SetFilter | SwitchedOff]
    configs: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()


def read_set_filters(config: Mapping[str, Any], *, path: Path | str = "") -> dict[str, SetBinder]:
    """Build the set filters of a config in the order of their sections [set_filters.*]; none is fine.

    RAISES (ConfigError): When a section names or describes a filter that cannot be built.
    """
    sections = config.get(SET_FILTERS) or {}
    if not isinstance(sections, dict):
        raise ConfigError(f"{path}: '{SET_FILTERS}' must be a section (was: {sections!r}).")
    return {name: _built(sections, name, path) for name in sections}


def _built(sections: dict[str, Any], name: str, path: Path | str) -> SetBinder:
    made: SetBinder = build_filter(sections, name, kind=SET_FILTERS, path=path, fits=lambda found: isinstance(found, SetBinder))
    return made


@dataclass(frozen=True)
class Curated:
    """What set filters left.

    kept (Rows): The rows that stay.
    gone (Tuple[Rows, ...]): Those that each filter took away, with the reason in their last event.
    told (dict): What each filter that ran says of itself; its name and `kind` at least.
    off (Tuple[str, ...]): A sentence for each filter that does not run.
    """

    kept: Rows
    gone: tuple[Rows, ...]
    told: dict[str, Any]
    off: tuple[str, ...]


@contextlib.contextmanager
def curated(rows: Path, binders: Mapping[str, SetBinder], inputs: SetInputs, *, kinds: Mapping[str, str]) -> Iterator[Curated]:
    """Run set filters one after the other over a finished set.

    rows (Path): A JSONL file of candidates; it is not changed.
    kinds (Mapping[str, str]): The registered name behind each section.
    YIELDS (Curated): Its files are removed when the block ends.
    RAISES (ConfigError): When a filter gives more or fewer verdicts than there are rows.
    """
    work = inputs.folder / WORK
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    kept, gone, told, off = rows, list[Rows](), dict[str, Any](), list[str]()
    try:
        for number, (name, binder) in enumerate(binders.items()):
            judge = binder.bind(inputs)
            if isinstance(judge, SwitchedOff):
                off.append(f"The set filter '{name}' is off: {judge.reason}.")
                continue
            stays, goes = (work / f"{number}.{what}.jsonl" for what in ("kept", "gone"))
            _run(name, judge, Rows(kept), stays, goes)
            kept, gone = stays, [*gone, Rows(goes)]
            told[name] = {"kind": kinds[name], **(judge.told() if isinstance(judge, Tells) else {})}
        yield Curated(Rows(kept), tuple(gone), told, tuple(off))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _run(name: str, judge: SetFilter, rows: Rows, stays: Path, goes: Path) -> None:
    with atomic(stays) as kept, atomic(goes) as gone:
        for row, verdict in _pairs(rows, judge(rows), name):
            after = judged(row, verdict, name)
            (kept if after.status == ACCEPTED else gone).write(dumps(after.to_dict()) + "\n")


def _pairs(rows: Rows, verdicts: Iterator[Verdict], name: str) -> Iterator[tuple[Candidate, Verdict]]:
    for number, row in enumerate(rows, 1):
        verdict = next(verdicts, None)
        if verdict is None:
            raise ConfigError(f"The set filter '{name}' gave {number - 1} verdicts and no more: it owes one for each row.")
        yield row, verdict
    if next(verdicts, None) is not None:
        raise ConfigError(f"The set filter '{name}' gave more verdicts than there are rows: it owes one for each.")


def judged(row: Candidate, verdict: Verdict, name: str) -> Candidate:
    """A row after a set filter.

    name (str): Of the filter.
    RETURNS (Candidate): As it was when the verdict says nothing but that it stays; else with one more event.
    RAISES (ConfigError): When the verdict has a new text.
    """
    if verdict.text is not None:
        raise ConfigError(f"The set filter '{name}' gave the row {row.id} a new text. Texts are mended by row filters, in `synthesize`.")
    score = {} if verdict.score is None else {"score": verdict.score}
    if not verdict.accepted:
        return row.after(Event(STEP, REJECTED, verdict.reason or name, {"filter": name, **score, **verdict.detail}))
    changes: dict[str, Any] = {}
    if verdict.labels is not None:
        changes["labels"] = verdict.labels
    if verdict.weight is not None:
        changes["weight"] = verdict.weight
    detail = {**score, **verdict.detail}
    return row.after(Event(STEP, ACCEPTED, "", {"filter": name, **detail}), **changes) if changes or detail else row
