"""What a task file says to each task: the config sections of `[components.….task]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Dict, List

from spacy_synthesizrr import instructions
from spacy_synthesizrr.errors import ConfigError, choices
from spacy_synthesizrr.taskfile import TaskSpec
from spacy_synthesizrr.tasks.words import MODES, PromptWords

REFINE, FEWGEN = "synthesizrr.Refine.v1", "synthesizrr.FewGen.v1"
STEPBYSTEP, EXTRAPOLATE = "synthesizrr.StepByStep.v1", "synthesizrr.Extrapolate.v1"
TASK_OF: Mapping[str, str] = {
    **dict.fromkeys(MODES, REFINE), "fewgen": FEWGEN, "s3-seed": STEPBYSTEP, "zerogen": STEPBYSTEP, "extrapolate": EXTRAPOLATE,
}  # fmt: skip
WITHOUT_HEADER = (FEWGEN, EXTRAPOLATE)  # of documents, which their prompts do not show


def task_config(task: TaskSpec, *, mode: str) -> Dict[str, Any]:
    """The config section of a task file: `nlp.add_pipe("llm_synthesizrr", config={"task": task_config(task, mode=...)})`.

    task (TaskSpec): The task file. Everything is copied into the section; the file is not needed afterwards.
    mode (str): "zero-shot", "retricl", "non-retricl", "fewgen", "s3-seed", "zerogen" or "extrapolate".
    RETURNS (Dict[str, Any]): With "@llm_tasks"; labels as a list, because confection splits keys at "=" and ":".
    RAISES (ConfigError): For an unknown mode.
    """
    if mode not in TASK_OF:
        raise ConfigError(f"Unknown mode '{mode}'. {choices(mode, TASK_OF)}")
    name = TASK_OF[mode]
    section = {**words_of(task, name), "labels": label_rows(task)}
    if name in WITHOUT_HEADER:
        section.pop("document_header")
    if name == REFINE:
        section["mode"] = mode
    return {"@llm_tasks": name, **section}


def label_rows(task: TaskSpec) -> List[Dict[str, str]]:
    """RETURNS (List[Dict[str, str]]): The labels of a task file as a config has them."""
    return [{"name": name, "verbalization": spec.verbalization, "definition": spec.definition} for name, spec in task.labels.items()]


def words_of(task: TaskSpec, name: str) -> Dict[str, Any]:
    """The words of a task file that a task shares with it; a carried field that is the passage itself is not shown twice.

    name (str): Registered name of the task.
    RETURNS (Dict[str, Any]): Arguments of the task's factory.
    """
    shared = {spec.name for spec in fields(PromptWords)} & set(type(task.prompt).model_fields) - {"basis_instruction", "avoid_instruction"}
    values: Dict[str, Any] = {key: getattr(task.prompt, key) for key in sorted(shared)}
    if name == FEWGEN:
        values["instruction"] = task.prompt.instruction_without_document or instructions.WITHOUT_DOCUMENT
    elif name == STEPBYSTEP:
        values["instruction"] = instructions.stepbystep_instruction(task)
        values["basis_instruction"] = instructions.basis_instruction(task)
    elif name == EXTRAPOLATE:
        values["instruction"] = instructions.extrapolate_instruction(task)
        values["avoid_instruction"] = instructions.avoid_instruction(task)
        values["example_header"] = instructions.example_header(task)
    elif task.prompt.avoid_instruction:
        values["avoid_instruction"] = task.prompt.avoid_instruction
    values["field"] = task.generated.name
    values["carried"] = {spec.name: spec.title for spec in task.carried if spec.origin == "seed" or name == EXTRAPOLATE}
    return values
