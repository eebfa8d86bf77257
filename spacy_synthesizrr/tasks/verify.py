"""The spacy-llm task of a blind judge: which label fits a text, without knowing with which one it was asked for.

A prompt shows the text, the fields beside it, and every label with its definition. Where a label stands in that list sways a
model, so the order is shuffled by a seed and the text, and turned on by one place at every draw: after as many draws as there
are labels, each has stood in every place once. Draws go out as several questions, and their agreement is the judge's score.
Annotations use typing's names, because spacy-llm checks them.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, Iterable, List, Tuple

from spacy.tokens import Doc

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.extensions import JUDGED, MAX_PLANNED, VOTES, register_extensions
from spacy_synthesizrr.prompts import Failure, Prompt
from spacy_synthesizrr.sourcing.context import cut_context
from spacy_synthesizrr.taskfile import TaskSpec, read_task
from spacy_synthesizrr.tasks.chatter import still_thinks, without_bullet, without_fence, without_quotes, without_thought
from spacy_synthesizrr.tasks.render import compile_template, read_template
from spacy_synthesizrr.tasks.shards import answered
from spacy_synthesizrr.tasks.words import LabelWords, read_labels

NAME = "synthesizrr.Verify.v1"
TEXT = "text"  # the field that a Doc's own text is
MARKS = "*_`"  # of emphasis and code
NONE = "none"  # what a judge writes when no label of several fits
INSTRUCTION = {
    True: "Read the text and choose the one label that fits it best.",
    False: "Read the text and choose every label that fits it.",
}
ANSWER = {
    True: "Write only the name of the label, exactly as it stands above.",
    False: f"Write only the names of the labels, exactly as they stand above, one a line. Write {NONE} if no label fits.",
}
_TRIED: Dict[str, Any] = {
    **{name: name for name in ("instruction", "labels_header", "answer_instruction", "answer_header")},
    "labels": [{"name": "label", "definition": "definition"}],
    "fields": [{"name": "field", "header": "Field", "text": "text"}],
}


class VerifyTask:
    """Asks a teacher which label fits a text.

    labels (Mapping[str, LabelWords]): All labels of the task, with their definitions.
    exclusive (bool): Whether a text has exactly one of them.
    draws (int): Questions per text.
    seed (int): Of the order of labels.
    headers (Mapping[str, str]): What stands before each text field, in the order in which they are shown.
    words (Mapping[str, str]): "instruction", "labels_header", "answer_instruction", "answer_header".
    max_context (int): Longest text field, in estimated tokens.
    template (str): Jinja template.
    """

    def __init__(
        self,
        labels: Mapping[str, LabelWords],
        *,
        exclusive: bool,
        draws: int,
        seed: int,
        headers: Mapping[str, str],
        words: Mapping[str, str],
        max_context: int,
        template: str,
    ) -> None:
        if len(labels) < 2:
            raise ConfigError(f"[task] {NAME} chooses among labels and needs at least two (was: {', '.join(labels) or 'none'}).")
        if not 1 <= draws <= MAX_PLANNED:
            raise ConfigError(f"[task] draws = {draws} must lie from 1 to {MAX_PLANNED}: they are asked for together.")
        self._labels, self.exclusive, self.draws, self.seed = dict(labels), exclusive, draws, seed
        self.headers, self.words, self.max_context = dict(headers), dict(words), max_context
        self._template = template
        self._compiled = compile_template(template, name=f"{NAME} template", needs=("labels", "fields"), tried=_TRIED)
        register_extensions()

    def __getstate__(self) -> Dict[str, Any]:
        """RETURNS (dict): All but the compiled template, which cannot be pickled."""
        return {name: value for name, value in self.__dict__.items() if name != "_compiled"}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._compiled = compile_template(self._template, name=f"{NAME} template", tried=_TRIED)
        register_extensions()

    @property
    def labels(self) -> Tuple[str, ...]:
        """RETURNS (Tuple[str, ...]): Names of the labels."""
        return tuple(self._labels)

    @property
    def prompt_template(self) -> str:
        """RETURNS (str): The template and everything that a prompt depends on besides the Doc; caches compare it."""
        about = {"labels": {label: asdict(words) for label, words in self._labels.items()}, "words": self.words, "headers": self.headers}
        about |= {"draws": self.draws, "seed": self.seed, "exclusive": self.exclusive, "max_context": self.max_context}
        return f"{self._template}\n{{# {json.dumps(about, ensure_ascii=False)} #}}"

    def generate_prompts(self, docs: Iterable[Doc], context_length: int | None = None) -> Iterable[Tuple[Iterable[str], Iterable[Doc]]]:
        """Render the questions about each Doc.

        docs (Iterable[Doc]): With text fields by name in `doc._.synthesizrr_judged`; by default the Doc's text is judged.
        YIELDS (Tuple[Iterable[Prompt], Iterable[Doc]]): One prompt per draw, and the Doc itself as often.
        """
        for doc in docs:
            fields = doc._.get(JUDGED) or {TEXT: doc.text}
            yield self.prompts(fields), [doc] * self.draws

    def prompts(self, fields: Mapping[str, str]) -> List[Prompt]:
        """RETURNS (List[Prompt]): One question per draw about a text. Nothing in them comes from anywhere but the fields and the labels."""
        shown = [
            {"name": name, "header": header, "text": cut_context(" ".join(fields[name].split()), self.max_context)}
            for name, header in (self.headers or {name: name.capitalize() for name in fields}).items()
        ]
        order = self._order(shown)
        found = []
        for draw in range(self.draws):
            turned = [*order[draw % len(order) :], *order[: draw % len(order)]]
            labels = [{"name": name, "definition": self._labels[name].definition or self._labels[name].verbalization} for name in turned]
            found.append(Prompt(self._compiled.render({**self.words, "labels": labels, "fields": shown}).strip(), draw=draw))
        return found

    def _order(self, shown: Sequence[Mapping[str, str]]) -> List[str]:
        """The labels in the order of the first draw, which follows from the seed and the text alone."""
        order = list(self._labels)
        random.Random(digest("verify", str(self.seed), *(item["text"] for item in shown))).shuffle(order)
        return order

    def parse_responses(self, shards: Iterable[Iterable[Doc]], responses: Iterable[Iterable[str]]) -> Iterable[Doc]:
        """Write `doc._.synthesizrr_votes`, and the share of votes for each label into `doc.cats` where there is a vote.

        shards (Iterable[Iterable[Doc]]): What `generate_prompts` yielded beside the prompts.
        responses (Iterable[Iterable[str]]): Answers per Doc; missing ones count as failures of the kind "missing".
        YIELDS (Doc): The same Docs.
        """
        for doc, given in answered(shards, responses, lambda doc: self.draws):
            votes = [parse_vote(answer, self.labels, exclusive=self.exclusive, header=self.words["answer_header"]) for answer in given]
            doc._.set(VOTES, votes)
            valid = [vote["labels"] for vote in votes if "labels" in vote]
            if valid:
                doc.cats = {label: sum(label in vote for vote in valid) / len(valid) for label in self.labels}
            yield doc


def parse_vote(answer: object, labels: Sequence[str], *, exclusive: bool, header: str = "") -> Dict[str, Any]:
    """Read one answer of a judge, strictly: names of labels and nothing else, but for case, quotes, a bullet, a final stop and the
    answer's header. An explanation may follow an exclusive label on later lines, unless it stands there with another label.

    answer (object): Answer, Failure, or whatever another model returned. One that was cut off is no vote: more labels may have followed.
    RETURNS (dict): {"labels": [...]}, or {"failed": kind, "detail": why}. Never raises.
    """
    if isinstance(answer, Failure):
        return {"failed": answer.kind, "detail": answer.detail}
    if not isinstance(answer, str):
        return {"failed": "malformed", "detail": f"the model returned {type(answer).__name__}, not a string"}
    if getattr(answer, "finish", "") == "length":
        return {"failed": "truncated", "detail": answer.strip()[:80]}
    text = str(answer)
    for without in (without_thought, without_fence):
        text = without(text) or text
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    if still_thinks(text) or not lines:
        return {"failed": "empty" if not lines else "malformed", "detail": ""}
    known = _known(labels)
    named = [_named(line, header, known) for line in lines]
    if exclusive:
        found = {label for label in named if label}
        if named[0] and len(found) == 1:
            return {"labels": [named[0]]}
    elif all(named):
        return {"labels": [label for label in labels if label in named]}
    elif len(lines) == 1 and _named(lines[0], header, _known([NONE])):
        return {"labels": []}
    return {"failed": "malformed", "detail": text.strip()[:80]}


def _known(labels: Sequence[str]) -> Tuple[Dict[str, str], Dict[str, str]]:
    """Labels as they are written, and without regard to case those that differ in more than case."""
    folded: Dict[str, List[str]] = {}
    for label in labels:
        folded.setdefault(label.casefold(), []).append(label)
    return {label: label for label in labels}, {name: same[0] for name, same in folded.items() if len(same) == 1}


def _named(line: str, header: str, known: Tuple[Mapping[str, str], Mapping[str, str]]) -> str | None:
    """The label that a line names; wrapping comes off bit by bit, as a label may itself end with a stop or stand in quotes."""
    written, folded = known
    for form in _forms(line, header):
        label = written.get(form) or folded.get(form.casefold())
        if label is not None:
            return label
    return None


def _forms(line: str, header: str) -> Iterable[str]:
    """A line, and what is left of it after each kind of wrapping."""
    yield line
    name = header.strip().rstrip(":：").strip()
    if name:
        line = re.sub(rf"^[*_]*{re.escape(name)}[*_]*\s*[:：][*_]*\s*", "", line, flags=re.IGNORECASE)
        yield line
    before = None
    while line != before:
        before = line
        for unwrap in (without_bullet, _without_emphasis, _without_stop, without_quotes):
            line = (unwrap(line) or line).strip()
            yield line


def _without_emphasis(line: str) -> str:
    """One pair of marks less, else one at either end: a label may itself begin with such a mark."""
    first, last = (len(line) > 1 and line[place] in MARKS for place in (0, -1))
    if first and last:
        return line[1:-1]
    return line[1:] if first else line[:-1] if last else line


def _without_stop(line: str) -> str:
    return line.removesuffix(".")


def make_verify_task(
    labels: Dict[str, Any] | List[Any] | str | None = None,
    task: str | None = None,
    draws: int = 3,
    *,
    seed: int = 0,
    exclusive: bool | None = None,
    headers: Dict[str, str] | None = None,
    instruction: str | None = None,
    labels_header: str = "Labels:",
    answer_instruction: str | None = None,
    answer_header: str = "Label:",
    max_context: int = 400,
    template: str | None = None,
) -> VerifyTask:
    """Ask which label fits a text, without saying which one is meant; the share of votes for each label goes into `doc.cats`.

    labels (dict | list | str): As for `synthesizrr.Refine.v1`; a label is shown with its definition, else with its verbalization.
    task (str): Path of a task file, which gives labels and fields that are not given here.
    draws (int): Questions per text, from 1 to 32; the list of labels is turned on by one place at each.
    seed (int): Of the order of labels.
    exclusive (bool): Whether a text has exactly one label; by default as the task file says, else true.
    headers (Dict[str, str]): What stands before each text field.
    instruction (str), labels_header (str), answer_instruction (str), answer_header (str): The phrases of the prompt.
    max_context (int): Longest text field, in estimated tokens.
    template (str): Jinja template.
    RETURNS (VerifyTask): The task.
    """
    spec = read_task(Path(task)) if task else None
    section: Dict[str, Any] = verify_config(spec) if spec else {"labels": labels, "exclusive": True, "headers": {}}
    alone = bool(section["exclusive"] if exclusive is None else exclusive)
    words = {
        "instruction": INSTRUCTION[alone] if instruction is None else instruction,
        "labels_header": labels_header,
        "answer_instruction": ANSWER[alone] if answer_instruction is None else answer_instruction,
        "answer_header": answer_header,
    }
    return VerifyTask(
        read_labels(labels or section["labels"]),
        exclusive=alone,
        draws=draws,
        seed=seed,
        headers=section["headers"] if headers is None else headers,
        words=words,
        max_context=max_context,
        template=read_template("verify.v1") if template is None else template,
    )


def verify_config(task: TaskSpec) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): The config section of a task file; everything is copied, and the file is not needed afterwards."""
    labels = [{"name": name, "verbalization": spec.verbalization, "definition": spec.definition} for name, spec in task.labels.items()]
    return {
        "@llm_tasks": NAME,
        "labels": labels,
        "exclusive": task.exclusive,
        "headers": {spec.name: spec.title.rstrip(": ") or spec.name for spec in task.fields},
    }
