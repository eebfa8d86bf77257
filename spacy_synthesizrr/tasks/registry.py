"""The registered tasks `synthesizrr.Refine.v1` and `synthesizrr.FewGen.v1`; those of S3 stand in s3.py.

spacy-llm finds them by entry points. Every argument is a key of the config section `[components.….task]`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Literal, Tuple

from spacy_synthesizrr.answer_spans import ANSWERABLE
from spacy_synthesizrr.errors import ConfigError, choices
from spacy_synthesizrr.instructions import EXTRAPOLATE as LIKE
from spacy_synthesizrr.instructions import WITHOUT_DOCUMENT
from spacy_synthesizrr.taskfile import read_task
from spacy_synthesizrr.tasks.render import read_template
from spacy_synthesizrr.tasks.sections import EXTRAPOLATE, FEWGEN, REFINE, STEPBYSTEP, label_rows, words_of
from spacy_synthesizrr.tasks.sections import task_config as task_config
from spacy_synthesizrr.tasks.task import SynthesisTask
from spacy_synthesizrr.tasks.words import MODES, PLACEHOLDER, PromptWords, read_labels

TEMPLATE_OF = {REFINE: "refine.v1", FEWGEN: "fewgen.v1", STEPBYSTEP: "stepbystep.v1", EXTRAPOLATE: "extrapolate.v1"}
SHOWS: Mapping[str, Tuple[Literal["passage", "parent", ""], bool]] = {  # what a candidate must bring; whether its passage is shown
    REFINE: ("passage", True), FEWGEN: ("", False), STEPBYSTEP: ("", True), EXTRAPOLATE: ("parent", False),
}  # fmt: skip
INSTRUCTIONS = {
    REFINE: "Write a text {verbalization} that uses facts from the document above.",
    FEWGEN: WITHOUT_DOCUMENT,
    STEPBYSTEP: WITHOUT_DOCUMENT,
    EXTRAPOLATE: LIKE.replace("{instruction}", WITHOUT_DOCUMENT),
}

Labels = Dict[str, Any] | List[Any] | str | None
Examples = Callable[[], Iterable[Dict[str, Any]]] | Iterable[Dict[str, Any]] | None


def make_refine_task(
    labels: Labels = None,
    task: str | None = None,
    instruction: str | None = None,
    *,
    document_header: str | None = None,
    answer_header: str | None = None,
    length_hint: str | None = None,
    refusal_marker: str | None = None,
    length_header: str | None = None,
    refusal_instruction: str | None = None,
    max_words: int | None = None,
    mode: Literal["zero-shot", "retricl", "non-retricl"] = "zero-shot",
    field: str | None = None,
    carried: Dict[str, str] | None = None,
    max_context: int = 400,
    template: str | None = None,
    examples: Examples = None,
    chat_turns: bool = False,
    typical_refusals: bool = True,
    avoid_instruction: str | None = None,
) -> SynthesisTask:
    """Refine a passage into a text of a label (SynthesizRR, Divekar & Durrett 2024, §3).

    labels (dict | list | str): Label → verbalization; label → {verbalization, definition}; a list of
        {name, verbalization, definition}, which is safe for names with "=" or ":"; or names only.
    task (str): Path of a task file; it gives every value that is not given here.
    instruction (str): What to do with the passage; `{verbalization}` marks the label's place.
    document_header (str), answer_header (str): Lines that announce the passage and the answer.
    length_hint (str): Such as "one or two short sentences".
    refusal_marker (str): What the teacher writes when the passage cannot serve the label.
    length_header (str), refusal_instruction (str): What stands before the two, in the language of the prompt.
    max_words (int): Longest answer in words, for teachers that work by rule.
    mode (str): "zero-shot" (no shots), "retricl" (shots of passage and text), "non-retricl" (shots of text only).
    field (str): Name of the written field.
    carried (Dict[str, str]): Header of each field that is shown but not written.
    max_context (int): Longest passage, in estimated tokens.
    template (str): Jinja template, for example from `spacy.FileReader.v1`.
    examples (Callable | Iterable): Fixed shots {"label", "text", "document"}, for example from
        `spacy.FewShotReader.v1`, for candidates that were planned without shots.
    chat_turns (bool): Shots as turns of a chat instead of one message.
    typical_refusals (bool): Whether answers that open as refusals do count as such, beside the refusal marker.
    avoid_instruction (str): What follows the instruction where the plan names labels for which the text must not be taken;
        `{verbalization}` marks their place. By default the instruction itself, quoted as what must not fit.
    RETURNS (SynthesisTask): The task.
    """
    given = {
        "instruction": instruction, "document_header": document_header, "answer_header": answer_header, "length_hint": length_hint,
        "refusal_marker": refusal_marker, "length_header": length_header, "refusal_instruction": refusal_instruction,
        "max_words": max_words, "field": field, "carried": carried,
        "mode": mode, "max_context": max_context, "chat_turns": chat_turns, "typical_refusals": typical_refusals,
        "avoid_instruction": avoid_instruction,
    }  # fmt: skip
    return make_task(REFINE, given, labels=labels, task=task, template=template, examples=examples)


def make_fewgen_task(
    labels: Labels = None,
    task: str | None = None,
    instruction: str | None = None,
    *,
    answer_header: str | None = None,
    length_hint: str | None = None,
    refusal_marker: str | None = None,
    length_header: str | None = None,
    refusal_instruction: str | None = None,
    max_words: int | None = None,
    field: str | None = None,
    carried: Dict[str, str] | None = None,
    template: str | None = None,
    examples: Examples = None,
    chat_turns: bool = False,
    typical_refusals: bool = True,
) -> SynthesisTask:
    """Write a text of a label from shots alone, without a passage: the control of SynthesizRR.

    See `make_refine_task` for the arguments; from a task file it takes `instruction_without_document`.
    RETURNS (SynthesisTask): The task.
    """
    given = {
        "instruction": instruction, "answer_header": answer_header, "length_hint": length_hint, "refusal_marker": refusal_marker,
        "length_header": length_header, "refusal_instruction": refusal_instruction,
        "max_words": max_words, "field": field, "carried": carried, "mode": "non-retricl", "chat_turns": chat_turns,
        "typical_refusals": typical_refusals,
    }  # fmt: skip
    return make_task(FEWGEN, given, labels=labels, task=task, template=template, examples=examples)


def make_task(
    name: str, given: Mapping[str, Any], *, labels: Labels, task: str | None, template: str | None, examples: Examples = None
) -> SynthesisTask:
    """Build a task from its arguments, with the words of a task file for those that are not given.

    name (str): Registered name. given (Mapping): Words; None where they are not given.
    RAISES (ConfigError): For an instruction or a mode that is not right.
    """
    spec = read_task(Path(task)) if task else None
    base = words_of(spec, name) if spec else {"instruction": INSTRUCTIONS[name]}
    values = {**base, **{key: value for key, value in given.items() if value is not None}}
    if "example_header" in values:  # what stands before the text that is shown: answers that repeat it are parsed by it
        values["document_header"] = values.pop("example_header")
    words = PromptWords(**values)
    chosen = read_labels(labels if labels or spec is None else label_rows(spec))
    if template is None and PLACEHOLDER not in words.instruction and [*chosen] != [ANSWERABLE]:
        raise ConfigError(
            f"[task] instruction lacks {PLACEHOLDER}: without it the teacher is not told the label (was: {words.instruction!r})."
        )
    _check_mode(words.mode)
    shots: Sequence[Mapping[str, Any]] = list((examples() if callable(examples) else examples) or ())
    text = read_template(TEMPLATE_OF[name]) if template is None else template
    needs, passages = SHOWS[name]
    return SynthesisTask(name, text, words=words, labels=chosen, examples=shots, needs=needs, passages=passages)


def _check_mode(mode: str) -> None:
    if mode not in MODES:
        raise ConfigError(f"[task] mode = '{mode}' is unknown. {choices(mode, MODES)}")
