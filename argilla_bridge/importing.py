"""A dataset that people answered before, of whatever origin, as labelled rows that a task file can name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from argilla_bridge.rounds.deciding import decide, newest
from argilla_bridge.rows import SUBMITTED, Vote
from argilla_bridge.settings import ReviewSettings
from argilla_bridge.showing.marking import unescaped
from spacy_synthesizrr.candidates import ROW_VERSION, digest
from spacy_synthesizrr.errors import InputError, choices
from spacy_synthesizrr.stores.passages import Seen, hash_text
from spacy_synthesizrr.taskfile import TaskSpec
from spacy_synthesizrr.words import comparable

KINDS = ("seeds", "dev", "train")
LABEL_COLUMN = "label"
_MAJORITY = ReviewSettings(ties="drop")


@dataclass(frozen=True)
class Answered:
    """A row of a dataset with what people said of it.

    fields (Mapping[str, str]): Its texts by name.
    votes (Sequence[Vote]): Their answers to one question, of any status.
    """

    fields: Mapping[str, str]
    votes: Sequence[Vote]


@dataclass
class Imported:
    """What became of the rows.

    rows (int): Written.
    labels (Counter): Written rows per label.
    unanswered (int): Nobody submitted an answer.
    undecided (int): No label has more than half of the answers.
    foreign (Counter): Rows left out because the task does not have the label that won.
    empty (int): A text is missing.
    repeated (int): The same texts came before.
    """

    rows: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0
    undecided: int = 0
    foreign: Counter[str] = field(default_factory=Counter)
    empty: int = 0
    repeated: int = 0

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): Plain JSON."""
        return {name: dict(value) if isinstance(value, Counter) else value for name, value in vars(self).items()}

    def lines(self) -> list[str]:
        """RETURNS (List[str]): What was left out and why, for people."""
        left = (
            (self.unanswered, "that nobody answered"),
            (self.undecided, "without a label that more than half chose"),
            (self.empty, "with an empty text"),
            (self.repeated, "whose text came before"),
        )
        foreign = [
            f"{count:,} rows left out: the task has no label '{label}'. Give it one with: --rename '{label}=LABEL'"
            for label, count in sorted(self.foreign.items())
        ]
        return [f"{count:,} rows left out {why}." for count, why in left if count] + foreign


def imported_rows(
    records: Iterable[Answered],
    *,
    task: TaskSpec,
    fields: Mapping[str, str],
    done: Imported,
    renames: Mapping[str, str] | None = None,
    ours: bool = False,
) -> Iterator[dict[str, Any]]:
    """Turn answered rows into labelled ones, by what more than half of the submitted answers say.

    records (Iterable[Answered]): Read once, in a stream.
    task (TaskSpec): Its labels and text fields.
    fields (Mapping[str, str]): Text field of the task → field of the dataset, see `field_pairs`.
    done (Imported): Is filled in as the rows go by.
    renames (Mapping[str, str]): Label of the dataset → label of the task, where they differ.
    ours (bool): Whether `push` made the dataset, so that its texts are escaped.
    YIELDS (dict): Rows for a file that the task file names with nothing but its path (see `rows_spec`).
    """
    seen = Seen()
    for record in records:
        labels, corrected = _chosen(record, task, renames or {}, done)
        if not labels:
            continue
        texts = {name: (record.fields.get(source) or "").strip() for name, source in fields.items()}
        texts = {name: unescaped(text).strip() for name, text in texts.items()} if ours else texts
        if corrected:
            texts[task.generated.name] = corrected
        if not all(texts.values()):
            done.empty += 1
        elif not seen.first_time([hash_text(digest(*(comparable(text) for text in texts.values())))])[0]:
            done.repeated += 1
        else:
            done.rows += 1
            done.labels.update(labels)
            yield {"v": ROW_VERSION, **texts, label_column(task): labels[0] if task.exclusive else list(labels)}


