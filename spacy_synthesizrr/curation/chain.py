"""A list of row filters is a row filter; it is read from the sections [row_filters.*] of a config."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.configs import build
from spacy_synthesizrr.curation.verdicts import ACCEPT, BEFORE, REPAIRED, Binder, FilterInputs, Remembers, RowFilter, SwitchedOff, Verdict
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.taskfile import TaskSpec

ROW_FILTERS = "row_filters"


class Chain:
    """Row filters in order: the first that turns a row away says why.

    filters (Iterable[RowFilter]): A chain among them is taken apart, so that only the outermost one lets filters remember.
    field (str): Name of the generated field, which a filter may mend.
    """

    def __init__(self, filters: Iterable[RowFilter], *, field: str = "text") -> None:
        self.field = field
        self.filters: list[RowFilter] = []
        for item in filters:
            self.filters.extend(item.filters if isinstance(item, Chain) else [item])

    def __call__(self, candidate: Candidate, text: str, passage: str) -> Verdict:
        """Judge a row, and let the filters remember it when all accept it. See `RowFilter`.

        A filter that mends the text hands it on mended: the filters after it, and those that remember, see what the row will say.
        RETURNS (Verdict): The first rejection, or all that was mended in one; either knows the text that the teacher wrote.
        """
        written, mended, detail = text, list[str](), dict[str, Any]()
        for judge in self.filters:
            verdict = judge(candidate, text, passage)
            if verdict.text is not None:
                text = verdict.text
                candidate = replace(candidate, fields={**candidate.fields, self.field: text})
                mended.append(str(verdict.detail[REPAIRED]))
            detail |= {key: value for key, value in verdict.detail.items() if key != REPAIRED}
            if mended:
                detail |= {REPAIRED: mended, BEFORE: written}
            if not verdict.accepted:
                return replace(verdict, detail=detail)
        for judge in self.filters:
            if isinstance(judge, Remembers):
                judge.remember(candidate, text)
        return Verdict(True, detail=detail, text=text if mended else None) if detail else ACCEPT


def read_row_filters(
    config: dict[str, Any],
    task: TaskSpec,
    seeds: Iterable[str],
    *,
    copies: bool,
    gold: Sequence[str] = (),
    lang: str = "en",
    path: Path | str = "",
) -> tuple[Chain, list[str]]:
    """Build the row filters of a config in the order of their sections.

    config (dict): A parsed .cfg with the section [row_filters]; an empty one means no filters.
    seeds (Iterable[str]): What the seeds of the run say in the generated field.
    copies (bool): Whether the teacher only copies from its passage: then near-copies are what was asked for.
    gold (Sequence[str]): Every text field of every dev and test row, which no accepted row may give away.
    lang (str): Language of the texts, a code of spaCy.
    path (Path): The config's file, for messages.
    RETURNS (Tuple[Chain, List[str]]): The filter to call, and a sentence for each filter that does not run.
    RAISES (ConfigError): When the section is missing, or names or describes a filter that cannot be built.
    """
    sections = config.get(ROW_FILTERS)
    if not isinstance(sections, dict):
        raise ConfigError(f"{path}: the section [{ROW_FILTERS}] is missing. Leave it empty to accept every row.")
    inputs = FilterInputs(task, tuple(seeds), copies, tuple(gold), lang)
    running: list[RowFilter] = []
    off: list[str] = []
    for name in sections:
        bind: Binder = build_filter(sections, name, kind=ROW_FILTERS, path=path)
        made = bind(inputs)
        if isinstance(made, SwitchedOff):
            off.append(f"The filter '{name}' is off: {made.reason}.")
        else:
            running.append(made)
    return Chain(running, field=task.generated.name), off


def build_filter(sections: dict[str, Any], name: str, *, kind: str, path: Path | str, fits: Callable[[Any], bool] = callable) -> Any:
    """Build what one section [kind.name] describes.

    fits (Callable): Whether what was made can be a filter of this kind.
    RAISES (ConfigError): When it names no registered factory, or the factory refuses its arguments.
    """
    where = f"{path}: [{kind}]"
    if not isinstance(sections[name], dict):
        raise ConfigError(f"{where} '{name}' is no section (was: {sections[name]!r}). Write [{kind}.{name}] with a line @misc = \"...\".")
    made = build(sections, name, path=where)
    if not fits(made):
        raise ConfigError(f"{where} '{name}' describes no filter (it made: {type(made).__name__}). Name one with a line @misc = \"...\".")
    return made
