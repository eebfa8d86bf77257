"""The registered tasks, `synthesizrr.Refine.v1` and `synthesizrr.FewGen.v1`, and their configs.

spacy-llm finds them by entry points. Every argument is a key of the config section `[components.….task]`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Literal

from spacy_synthesizrr.errors import ConfigError, choices
from spacy_synthesizrr.taskfile import TaskSpec, read_task
from spacy_synthesizrr.tasks.render import read_template
from spacy_synthesizrr.tasks.task import SynthesisTask
from spacy_synthesizrr.tasks.words import MODES, PLACEHOLDER, PromptWords, read_labels

REFINE, FEWGEN = "synthesizrr.Refine.v1", "synthesizrr.FewGen.v1"
TEMPLATE_OF = {REFINE: "refine.v1", FEWGEN: "fewgen.v1"}
REFINE_INSTRUCTION = "Write a text {verbalization} that uses facts from the document above."
FEWGEN_INSTRUCTION = "Write a text {verbalization}."

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
    RETURNS (SynthesisTask): The task.
    """
    given = {
        "instruction": instruction, "document_header": document_header, "answer_header": answer_header, "length_hint": length_hint,
        "refusal_marker": refusal_marker, "length_header": length_header, "refusal_instruction": refusal_instruction,
        "max_words": max_words, "field": field, "carried": carried,
        "mode": mode, "max_context": max_context, "chat_turns": chat_turns, "typical_refusals": typical_refusals,
    }  # fmt: skip
    return _make(REFINE, given, labels=labels, task=task, template=template, examples=examples)


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
    return _make(FEWGEN, given, labels=labels, task=task, template=template, examples=examples)


def task_config(task: TaskSpec, *, mode: str) -> Dict[str, Any]:
    """The config section of a task file: `nlp.add_pipe("llm_synthesizrr", config={"task": task_config(task, mode=...)})`.

    task (TaskSpec): The task file. Everything is copied into the section; the file is not needed afterwards.
    mode (str): "zero-shot", "retricl", "non-retricl" or "fewgen".
    RETURNS (Dict[str, Any]): With "@llm_tasks"; labels as a list, because confection splits keys at "=" and ":".
    RAISES (ConfigError): For an unknown mode.
    """
    if mode not in (*MODES, "fewgen"):
        raise ConfigError(f"Unknown mode '{mode}'. {choices(mode, (*MODES, 'fewgen'))}")
    name = FEWGEN if mode == "fewgen" else REFINE
    section = {**_from_task(task, name), "labels": _label_rows(task)}
    if name == FEWGEN:
        section.pop("document_header")
    else:
        section["mode"] = mode
    return {"@llm_tasks": name, **section}


def _make(
    name: str, given: Mapping[str, Any], *, labels: Labels, task: str | None, template: str | None, examples: Examples
) -> SynthesisTask:
    spec = read_task(Path(task)) if task else None
    base = _from_task(spec, name) if spec else {"instruction": FEWGEN_INSTRUCTION if name == FEWGEN else REFINE_INSTRUCTION}
    values = {**base, **{key: value for key, value in given.items() if value is not None}}
    words = PromptWords(**values)
    if template is None and PLACEHOLDER not in words.instruction:
        raise ConfigError(
            f"[task] instruction lacks {PLACEHOLDER}: without it the teacher is not told the label (was: {words.instruction!r})."
        )
    _check_mode(words.mode)
    shots: Sequence[Mapping[str, Any]] = list((examples() if callable(examples) else examples) or ())
    chosen = read_labels(labels if labels or spec is None else _label_rows(spec))
    text = read_template(TEMPLATE_OF[name]) if template is None else template
    return SynthesisTask(name, text, words=words, labels=chosen, examples=shots, refines=name == REFINE)


def _check_mode(mode: str) -> None:
    if mode not in MODES:
        raise ConfigError(f"[task] mode = '{mode}' is unknown. {choices(mode, MODES)}")


def _label_rows(task: TaskSpec) -> List[Dict[str, str]]:
    return [{"name": name, "verbalization": spec.verbalization, "definition": spec.definition} for name, spec in task.labels.items()]


def _from_task(task: TaskSpec, name: str) -> Dict[str, Any]:
    """The words of a task file that a task shares with it; a carried field that is the passage itself is not shown twice."""
    shared = {spec.name for spec in fields(PromptWords)} & set(type(task.prompt).model_fields)
    values: Dict[str, Any] = {key: getattr(task.prompt, key) for key in sorted(shared)}
    if name == FEWGEN:
        values["instruction"] = task.prompt.instruction_without_document or FEWGEN_INSTRUCTION
    values["field"] = task.generated.name
    values["carried"] = {spec.name: spec.title for spec in task.carried if spec.origin == "seed"}
    return values
