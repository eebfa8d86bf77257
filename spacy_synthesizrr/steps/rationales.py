"""The step `rationales`: the teacher is asked for the reasons and attributes from which the rows of S3 are written.

They go into a YAML file for people to edit, which is never written again: the step only reads it then, and says what is wrong with it.
Strategies without dimensions have nothing to ask, and those whose config lists all values do not need the teacher.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.dimensions import Dimension, Lists, read_values, shared_values, without_shared, write_values
from spacy_synthesizrr.errors import TeacherError
from spacy_synthesizrr.progress import say
from spacy_synthesizrr.receipts import locked, run_step
from spacy_synthesizrr.sourcing.dimension_settings import DimensionSettings
from spacy_synthesizrr.sourcing.s3_seed import filled_dimensions, used_dimensions
from spacy_synthesizrr.sourcing.settings import PlanSettings
from spacy_synthesizrr.steps.asked_values import STEP, Question, ask
from spacy_synthesizrr.steps.plan_settings import plan_settings
from spacy_synthesizrr.tasks.words import join_phrases

FILE = "rationales.yml"
TOLD = 5  # shared values of a dimension that are told one by one
ABOUT = """What the prompts of this run are written from. Edit it as you like: take out what does not fit its label or fits another one too,
put in what is missing. It is never written again; `plan` reads it anew each time."""


def run(ctx: Context) -> bool:
    """Write the file of values, unless it is there.

    RETURNS (bool): Whether the teacher was asked, or the values are others than before.
    RAISES (InputError): With file and line, when the file is not right.
    RAISES (TeacherError): When the teacher gives no list, or only copies.
    RAISES (WaitsForAnswers): When the teacher answers in a later run.
    """
    settings = plan_settings(ctx)
    asked = _asked(settings, ctx)
    path = values_file(ctx, settings)
    filled_dimensions(settings, ctx.task, dict.fromkeys(asked, {}))  # what the config lists is wrong or right before anything is paid
    written = bool(asked) and not path.is_file()
    if written:
        with locked(ctx.folder):
            write_values(path, _ask(ctx, asked), about=ABOUT)
        say(f"Look at {path} before you go on: all rows will be written from it. It is yours to edit.")
    found = dimensions_of(ctx, settings)
    for line in _remarks((one for one in found if not (written and one.name in asked)), settings, path):
        say(line)
    counts = {"dimensions": {one.name: one.size for one in found}, "values": fingerprint_of(found)}
    done = run_step(ctx.folder, STEP, after=(), settings=counts, outputs=(), body=lambda: counts)
    return bool(found) and (written or done)


def values_file(ctx: Context, settings: PlanSettings) -> Path:
    """RETURNS (Path): Where the values of a run stand; from the project folder, or in the run's own."""
    return Path(settings.rationales) if settings.rationales else ctx.folder.file(FILE)


def dimensions_of(ctx: Context, settings: PlanSettings) -> list[Dimension]:
    """The dimensions of a run with all their values; none for strategies that have none.

    RAISES (InputError): When the file with the values is missing, or not right.
    RAISES (ConfigError): For values in the config that are not right.
    """
    asked = _asked(settings, ctx)
    path = values_file(ctx, settings)
    known = {name: one.per_row for name, one in asked.items()}
    return filled_dimensions(settings, ctx.task, read_values(path, known=known, labels=ctx.task.labels) if asked else {})


def fingerprint_of(dimensions: list[Dimension]) -> str:
    """RETURNS (str): One hash of dimensions with their values; empty without any."""
    rows = [[one.name, one.header, one.per_row, {label: list(texts) for label, texts in one.lists.items()}] for one in dimensions]
    return digest(json.dumps(rows, ensure_ascii=False)) if rows else ""


def _asked(settings: PlanSettings, ctx: Context) -> dict[str, DimensionSettings]:
    return {name: one for name, one in used_dimensions(settings, ctx.task).items() if one.values is None}