def field_pairs(task: TaskSpec, given: Sequence[str], there: Iterable[str]) -> dict[str, str]:
    """Which field of a dataset holds which text of the task.

    given (Sequence[str]): "FIELD" in a task with one text field, else "TASK_FIELD=FIELD" for each; a field of the task's own name
        need not be given.
    there (Iterable[str]): The dataset's fields.
    RETURNS (Dict[str, str]): Text field of the task → field of the dataset, in the order of the task.
    RAISES (InputError): For a name that is not there, or a text field without one.
    """
    names, there = [spec.name for spec in task.fields], list(there)
    found: dict[str, str] = {}
    for part in given:
        name, equals, source = part.partition("=")
        if not equals:
            if len(names) > 1:
                cure = f"Write --field NAME={part} with the text field of the task as NAME. {choices('', names)}"
                raise InputError(f"This task has {len(names)} text fields, and '--field {part}' does not say which.", cure=cure)
            name, source = names[0], part
        if name not in names:
            raise InputError(f"The task has no text field '{name}'.", path=task.path, cure=choices(name, names))
        found[name] = source
    pairs = {name: found.get(name, name) for name in names}
    for name, source in pairs.items():
        if source not in there:
            how = f"--field {source}" if name in found else f"no --field for the text field '{name}'"
            raise InputError(f"The dataset has no field '{source}' ({how}).", cure=choices(source, there))
    return pairs


def label_pairs(task: TaskSpec, given: Sequence[str]) -> dict[str, str]:
    """RETURNS (Dict[str, str]): Label of the dataset → label of the task, from "OLD=NEW" each.

    RAISES (InputError): When one is not of that form, or the task has no such label.
    """
    found: dict[str, str] = {}
    for part in given:
        # a label may hold "=": the longest label of the task at the end counts
        ends = [label for label in task.labels if part.endswith(f"={label}")]
        if not ends:
            label = part.rpartition("=")[2]
            raise InputError(
                f"'--rename {part}' names no label of the task.", path=task.path, cure=f"Write OLD=NEW. {choices(label, task.labels)}"
            )
        new = max(ends, key=len)
        found[part[: -len(new) - 1]] = new
    return found


def label_column(task: TaskSpec) -> str:
    """RETURNS (str): The column of the labels: "label", unless a text field has that name."""
    column = LABEL_COLUMN
    while column in {spec.name for spec in task.fields}:
        column += "_"
    return column


def rows_spec(task: TaskSpec, kind: str, path: str) -> str:
    """RETURNS (str): The line that the task file needs to name the imported rows."""
    column = label_column(task)
    return f"{kind}: {{path: {path}}}" if column == LABEL_COLUMN else f"{kind}: {{path: {path}, label: {column}}}"


def _chosen(record: Answered, task: TaskSpec, renames: Mapping[str, str], done: Imported) -> tuple[tuple[str, ...], str]:
    """What more than half of the people chose, under the task's names for labels.

    RETURNS (Tuple[Tuple[str, ...], str]): Labels in the order of the task, none where the row is left out; the corrected text, empty
        where the text stands.
    """
    submitted = [_renamed(vote, renames) for vote in record.votes if vote.status == SUBMITTED]
    if not submitted:
        done.unanswered += 1
        return (), ""
    decision = decide(submitted, None, _MAJORITY)
    # the most frequent answer decides a row of a run; as gold, a label needs more than half
    people = newest(submitted)
    won = {label for label in decision.labels if 2 * sum(label in vote.labels and not vote.rejects for vote in people) > len(people)}
    unknown = sorted(label for label in won if label not in task.labels)
    if unknown:
        done.foreign.update(unknown)
        return (), ""
    if not won or won != set(decision.labels) or (task.exclusive and len(won) > 1):
        done.undecided += 1
        return (), ""
    return tuple(label for label in task.labels if label in won), decision.text


def _renamed(vote: Vote, renames: Mapping[str, str]) -> Vote:
    """Two labels that become one agree."""
    return replace(vote, labels=tuple(dict.fromkeys(renames.get(label, label) for label in vote.labels)))
