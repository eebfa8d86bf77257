"""The registered tasks of S3 (Wang et al. 2023): `synthesizrr.StepByStep.v1` and `synthesizrr.Extrapolate.v1`."""

from __future__ import annotations

from typing import Dict

from spacy_synthesizrr.instructions import BASIS, EXAMPLE_HEADER
from spacy_synthesizrr.tasks.registry import Labels, make_task
from spacy_synthesizrr.tasks.sections import EXTRAPOLATE, STEPBYSTEP
from spacy_synthesizrr.tasks.task import SynthesisTask


def make_stepbystep_task(
    labels: Labels = None,
    task: str | None = None,
    instruction: str | None = None,
    *,
    basis_instruction: str | None = None,
    document_header: str | None = None,
    answer_header: str | None = None,
    length_hint: str | None = None,
    refusal_marker: str | None = None,
    length_header: str | None = None,
    refusal_instruction: str | None = None,
    max_words: int | None = None,
    field: str | None = None,
    carried: Dict[str, str] | None = None,
    max_context: int = 400,
    template: str | None = None,
    typical_refusals: bool = True,
) -> SynthesisTask:
    """Write a text of a label from some reasons for that label and other attributes: the second half of explain-then-generate
    (S3, Wang et al. 2023, §2.3; attributes: AttrPrompt, Yu et al. 2023). Without either it is the plain label prompt of ZeroGen.

    Reasons and attributes come with each planned candidate, under "rationales": {"header", "text"}. A passage is shown where a
    candidate has one.

    instruction (str): What to write; `{verbalization}` marks the label's place. From a task file it is `stepbystep_instruction`, else
        `instruction_without_document`.
    basis_instruction (str): What follows it where reasons or attributes are shown.
    RETURNS (SynthesisTask): The task. See `make_refine_task` for the other arguments.
    """
    given = {
        "instruction": instruction, "basis_instruction": basis_instruction, "document_header": document_header,
        "answer_header": answer_header, "length_hint": length_hint, "refusal_marker": refusal_marker, "length_header": length_header,
        "refusal_instruction": refusal_instruction, "max_words": max_words, "field": field, "carried": carried,
        "max_context": max_context, "typical_refusals": typical_refusals,
    }  # fmt: skip
    if basis_instruction is None and task is None:
        given["basis_instruction"] = BASIS
    return make_task(STEPBYSTEP, given, labels=labels, task=task, template=template)


def make_extrapolate_task(
    labels: Labels = None,
    task: str | None = None,
    instruction: str | None = None,
    *,
    example_header: str | None = None,
    avoid_instruction: str | None = None,
    answer_header: str | None = None,
    length_hint: str | None = None,
    refusal_marker: str | None = None,
    length_header: str | None = None,
    refusal_instruction: str | None = None,
    max_words: int | None = None,
    field: str | None = None,
    carried: Dict[str, str] | None = None,
    template: str | None = None,
    typical_refusals: bool = True,
) -> SynthesisTask:
    """Write another text like one that a student got wrong, with the same label (S3, Wang et al. 2023, §2.5).

    The text comes with each planned candidate, under "parent"; labels that the new text must not be taken for, under "avoid".

    instruction (str): What to write; `{verbalization}` marks the label's place. From a task file it is `extrapolate_instruction`,
        else built around `instruction_without_document`.
    example_header (str): Announces the text that is shown; an answer that repeats the two is known by it.
    avoid_instruction (str): What follows the instruction where there are labels to avoid; `{verbalization}` marks their place.
    RETURNS (SynthesisTask): The task. See `make_refine_task` for the other arguments.
    """
    given = {
        "instruction": instruction, "example_header": example_header, "avoid_instruction": avoid_instruction,
        "answer_header": answer_header, "length_hint": length_hint, "refusal_marker": refusal_marker, "length_header": length_header,
        "refusal_instruction": refusal_instruction, "max_words": max_words, "field": field, "carried": carried,
        "typical_refusals": typical_refusals,
    }  # fmt: skip
    if example_header is None and task is None:
        given["example_header"] = EXAMPLE_HEADER
    return make_task(EXTRAPOLATE, given, labels=labels, task=task, template=template)
