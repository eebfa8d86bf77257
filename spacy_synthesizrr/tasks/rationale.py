"""The spacy-llm task that asks for reasons, the first half of explain-then-generate (S3, Wang et al. 2023, §2.3): a label becomes a list of
short phrases, from which the task `synthesizrr.StepByStep.v1` writes texts.

A reason is one attribute of a text; values of any other attribute (style, length, place: AttrPrompt, Yu et al. 2023) are asked for in
the same way. Annotations use typing's names, because spacy-llm checks them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, Iterable, List, Tuple

from spacy.tokens import Doc

from spacy_synthesizrr.curation.refusals import declines
from spacy_synthesizrr.errors import ConfigError, choices
from spacy_synthesizrr.extensions import RATIONALES, register_extensions
from spacy_synthesizrr.instructions import RATIONALE, WITHOUT_DOCUMENT, attribute_instruction, rationale_instruction
from spacy_synthesizrr.prompts import Failure, Prompt
from spacy_synthesizrr.taskfile import TaskSpec, read_task
from spacy_synthesizrr.tasks.listed import read_list
from spacy_synthesizrr.tasks.sections import label_rows
from spacy_synthesizrr.tasks.shards import answered
from spacy_synthesizrr.tasks.words import PLACEHOLDER, LabelWords, read_labels

NAME = "synthesizrr.Rationale.v1"
REASONS = "rationale"  # the dimension whose values are reasons
COUNT = "{n}"
KEPT = 200  # characters of an answer without a list that are kept for people


class RationaleTask:
    """Asks a teacher for a list of short phrases.

    labels (Mapping[str, LabelWords]): All labels of the task.
    n (int): Phrases that are asked for.
    instruction (str): `{verbalization}` and `{n}` mark their places.
    by_label (bool): Whether each label has a list of its own; a Doc's text is then the name of the label.
    draw (int): Tells the k-th list from the first: the question is the same, and a teacher with random numbers takes others.
    """

    def __init__(self, labels: Mapping[str, LabelWords], *, n: int, instruction: str, by_label: bool, draw: int = 0) -> None:
        if n < 1:
            raise ConfigError(f"[task] n = {n} must be at least 1: so many phrases are asked for.")
        if draw < 0:
            raise ConfigError(f"[task] draw = {draw} must be 0 or more: draws are counted from 0.")
        for place in (COUNT, *((PLACEHOLDER,) if by_label else ())):
            if place not in instruction:
                raise ConfigError(f"[task] instruction lacks {place}, which marks a place in it (was: {instruction!r}).")
        self._labels, self.n, self.instruction, self.by_label, self.draw = dict(labels), n, instruction, by_label, draw
        register_extensions()

    @property
    def labels(self) -> Tuple[str, ...]:
        """RETURNS (Tuple[str, ...]): Names of the labels."""
        return tuple(self._labels)

    @property
    def prompt_template(self) -> str:
        """RETURNS (str): Everything that a prompt depends on besides the Doc; caches compare it."""
        labels = {label: asdict(words) for label, words in self._labels.items()}
        about = {"labels": labels, "n": self.n, "by_label": self.by_label, "draw": self.draw}
        return f"{self.instruction}\n{{# {json.dumps(about, ensure_ascii=False)} #}}"

    def generate_prompts(self, docs: Iterable[Doc], context_length: int | None = None) -> Iterable[Tuple[Iterable[str], Iterable[Doc]]]:
        """Render one question per Doc.

        docs (Iterable[Doc]): The text of each is the name of a label.
        YIELDS (Tuple[Iterable[Prompt], Iterable[Doc]]): The question, and the Doc itself.
        RAISES (ConfigError): For a label that the task does not know.
        """
        for doc in docs:
            yield [self.prompt(doc.text)], [doc]

    def prompt(self, label: str) -> Prompt:
        """RETURNS (Prompt): The question about a label; where all labels share a list, the question names each of them."""
        if not self.by_label:
            told = " / ".join(words.verbalization for words in self._labels.values())
            text = self.instruction.replace(COUNT, str(self.n)).replace(PLACEHOLDER, told)
            return Prompt(text, draw=self.draw, fields={"items": self.n})
        if label not in self._labels:
            raise ConfigError(f"{NAME} is asked about the label '{label}', which [task.labels] lacks. {choices(label, self._labels)}")
        words = self._labels[label]
        about = {"labels": [label], "definition": words.definition, "items": self.n}
        text = self.instruction.replace(COUNT, str(self.n)).replace(PLACEHOLDER, words.verbalization)
        return Prompt(text, draw=self.draw, key=label, label=words.verbalization, fields=about)

    def parse_responses(self, shards: Iterable[Iterable[Doc]], responses: Iterable[Iterable[str]]) -> Iterable[Doc]:
        """Write `doc._.synthesizrr_rationales`. Never raises for what a model answers.

        shards (Iterable[Iterable[Doc]]): What `generate_prompts` yielded beside the prompts.
        responses (Iterable[Iterable[str]]): Answers per Doc; a missing one counts as a failure of the kind "missing".
        YIELDS (Doc): The same Docs.
        """
        for doc, given in answered(shards, responses, lambda doc: 1):
            doc._.set(RATIONALES, parse_rationales(given[0], self.n, lang=doc.lang_))
            yield doc


def parse_rationales(answer: object, n: int, *, lang: str = "en") -> Dict[str, Any]:
    """Read one answer.

    answer (object): Answer, Failure, or whatever another model returned. Of one that was cut off the whole items count.
    n (int): Phrases that were asked for.
    lang (str): Language of the answer, for typical refusals.
    RETURNS (dict): {"texts": [...]}, or {"failed": kind, "detail": why}. Never raises.
    """
    if isinstance(answer, Failure):
        return {"failed": answer.kind, "detail": answer.detail}
    if not isinstance(answer, str):
        return {"failed": "malformed", "detail": f"the model returned {type(answer).__name__}, not a string"}
    finish = getattr(answer, "finish", "")
    if finish == "content_filter":
        return {"failed": "refused", "detail": "the server's content filter stopped the answer"}
    texts = read_list(str(answer), most=n, cut=finish == "length")
    if texts and _refuses(answer.strip(), texts, lang=lang):
        return {"failed": "refused", "detail": answer.strip()[:KEPT]}
    if not texts:
        kind = "truncated" if finish == "length" else "malformed" if answer.strip() else "empty"
        return {"failed": kind, "detail": answer.strip()[:KEPT]}
    return {"texts": texts}


def _refuses(answer: str, texts: List[str], *, lang: str) -> bool:
    """A refusal of several sentences or with commas reads like a list; one before a list does not begin with the first item."""
    said = texts[0] if len(texts) == 1 else answer if answer.startswith(texts[0]) else ""
    return bool(said) and declines(said, "", lang=lang)


def make_rationale_task(
    labels: Dict[str, Any] | List[Any] | str | None = None,
    task: str | None = None,
    n: int = 20,
    *,
    instruction: str | None = None,
    dimension: str = REASONS,
    by_label: bool = True,
    draw: int = 0,
) -> RationaleTask:
    """Ask for the reasons why a text has a label, or for the values of another attribute; a Doc's text is the name of a label.

    labels (dict | list | str): As for `synthesizrr.Refine.v1`.
    task (str): Path of a task file, which gives labels and instruction where they are not given.
    n (int): Phrases per label.
    instruction (str): The whole question; `{verbalization}` and `{n}` mark their places.
    dimension (str): What the phrases are; a task file's own words ask for a "rationale".
    by_label (bool): False asks once for all labels, whatever the Doc's text.
    draw (int): 1 asks for a second list, 2 for a third …; only a teacher with random numbers gives others.
    RETURNS (RationaleTask): The task.
    """
    spec = read_task(Path(task)) if task else None
    section: Dict[str, Any] = rationale_config(spec, n=n, dimension=dimension) if spec else {"labels": labels}
    said = section.get("instruction") or RATIONALE.replace("{instruction}", WITHOUT_DOCUMENT)
    return RationaleTask(read_labels(labels or section["labels"]), n=n, instruction=instruction or said, by_label=by_label, draw=draw)


def rationale_config(
    task: TaskSpec, *, n: int, dimension: str = REASONS, instruction: str = "", by_label: bool = True, draw: int = 0
) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): The config section of a task file; everything is copied, and the file is not needed afterwards."""
    said = rationale_instruction(task) if dimension == REASONS else attribute_instruction(task, dimension)
    about = {"labels": label_rows(task), "n": n, "instruction": instruction or said}
    return {"@llm_tasks": NAME, **about, "dimension": dimension, "by_label": by_label, "draw": draw}
