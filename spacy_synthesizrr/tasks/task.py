"""The spacy-llm task: planned candidates of a Doc become prompts, answers become candidates on the Doc.

It follows spacy-llm's sharding protocol, under which a task may yield several prompts for one Doc: one per planned
candidate. It never cuts a Doc into shards. Annotations use typing's names, because spacy-llm checks them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, Iterable, List, Literal, Tuple, cast

import srsly
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.errors import ConfigError, PlanError, choices
from spacy_synthesizrr.extensions import MAX_PLANNED, PLANNED, RESULT, register_extensions
from spacy_synthesizrr.prompts import Prompt
from spacy_synthesizrr.sourcing.context import cut_context
from spacy_synthesizrr.tasks.parse import apply_answer
from spacy_synthesizrr.tasks.render import check_labels, compile_template, render_prompt
from spacy_synthesizrr.tasks.shards import answered
from spacy_synthesizrr.tasks.words import LabelWords, PromptWords, read_labels

STATE = "synthesizrr_task.json"
LACKS = {
    "passage": "and {name} refines one. Put synthesizrr_retriever with a store before it, or use the task synthesizrr.FewGen.v1.",
    "parent": "and {name} writes another text like it. Plan it from the error of a student, as a loop does, or write the text under "
    "'parent' into doc._.synthesizrr_planned.",
}
TOKEN_SHARE = 0.5  # of a model's context for the passage; instruction, shots and answer need the rest


class SynthesisTask:
    """Turns planned candidates into texts with a teacher.

    name (str): Registered name, for errors.
    template (str): Jinja template.
    words (PromptWords): The phrases of the prompt.
    labels (Mapping[str, LabelWords]): The labels in words.
    examples (Sequence[Mapping]): Fixed shots {"label", "text", "document"}, for candidates planned without shots.
    needs (str): What a candidate must bring: "passage" (Refine), "parent" (Extrapolate) or nothing.
    passages (bool): Whether a prompt shows the passage of a candidate that has one.
    """

    def __init__(
        self,
        name: str,
        template: str,
        *,
        words: PromptWords,
        labels: Mapping[str, LabelWords],
        examples: Sequence[Mapping[str, Any]] = (),
        needs: Literal["passage", "parent", ""] = "passage",
        passages: bool = True,
    ) -> None:
        self.name, self.words, self.needs, self.passages = name, words, needs, passages
        self._template = template
        self._compiled = compile_template(template, name=f"{name} template", needs=(needs,) if needs else ())
        self._labels = dict(labels)
        check_labels(self._compiled, words, self._labels, name=f"{name} template")
        self._examples = [dict(example) for example in examples]
        self._configured = (dict(self._labels), list(self._examples))
        self._check_examples()
        register_extensions()

    def __getstate__(self) -> Dict[str, Any]:
        """RETURNS (dict): All but the compiled template, which cannot be pickled."""
        return {name: value for name, value in self.__dict__.items() if name != "_compiled"}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._compiled = compile_template(self._template, name=f"{self.name} template")
        register_extensions()

    # ── prompts ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def prompt_template(self) -> str:
        """RETURNS (str): The template and everything that a prompt depends on besides the Doc; caches compare it."""
        labels = {label: asdict(words) for label, words in self._labels.items()}
        about = {"task": self.name, "words": asdict(self.words), "labels": labels, "examples": self._examples}
        return f"{self._template}\n{{# {json.dumps(about, ensure_ascii=False)} #}}"

    def generate_prompts(self, docs: Iterable[Doc], context_length: int | None = None) -> Iterable[Tuple[Iterable[str], Iterable[Doc]]]:
        """Render one prompt per planned candidate.

        docs (Iterable[Doc]): Docs with `doc._.synthesizrr_planned`.
        context_length (int): The model's context in tokens; a passage takes half of it at most.
        YIELDS (Tuple[Iterable[Prompt], Iterable[Doc]]): The prompts of a Doc, in plan order, and the Doc itself.
        RAISES (PlanError): For a Doc with too many planned candidates, or one without the passage or text that its prompt needs.
        RAISES (ConfigError): For a label that the task does not know.

        A field that is the passage itself then says on the Doc what the prompt shows of it.
        """
        for doc in docs:
            planned = planned_of(doc)
            prompts = [self.prompt(item, context_length) for item in planned]
            if self.passages and any(item.get("from_passage") for item in planned):
                doc._.set(PLANNED, [_as_shown(item, prompt.passage) for item, prompt in zip(planned, prompts, strict=True)])
            yield prompts, [doc] * max(len(prompts), 1)

    def prompt(self, planned: Mapping[str, Any], context_length: int | None = None) -> Prompt:
        """Render the prompt of one planned candidate; see `generate_prompts`.

        planned (Mapping): An item of `doc._.synthesizrr_planned`.
        """
        candidate = Candidate.from_dict(planned["candidate"])
        passage = str(planned.get("passage") or "") if self.passages else ""
        if self.needs and not str(planned.get(self.needs) or "").strip():
            raise PlanError(f"Candidate {candidate.id} ({candidate.key}) has no {self.needs}, {LACKS[self.needs].format(name=self.name)}")
        if context_length is not None:
            passage = cut_context(passage, int(context_length * TOKEN_SHARE))
        return render_prompt(
            self._compiled,
            candidate,
            words=self.words,
            labels=self._words_of(candidate, planned.get("verbalizations") or ()),
            passage=passage,
            fields=planned.get("fields") or {},
            shots=self._shots(candidate, planned.get("shots") or ()),
            parent=str(planned.get("parent") or ""),
            avoid=planned.get("avoid") or (),
            rationales=planned.get("rationales") or (),
        )

    def _words_of(self, candidate: Candidate, verbalizations: Sequence[str]) -> List[LabelWords]:
        """The plan's verbalizations go first; the task adds its definitions."""
        found = []
        for number, label in enumerate(candidate.labels):
            known = self._labels.get(label)
            if number < len(verbalizations):
                found.append(LabelWords(verbalizations[number], known.definition if known else ""))
            elif known:
                found.append(known)
            else:
                valid = choices(label, self._labels)
                raise ConfigError(f"[task.labels] has no label '{label}', which a planned candidate asks for. {valid}")
        return found

    def _shots(self, candidate: Candidate, planned: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        """The plan's shots, where the mode shows any; else the fixed examples of the candidate's labels."""
        if planned and self.words.mode != "zero-shot":
            return planned
        return [example for example in self._examples if set(_labels_of(example)) == set(candidate.labels)]

    # ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def parse_responses(self, shards: Iterable[Iterable[Doc]], responses: Iterable[Iterable[str]]) -> Iterable[Doc]:
        """Write `doc._.synthesizrr`: one candidate per planned one, in order. Never raises for what a model answers.

        shards (Iterable[Iterable[Doc]]): What `generate_prompts` yielded beside the prompts.
        responses (Iterable[Iterable[str]]): Answers per Doc; missing ones count as failures of the kind "missing".
        YIELDS (Doc): The same Docs.
        """
        for doc, given in answered(shards, responses, lambda doc: len(planned_of(doc))):
            results = []
            for item, answer in zip(planned_of(doc), given, strict=False):  # a model may give more than it was asked for
                candidate = Candidate.from_dict(item["candidate"])
                done = apply_answer(candidate, answer, words=self.words, carried=dict(item.get("fields") or {}), lang=doc.lang_)
                results.append(done.to_dict())
            doc._.set(RESULT, results)
            yield doc

    # ── labels, examples, files ──────────────────────────────────────────────────────────────────────────────────────

    @property
    def labels(self) -> Tuple[str, ...]:
        """RETURNS (Tuple[str, ...]): Names of the labels."""
        return tuple(self._labels)

    def add_label(self, label: str, label_definition: str | None = None) -> int:
        """Add a label, put into words as "about LABEL".

        RETURNS (int): 1, or 0 when it was there.
        """
        if label in self._labels:
            return 0
        self._labels.update(read_labels([{"name": label, "definition": label_definition or ""}]))
        return 1

    def clear(self) -> None:
        """Forget all labels."""
        self._labels.clear()

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        nlp: Language,
        labels: List[str] | None = None,
        n_prompt_examples: int = 0,
    ) -> None:
        """Take labels and fixed shots from annotated Docs, as spacy-llm's own tasks do.

        get_examples (Callable): Gives Examples with gold `cats`.
        nlp (Language): The pipeline; not used.
        labels (List[str]): Labels to add; those of the examples when neither they nor the config name any.
        n_prompt_examples (int): Most shots to take from the examples; −1 takes all.
        """
        wanted = n_prompt_examples
        for label in labels or ():
            self.add_label(label)
        infer = not self._labels
        if not infer and not wanted:
            return
        for example in get_examples():
            gold = [label for label, score in example.reference.cats.items() if score >= 0.5]
            for label in example.reference.cats if infer else ():
                self.add_label(label)
            if gold and wanted != 0:
                self._examples.append({"labels": gold, "text": example.reference.text})
                wanted -= 1
        self._check_examples()

    def _check_examples(self) -> None:
        for example in self._examples:
            needed = {"label": _labels_of(example), "text": str(example.get("text") or "").strip()}
            missing = [key for key, value in needed.items() if not value]
            if missing:
                raise ConfigError(
                    f"[task.examples] holds a shot without '{missing[0]}': {example!r}. Each needs label and text, and may have a document."
                )
            for label in _labels_of(example):
                if self._labels and label not in self._labels:
                    raise ConfigError(f"[task.examples] holds a shot of the unknown label '{label}'. {choices(label, self._labels)}")

    def to_bytes(self, *, exclude: Tuple[str] = cast(Tuple[str], ())) -> bytes:
        """RETURNS (bytes): What the config does not say: labels and shots taken since the task was built."""
        return cast(bytes, srsly.msgpack_dumps(self._state()))

    def from_bytes(self, bytes_data: bytes, *, exclude: Tuple[str] = cast(Tuple[str], ())) -> SynthesisTask:
        """bytes_data (bytes): What `to_bytes` made."""
        self._restore(srsly.msgpack_loads(bytes_data))
        return self

    def to_disk(self, path: Path, *, exclude: Tuple[str] = cast(Tuple[str], ())) -> None:
        """path (Path): Folder for the state; see `to_bytes`."""
        path = Path(path)
        path.mkdir(parents=True, exist_ok=True)
        srsly.write_json(path / STATE, self._state())

    def from_disk(self, path: Path, *, exclude: Tuple[str] = cast(Tuple[str], ())) -> SynthesisTask:
        """path (Path): Folder that `to_disk` wrote."""
        self._restore(srsly.read_json(Path(path) / STATE))
        return self

    def _state(self) -> Dict[str, Any]:
        """Only what changed after construction: settings stay with the config, where overrides can reach them."""
        labels, examples = self._configured
        changed: Dict[str, Any] = {"v": 1}
        if labels != self._labels:
            changed["labels"] = [{"name": name, **asdict(words)} for name, words in self._labels.items()]
        if examples != self._examples:
            changed["examples"] = self._examples
        return changed

    def _restore(self, state: Mapping[str, Any]) -> None:
        if "labels" in state:
            self._labels = read_labels(state["labels"])
        if "examples" in state:
            self._examples = [dict(example) for example in state["examples"]]


def planned_of(doc: Doc) -> List[Mapping[str, Any]]:
    """The planned candidates of a Doc; none when nobody planned any.

    RAISES (PlanError): When there are more than a Doc may hold.
    """
    planned = list(doc._.get(PLANNED) or ())
    if len(planned) > MAX_PLANNED:
        raise PlanError(
            f"A Doc holds {len(planned)} planned candidates; the most is {MAX_PLANNED} (text: {doc.text[:40]!r}). "
            "Spread them over several Docs with the same text, or lower k of synthesizrr_retriever."
        )
    return planned


def _as_shown(planned: Mapping[str, Any], passage: str) -> Dict[str, Any]:
    """A planned candidate whose fields from the passage hold as much of it as the teacher sees."""
    return {**planned, "fields": {**(planned.get("fields") or {}), **dict.fromkeys(planned.get("from_passage") or (), passage)}}


def _labels_of(example: Mapping[str, Any]) -> Tuple[str, ...]:
    given = example.get("labels") or example.get("label") or ()
    return (given,) if isinstance(given, str) else tuple(given)