def _ask(ctx: Context, asked: Mapping[str, DimensionSettings]) -> dict[str, Lists]:
    """Ask for the values of all dimensions; answers are kept, so that nothing is paid twice.

    RAISES (TeacherError): When there is no list for a label.
    """
    questions = ask(ctx, asked)
    if without := [question for question in questions if question.lost or not question.texts]:
        raise TeacherError(_no_list(without, values_file(ctx, plan_settings(ctx))))
    found: dict[str, Lists] = {}
    for name, one in asked.items():
        given = {question.label: tuple(question.texts) for question in questions if question.dimension == name}
        found[name], told = (given, []) if one.shared else _apart(name, given, least=one.per_row)
        for line in told:
            say(line)
    for line in _few(questions, found):
        say(line)
    return found


def _no_list(without: list[Question], path: Path) -> str:
    """Why there is no file. Another run asks what got no answer; what was answered it would read from the store again."""
    lost = [question for question in without if question.lost]
    read = [question for question in without if not question.lost]
    said = []
    if lost:
        said.append(f"The teacher did not answer {len(lost)} of the questions: {'; '.join(question.told() for question in lost)}.")
        capped = any(question.failed == "budget" for question in lost)
        said.append(f"{'Raise the cap in [teacher.budget] and run' if capped else 'Run'} the step again; what was answered is kept.")
    if read:
        said.append(
            f"The teacher gave no list of values for {len(read)} of the questions: {'; '.join(question.told() for question in read)}."
        )
        said.append(f"Running the step again is no cure: {', '.join(_cures(read))}, or write the file yourself: {path}.")
    return " ".join(said)


def _cures(read: list[Question]) -> Iterator[str]:
    if any(not question.repeats and not question.hopeless for question in read):
        yield "raise `draws`"
    if any(question.repeats for question in read):
        yield "ask in other words with `instruction` or at a higher temperature, since the teacher says the same each time"
    yield "ask for fewer with `n`"


def _few(questions: list[Question], found: Mapping[str, Lists]) -> Iterator[str]:
    for name, lists in found.items():
        counts = [(one, len(lists[one.label])) for one in questions if one.dimension == name]
        if few := [f"{one.name} {count}" for one, count in counts if count < one.wanted]:
            yield f"Fewer values than the {counts[0][0].wanted} asked for: {', '.join(few)}."


def _apart(name: str, given: Lists, *, least: int) -> tuple[Lists, list[str]]:
    """RETURNS (Tuple[Lists, List[str]]): Values without those that labels share, and what became of these, for people."""
    found, gone = without_shared(given, least=least)
    if common := [label for label, texts in given.items() if 2 * len(found[label]) < len(texts)]:
        return given, [
            f"More than half of the values of '{name}' that were given for {join_phrases(common)} were given for other labels too, so none "
            f"is left out. Where labels share them by nature, set by_label = false in [plan.dimensions.{name}]."
        ]
    return found, list(_shared(name, given, gone))


def _shared(name: str, given: Lists, gone: list[str]) -> Iterator[str]:
    """What became of values that the teacher gave for several labels."""
    lines = []
    for text, labels in shared_values(given).items():
        kept = f"stays: one of them would have too few values of '{name}' without it"
        lines.append(f"'{text}' was given for {join_phrases(labels)} and {'is left out' if text in gone else kept}.")
    yield from _first(lines)


def _remarks(dimensions: Iterable[Dimension], settings: PlanSettings, path: Path) -> Iterator[str]:
    """What people wrote for several labels. It may be meant, so it stays."""
    for one in dimensions:
        about = settings.dimensions[one.name]
        where = str(path) if about.values is None else f"[plan.dimensions.{one.name}] values"
        lines = [f"{where}: '{text}' stands there for {join_phrases(labels)}." for text, labels in shared_values(one.lists).items()]
        if lines and not about.shared:
            yield from _first(lines)
            yield (
                f"A row that is written from such a value of '{one.name}' may fit either label. Leave the value to one of them, or set "
                f"shared = true in [plan.dimensions.{one.name}] if it is meant."
            )


def _first(lines: list[str]) -> Iterator[str]:
    yield from lines[:TOLD]
    if len(lines) > TOLD:
        yield f"… and {len(lines) - TOLD} more such values."
