"""The step `rationales`: the teacher is asked once for the reasons and attributes from which the rows of S3 are written.

They go into a YAML file for people to edit, which is never written again: the step only reads it then, and says what is wrong with it.
Strategies without dimensions have nothing to ask, and those whose config lists all values do not need the teacher.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.dimensions import ALL, Dimension, Lists, read_values, write_values
from spacy_synthesizrr.errors import TeacherError
from spacy_synthesizrr.models.answers.responses import ResponseStore
from spacy_synthesizrr.progress import say
from spacy_synthesizrr.receipts import locked, run_step
from spacy_synthesizrr.sourcing.dimension_settings import DimensionSettings
from spacy_synthesizrr.sourcing.s3_seed import filled_dimensions, used_dimensions
from spacy_synthesizrr.sourcing.settings import PlanSettings
from spacy_synthesizrr.steps.plan_settings import plan_settings
from spacy_synthesizrr.steps.round_trip import RoundTrip
from spacy_synthesizrr.synthesis import LATER
from spacy_synthesizrr.teachers import ANSWERS, asking, pipeline_for, teacher_copies

STEP = "rationales"
FILE = "rationales.yml"
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

    RAISES (TeacherError): When one answer is no list.
    """
    found: dict[str, Lists] = {}
    failed: list[str] = []
    with ResponseStore(ctx.shared / ANSWERS) as answers, RoundTrip() as trip:
        for name, one in asked.items():
            lists: dict[str, tuple[str, ...]] = {}
            for label, read in _answers(ctx, name, one, answers, trip):
                if "texts" in read:
                    lists[label] = tuple(read["texts"])
                elif read["failed"] not in LATER:
                    failed.append(f"{_named(name, label)}: {read['failed']}" + (f" ({read['detail'][:80]})" if read["detail"] else ""))
            found[name] = lists
    missing = [_named(name, label) for name, one in asked.items() for label in _labels(ctx, one) if label not in found[name]]
    if missing:
        said = "; ".join(failed) or f"no answer for {', '.join(missing)}"
        raise TeacherError(
            f"The teacher gave no list of values for {len(missing)} of the questions: {said}. Run the step again, ask for fewer with `n`, "
            f"or write the file yourself: {values_file(ctx, plan_settings(ctx))}."
        )
    for line in _few(asked, found):
        say(line)
    return found


def _answers(
    ctx: Context, name: str, one: DimensionSettings, answers: ResponseStore, trip: RoundTrip
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """YIELDS (Tuple[str, Mapping]): Label, and what the teacher's answer came to."""
    from spacy_synthesizrr.tasks.rationale import rationale_config

    config = rationale_config(ctx.task, n=one.n or 1, dimension=name, instruction=one.instruction, by_label=one.by_label)
    nlp = pipeline_for(ctx, config, answers, stage=STEP)
    if teacher_copies(nlp):
        raise TeacherError(
            f"The strategy '{plan_settings(ctx).mode}' needs a teacher that writes without a passage; this teacher only copies. "
            "Choose another teacher with --vars.teacher NAME, or another strategy with --vars.strategy synthesizrr."
        )
    labels = _labels(ctx, one)
    with asking(nlp) as model:
        trip.join(model)
        for label, doc in zip(labels, nlp.pipe(map(nlp.make_doc, labels)), strict=True):
            yield label, doc._.synthesizrr_rationales


def _labels(ctx: Context, one: DimensionSettings) -> list[str]:
    return list(ctx.task.labels) if one.by_label else [ALL]


def _named(name: str, label: str) -> str:
    return f"'{name}' of '{label}'" if label else f"'{name}'"


def _few(asked: Mapping[str, DimensionSettings], found: Mapping[str, Lists]) -> Iterator[str]:
    for name, lists in found.items():
        wanted = asked[name].n or 0
        few = [f"{_named(name, label)} {len(texts)}" for label, texts in lists.items() if len(texts) < wanted]
        if few:
            yield f"Fewer values than the {wanted} asked for: {', '.join(few)}."
