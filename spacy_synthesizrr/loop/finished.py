"""A round of a loop as its folder tells it, once it is finished: nothing here writes, trains or asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.context import PARENTS, Context
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.jsonl import read_json, read_jsonl
from spacy_synthesizrr.labelled import LabelledRow
from spacy_synthesizrr.loop.errors import Errors, ErrorSettings, find_errors
from spacy_synthesizrr.loop.folder import ABOUT, MADE, PARTS, PREDICT, START, rounds_of
from spacy_synthesizrr.loop.parents import Parent, read_parents
from spacy_synthesizrr.loop.predictions import PREDICTIONS, Prediction, join, read_predictions
from spacy_synthesizrr.loop.settings import LOOP
from spacy_synthesizrr.loop.split import ERROR, read_part
from spacy_synthesizrr.models.answers.budget import Price, make_price
from spacy_synthesizrr.models.answers.prices import TABLE, priced
from spacy_synthesizrr.receipts import RunFolder, fresh
from spacy_synthesizrr.steps.evaluate import ANSWERS
from spacy_synthesizrr.students.arms import MAIN
from spacy_synthesizrr.students.scores import LabelSet
from spacy_synthesizrr.taskfile import TASK_FILE, TaskSpec, read_task

NEEDED = ("export.json", "student.json", PREDICTIONS)


@dataclass(frozen=True)
class Asked:
    """What a loop was asked for, and the labelled rows that it has.

    about (Mapping): loop.json. task (TaskSpec): That of its rounds.
    parts (Mapping[str, Sequence[LabelledRow]]): The rows of the error and the selection part; the same ones where nothing was split.
    """

    folder: Path
    about: Mapping[str, Any]
    task: TaskSpec
    parts: Mapping[str, Sequence[LabelledRow]]

    @classmethod
    def read(cls, folder: Path) -> Asked:
        """RAISES (InputError): When the folder holds no loop."""
        about = read_json(folder / ABOUT, cure="This folder holds no loop; `synthesizrr loop` makes one.")
        task = read_task(folder / TASK_FILE)
        return cls(folder, about, task, {name: read_part(folder / file, task) for name, file in PARTS.items()})

    @property
    def settings(self) -> Mapping[str, Any]:
        """RETURNS (Mapping): The values of its config, by section."""
        return cast(Mapping[str, Any], self.about["settings"])

    @property
    def arms(self) -> tuple[str, ...]:
        """RETURNS (Tuple[str, ...]): The loop, and the controls that were asked for."""
        return (LOOP, *self.settings["loop"]["controls"])

    @property
    def not_run(self) -> Mapping[str, str]:
        """RETURNS (Mapping[str, str]): Controls that could not be run, and why."""
        return cast(Mapping[str, str], self.about.get("not_run", {}))

    @property
    def split(self) -> bool:
        """RETURNS (bool): Whether the rows that choose the round are others than those whose errors are extrapolated."""
        return self.settings["split"]["share"] is not None

    @cached_property
    def errors(self) -> ErrorSettings:
        """RETURNS (ErrorSettings): What counts as an error."""
        return ErrorSettings(**self.settings["errors"])


@dataclass(frozen=True)
class Answers:
    """What the students of a round say of labelled rows.

    lines (Sequence[int]): Of the user's file. gold (Sequence[LabelSet]): One label set per row.
    answers (Sequence[Sequence[LabelSet]]): Per student, one label set per row.
    scores (Sequence[Sequence[float]]): Of question answering, where label sets say nothing: per student the F1 of each row.
    """

    lines: Sequence[int]
    gold: Sequence[LabelSet]
    answers: Sequence[Sequence[LabelSet]]
    scores: Sequence[Sequence[float]] = ()


@dataclass(frozen=True)
class Round:
    """One finished round of an arm.

    arm (str): Whose. number (int): 0 is the start, which all arms share.
    """

    asked: Asked
    arm: str
    number: int
    folder: RunFolder

    @cached_property
    def exported(self) -> dict[str, Any]:
        """RETURNS (dict): export.json."""
        return dict(read_json(self.folder.file("export.json")))

    @cached_property
    def report(self) -> dict[str, Any]:
        """RETURNS (dict): student.json."""
        return dict(read_json(self.folder.file("student.json")))

    @property
    def trained(self) -> dict[str, Any]:
        """RETURNS (dict): The main arm in student.json."""
        return next(dict(arm) for arm in self.report["arms"] if arm["name"] == MAIN)

    @property
    def labels(self) -> tuple[str, ...]:
        """RETURNS (Tuple[str, ...]): Of the task."""
        return tuple(self.exported["labels"])

    @property
    def score(self) -> float:
        """RETURNS (float): On the selection part, by which rounds are chosen: mean over training seeds."""
        return float(self.trained["dev"]["mean"])

    @property
    def rows(self) -> int:
        """RETURNS (int): Of the train set."""
        return next(int(arm["rows"]) for arm in self.exported["arms"] if arm["name"] == MAIN)

    @property
    def chosen(self) -> int:
        """RETURNS (int): Training seed of the student that was chosen among those of the round."""
        return int(self.report["chosen"]["seed"])

    @cached_property
    def predicted(self) -> dict[str, dict[int, list[Prediction]]]:
        """RETURNS (dict): What each student says, by part and training seed, in the order of the part's rows."""
        return read_predictions(self.folder.file(PREDICTIONS), self.asked.parts)

    def joined(self, part: str) -> list[Prediction]:
        """RETURNS (List[Prediction]): One answer per row of a part: the one that counts where errors are looked for."""
        return join(self.predicted[part], by=self.asked.errors.by, chosen=self.chosen)

    def errors(self) -> Errors:
        """RETURNS (Errors): Those of its students by the loop's criterion; the next round begins with them."""
        return find_errors(self.joined(ERROR), self.asked.errors)

    def answers(self, part: str) -> Answers:
        """RETURNS (Answers): What its students say of a part."""
        students = list(self.predicted[part].values())
        gold = [one.labels for one in students[0]]
        scores = [[one.score for one in student] for student in students] if self.asked.task.answer else []
        return Answers([one.line for one in students[0]], gold, [[one.predicted for one in student] for student in students], scores)

    def candidates(self, name: str) -> Iterator[Candidate]:
        """YIELDS (Candidate): The rows of accepted.jsonl, generated.jsonl or such; none where there is no such file."""
        path = self.folder.file(name)
        yield from read_jsonl(path, Candidate.from_dict) if path.is_file() else ()

    def seconds(self, *steps: str) -> float:
        """RETURNS (float): What some steps, or all, took when they were last done."""
        path = self.folder.file("timings.jsonl")
        last = {row["step"]: float(row["seconds"]) for row in (read_jsonl(path, dict) if path.is_file() else ())}
        return sum(took for step, took in last.items() if not steps or step in steps)

    def parents(self) -> dict[str, Parent]:
        """RETURNS (Dict[str, Parent]): The labelled rows that this round wrote after, by the id of their seed; none of more seed rows."""
        given = self.inputs.get("files", {}).get(PARENTS)
        return {parent.seed.id: parent for parent in read_parents(self.folder.file(Path(given["path"]).name))} if given else {}

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """RETURNS (dict): inputs.json; empty where `prepare` was not needed."""
        path = self.folder.file("inputs.json")
        return dict(read_json(path)) if path.is_file() else {}

    def turned_away(self) -> dict[str, int]:
        """RETURNS (Dict[str, int]): Reason → rows that failed or were turned away, the most frequent first."""
        path = self.folder.file("funnel.json")
        total = read_json(path)["total"] if path.is_file() else {}
        found = Counter({f"failed: {reason}": int(count) for reason, count in total.get("failed", {}).items()})
        for reasons in total.get("rejected", {}).values():
            found.update({reason: int(count) for reason, count in reasons.items()})
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def price(self) -> Price:
        """RETURNS (Price): Of its teacher by the config; not known where nothing says so."""
        if "teacher" not in self.inputs.get("configs", {}):
            return Price()
        ctx = Context(self.folder, self.inputs)
        path = ctx.config_path("teacher")
        if not path.is_file():
            return Price()
        config = ctx.config("teacher")
        block: Mapping[str, Any] = config.get("teacher") or {}
        given = dict(block.get("price") or config.get("price") or {})
        try:
            if given.get(TABLE):
                given = priced(given, model=str(block.get("model", "")), url=str(block.get("base_url", "")), where=str(path))
            return make_price({key: value for key, value in given.items() if key != TABLE}, where=str(path))
        except ConfigError:  # the table does not know the model: that is for the teacher to say
            return Price()

    @cached_property
    def tested(self) -> Answers | None:
        """RETURNS (Answers | None): What its students say of the test set; None where it was not tested."""
        path = self.folder.file(ANSWERS)
        older = self.folder.receipt_path("evaluate").is_file() and not fresh(self.folder, "evaluate")
        if older or not (path.is_file() and self.folder.file("evaluation.json").is_file()):
            return None
        lines, gold, answers, scores = list[int](), list[LabelSet](), list[list[LabelSet]](), list[list[float]]()
        for row in read_jsonl(path, dict):
            lines.append(int(row["line"]))
            gold.append(tuple(row["gold"]))
            answers.append([tuple(answer) for answer in row["arms"][MAIN]])
            scores.append(list(row["scores"][MAIN]) if self.asked.task.answer else [])
        by_student = [list(student) for student in zip(*answers, strict=True)]
        return Answers(lines, gold, by_student, [list(student) for student in zip(*scores, strict=True)]) if gold else None


def start_of(asked: Asked) -> Round | None:
    """RETURNS (Round | None): Round 0 of a loop; None where it is not finished."""
    return _finished(asked, "", 0, RunFolder(asked.folder / START))


def finished_rounds(asked: Asked, arm: str) -> list[Round]:
    """RETURNS (List[Round]): The rounds of an arm that are finished, from the first; those behind one that is not do not count, nor
    those that an earlier loop left: one of more rounds, one of other settings, or one whose control could be run.
    """
    found: list[Round] = []
    made = asked.about.get(MADE)  # older versions noted nothing
    most = asked.settings["loop"]["rounds"] if made is None else made.get(arm, 0)
    for run in rounds_of(asked.folder, arm)[: int(most)]:
        one = _finished(asked, arm, len(found) + 1, run)
        if one is None or run.path.name != f"{arm}-{one.number}":
            break
        found.append(one)
    return found


def _finished(asked: Asked, arm: str, number: int, run: RunFolder) -> Round | None:
    older = run.receipt_path(PREDICT).is_file() and not fresh(run, PREDICT)
    return Round(asked, arm, number, run) if not older and all(run.file(name).is_file() for name in NEEDED) else None
