"""What the people who review read first: made from the label definitions of the task file. On a server, Markdown in which no text
of the task means anything to the page; beside a file, the texts as they are, because nothing renders them there and labels are copied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from argilla_bridge.files.cells import is_changed
from argilla_bridge.rows import FIX, KEEP, REJECT, UNUSABLE
from argilla_bridge.settings import ReviewSettings
from argilla_bridge.showing.marking import escaped, shown
from spacy_synthesizrr.taskfile import TaskSpec

LONGEST = 10_000  # characters (argilla-server 2.8, api/schemas/v1/datasets.py)
MOST_EXAMPLES = 3
LONGEST_EXAMPLE = 400
CUT = "\n\n… (cut here: longer guidelines do not fit)"


def guidelines(task: TaskSpec, settings: ReviewSettings, examples: Mapping[str, Sequence[str]]) -> str:
    """The guidelines of a dataset.

    task (TaskSpec): Labels with verbalization and definition, text fields.
    settings (ReviewSettings): The mode.
    examples (Mapping[str, Sequence[str]]): Label → texts that have it.
    RETURNS (str): Markdown of at most 10,000 characters: with as many examples per label as fit, up to three; when the definitions
        alone are longer, cut with a note at the end.
    """
    for count in range(MOST_EXAMPLES, -1, -1):
        text = _text(task, settings, {label: texts[:count] for label, texts in examples.items()})
        if len(text) <= LONGEST:
            return text
    kept = text[: LONGEST - len(CUT)]
    return kept[: kept.rfind("\n")] + CUT  # at a line's end: half an entity would show its digits


def _text(task: TaskSpec, settings: ReviewSettings, examples: Mapping[str, Sequence[str]]) -> str:
    written = _written(settings)
    parts = [
        f"# {written(task.name)}",
        _about(task, settings),
        "## Labels",
        *_labels(task, settings, examples),
        "## How to answer",
        *_answers(task, settings),
    ]
    return "\n\n".join(parts)


def _written(settings: ReviewSettings) -> Callable[[str], str]:
    """How a text of the task stands in the guidelines."""
    return (lambda text: shown(text).replace("\n", " ")) if settings.backend == "file" else escaped


def _about(task: TaskSpec, settings: ReviewSettings) -> str:
    as_written = _written(settings)
    written = as_written(task.generated.title.rstrip(": ") or task.generated.name)
    others = " and ".join(f"**{as_written(spec.title.rstrip(': ') or spec.name)}**" for spec in task.carried)
    beside = f" Read it together with {others}: the label says how they belong together." if others else ""
    return (
        f"Each row is a text that a language model wrote: **{written}**.{beside} Say which "
        + ("label fits it." if task.exclusive else "labels fit it; several can.")
        + " Judge the text alone. The passage that it was made from and the seed are there for help"
        + ("" if settings.backend == "file" else ": words that the text copies from the passage are marked")
        + ". A suggestion is what the text was *meant* to be, and often wrong."
    )


def _labels(task: TaskSpec, settings: ReviewSettings, examples: Mapping[str, Sequence[str]]) -> list[str]:
    written, lines = _written(settings), []
    around = "`" if settings.backend == "file" else "**"  # what is to be copied stands apart from the rest
    for label, spec in task.labels.items():
        about = spec.definition or spec.verbalization
        lines.append(f"- {around}{written(label)}{around}: {written(about)}")
        lines += [f"    - For example: {written(_short(text))}" for text in examples.get(label, ())]
    return ["\n".join(lines)]


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_EXAMPLE else text[:LONGEST_EXAMPLE].rsplit(" ", 1)[0] + " …"


def _answers(task: TaskSpec, settings: ReviewSettings) -> list[str]:
    filed = settings.backend == "file"
    lines = _careful(task, filed) if settings.mode == "careful" else _cells(task) if filed else _fast(task)
    last = (_FILLED, *([_CHANGED] if any(map(is_changed, task.labels)) else [])) if filed else (_DISCARD, _ORDER)
    return ["\n".join(f"- {line}" for line in (*lines, *last))]


def _fast(task: TaskSpec) -> list[str]:
    away = f"**{UNUSABLE}** turns a row away: no label fits, it contradicts itself, or it is broken."
    if not task.exclusive:
        return ["Choose every label that fits and submit with Enter; a suggestion is chosen already.", away]
    keys = "A suggestion is chosen already: Enter takes it. The number beside another label takes that one at once."
    return [f"One key answers a row. {keys}", away]


def _cells(task: TaskSpec) -> list[str]:
    several = "" if task.exclusive else " Several stand with | between them."
    return [
        f"Write the label into the column *label*, just as it stands between the backticks above.{several} An empty cell is no answer.",
        f"**{UNUSABLE}** as the label turns a row away: no label fits, it contradicts itself, or it is broken.",
    ]


def _careful(task: TaskSpec, filed: bool) -> list[str]:
    where = "in the column *corrected*" if filed else "under *Corrected text*"
    how = "write | as its label" if filed else "choose none"
    none = "" if task.exclusive else f" When no label fits and the text is sound, {how}."
    return [
        f"**{KEEP}**: the text is good; choose its label, also where another was suggested.{none}",
        f"**{FIX}**: the text is good after a correction. Write the whole text as it should be {where}.",
        f"**{REJECT}**: the text is no good; say why. The label does not count then.",
    ]


_DISCARD = "*Discard* (Backspace) turns a row away too. *Save as draft* is no answer: only what is submitted counts."
_ORDER = "The most doubtful rows come first when the page sorts by *Priority*, descending."
_FILLED = (
    "Fill in the empty cells and leave the others. Your name in the column *user* says whose answer it is, *draft* as the *status* none."
)
_CHANGED = "A spreadsheet makes numbers or dates of some of these labels. Write a ' in front of one, as in the column *suggestion*."
