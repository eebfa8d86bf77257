"""The card of the rows as a data set: Markdown with the front matter that the Hugging Face hub reads, from the report's numbers.

It holds no passage, seed or row, no path of a machine and no secret; whatever comes from the user's files is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from spacy_synthesizrr.context import config_name
from spacy_synthesizrr.report.findings import BASELINES
from spacy_synthesizrr.report.money import money, per_row
from spacy_synthesizrr.students.arms import MAIN
from spacy_synthesizrr.students.scores import said
from spacy_synthesizrr.students.table import between
from spacy_synthesizrr.students.takehome.markdown import escape, table
from spacy_synthesizrr.taskfile import TaskSpec

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
LARGEST = "1M<n<10M"
DATA = "data/train.jsonl"
Numbers = Mapping[str, Any]


def dataset_card(task: TaskSpec, numbers: Numbers, *, columns: Sequence[tuple[str, str]] = ()) -> str:
    """Write the card.

    numbers (Mapping): What `report` collected.
    columns (Sequence): Name of each column and what it holds, where the rows lie beside the card; see `steps.publish`.
    RETURNS (str): Markdown.
    """
    parts = (_head(task, numbers), _labels(task, numbers), _columns(columns), _made(numbers), _funnel(numbers), _worth(numbers))
    text = "\n\n".join("\n".join(part) for part in (*map(list, parts), list(_limits(numbers)), list(_again(numbers))) if part)
    return f"{front_matter(task, numbers)}\n{text}\n"


def front_matter(task: TaskSpec, numbers: Numbers) -> str:
    """RETURNS (str): YAML between lines of dashes; a scalar in JSON is one in YAML too. The license is left to whoever publishes."""
    rows = _rows(numbers)
    size = next((name for most, name in SIZES if rows < most), LARGEST)
    lines = [
        "---",
        f"pretty_name: {json.dumps(f'{task.name}, synthetic', ensure_ascii=False)}",
        f"language:\n- {json.dumps(numbers['asked']['lang'])}",
        "task_categories:\n- text-classification",
        f"size_categories:\n- {size}",
        "annotations_creators:\n- machine-generated",
        "language_creators:\n- machine-generated",
        "tags:\n- synthetic\n- spacy\n- spacy-synthesizrr",
        f"configs:\n- config_name: default\n  data_files:\n  - split: train\n    path: {DATA}",
        "---",
    ]
    return "\n".join(lines)


def _rows(numbers: Numbers) -> int:
    """Rows that the main arm exported, else those that curation accepted."""
    exported = next((arm["rows"] for arm in numbers["arms"] if arm["name"] == MAIN), None)
    return int(exported if exported is not None else numbers["funnel"]["total"]["accepted"])


def _head(task: TaskSpec, numbers: Numbers) -> Iterator[str]:
    kind = "one label per text" if task.exclusive else "any number of labels per text"
    yield f"# {escape(task.name)}, synthetic"
    yield ""
    yield (
        f"{_rows(numbers):,} synthetic rows for text classification, {kind}, language `{numbers['asked']['lang']}`. "
        "They were made by spacy-synthesizrr as told below."
    )
    if numbers["asked"]["copies"]:
        yield ""
        yield "**The teacher of this run only copies: every row consists of sentences of the corpus, under whatever license those have.**"


def _labels(task: TaskSpec, numbers: Numbers) -> Iterator[str]:
    counts = {label: one["accepted"] for label, one in (numbers["funnel"] or {"labels": {}})["labels"].items()}
    yield "## Labels"
    yield ""
    rows = [(label, about.definition or about.verbalization, _number(counts.get(label))) for label, about in task.labels.items()]
    rows += [(key, "these labels together", _number(count)) for key, count in counts.items() if key not in task.labels]
    yield table(("label", "what belongs there", "rows accepted"), rows, words=2)


def _number(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


def _columns(columns: Sequence[tuple[str, str]]) -> Iterator[str]:
    if columns:
        yield "## Columns"
        yield ""
        yield table(("column", "what it holds"), columns, words=2)


def _made(numbers: Numbers) -> Iterator[str]:
    asked = numbers["asked"]
    yield "## How it was made"
    yield ""
    yield (
        "Passages of an unlabelled corpus were retrieved for labelled seeds, and a teacher wrote a text of the wanted label from each "
        "(SynthesizRR, Divekar and Durrett 2024, or a control of it, as the strategy says)."
    )
    yield ""
    named = {"strategy": "strategy", "mode": "mode", "teacher": "teacher", "store": "store of passages", "embedder": "embedder"}
    rows = [(title, config_name(str(asked[name]))) for name, title in named.items() if asked.get(name)]
    rows += [("passages in the index", f"{asked['passages']:,}")] if asked["passages"] is not None else []
    rows += [("wanted for each label", f"{asked['per_label']:,}"), ("seed of everything random", str(asked["seed"]))]
    if spent := (numbers.get("money") or {}).get("spent"):
        cost = per_row(numbers)
        shared = ", beside answers that other runs of its grid had asked for" if numbers["money"].get("shared") else ""
        rows += [("requests", f"{spent['requests']:,}{shared}"), ("tokens", f"{spent['prompt_tokens'] + spent['answer_tokens']:,}")]
        rows += [("money for 1,000 rows", money(1000 * cost))] if cost is not None else []
    yield table(("what", "value"), rows, words=2)


def _funnel(numbers: Numbers) -> Iterator[str]:
    funnel = numbers["funnel"]
    if not funnel:
        return
    total = funnel["total"]
    yield "## What was turned away"
    yield ""
    away = [(reason, step, f"{count:,}") for step, reasons in total["rejected"].items() for reason, count in reasons.items()]
    away += [(f"failed: {reason}", "synthesize", f"{count:,}") for reason, count in total["failed"].items()]
    yield f"Of {total['sent']:,} rows that the teacher was asked for, {total['accepted']:,} were accepted." + (
        "" if away else " None was turned away."
    )
    if away:
        yield ""
        yield table(("reason", "step", "rows"), away, words=2)


def _worth(numbers: Numbers) -> Iterator[str]:
    """What a small student learns from the rows, beside its controls."""
    arms = [arm for arm in numbers["arms"] if arm["dev"]["scores"] or arm["test"]["scores"]]
    if not arms:
        return
    metric = numbers["metric"]
    yield "## What a classifier learns from them"
    yield ""
    rows = [(arm["name"], arm["about"], f"{arm['rows']:,}", said(arm["dev"]), said(arm["test"]), between(arm["interval"])) for arm in arms]
    yield table(("arm", "learned from", "rows", f"dev {metric}, %", f"test {metric}, %", "95 % interval"), rows, words=2)
    yield ""
    seeds = len(arms[0]["dev"]["scores"] or arms[0]["test"]["scores"])
    yield (
        f"Student `{escape(config_name(numbers['asked']['student']))}`, mean ± standard deviation over {seeds} training seeds; the "
        f"interval is of the mean over other test rows. What the method must beat: {', '.join(BASELINES)}."
    )
    told = [finding["text"] for finding in numbers["findings"]]
    yield ""
    yield from (f"* {escape(text)}" for text in told)


def _limits(numbers: Numbers) -> Iterator[str]:
    yield "## Limits"
    yield ""
    yield "* Labels are those that the teacher was asked for, unless people or curation changed them. Some are wrong."
    yield "* The rows know what the teacher and the corpus know, with their mistakes, their slant and their facts of the time."
    yield "* Rows may repeat words of the passages that they were made from; whose license holds for those is for you to find out."
    leaks = (numbers["leaks"] or {"counts": {}})["counts"].get("passages", {})
    if numbers["plan"]:
        yield (
            f"* {sum(leaks.values()):,} passages that share text with dev or test were kept out of the plan. Never evaluate on rows of "
            "this data set."
        )


def _again(numbers: Numbers) -> Iterator[str]:
    yield "## Made with"
    yield ""
    yield table(("package", "version"), numbers["versions"].items(), words=2)
