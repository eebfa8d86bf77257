"""The words of the later prompts: what a task file says, or what follows from the instructions that every task file has.

All of them are built around an instruction that is right in the task's own words ("Write a headline {verbalization}."), so that a
verbalization stands where it reads well.
"""

from __future__ import annotations

from spacy_synthesizrr.taskfile import TaskSpec

WITHOUT_DOCUMENT = "Write a text {verbalization}."
RATIONALE = (
    'Think of texts that follow this instruction: "{instruction}" Name {n} different reasons why such a text fits it: what it may be '
    "about, say or show. Write each as one short phrase on a line of its own, numbered from 1 to {n}, and nothing else."
)
ATTRIBUTE = (
    'Think of texts that follow this instruction: "{instruction}" Name {n} values of the attribute "{dimension}" that such texts can '
    "have, as different from each other as possible. Write each as one short phrase on a line of its own, numbered from 1 to {n}, and "
    "nothing else."
)
BASIS = "Base it on what is listed above."
EXTRAPOLATE = "{instruction} It should be similar to the text above, but a new text in other words."
EXAMPLE_HEADER = "Example:"
AVOID = 'It must not be what this would ask for: "{instruction}"'


def plain_instruction(task: TaskSpec) -> str:
    """RETURNS (str): What to write, where no passage is refined; a task whose field is the passage shows one all the same."""
    if any(spec.origin == "passage" for spec in task.carried):
        return task.prompt.instruction
    if task.answer:
        return task.prompt.instruction_without_document or task.prompt.instruction
    return task.prompt.instruction_without_document or WITHOUT_DOCUMENT


def rationale_instruction(task: TaskSpec) -> str:
    """RETURNS (str): Asks for {n} reasons for {verbalization}."""
    return task.prompt.rationale_instruction or RATIONALE.replace("{instruction}", plain_instruction(task))


def attribute_instruction(task: TaskSpec, dimension: str) -> str:
    """RETURNS (str): Asks for {n} values of an attribute, for {verbalization}."""
    return ATTRIBUTE.replace("{dimension}", dimension).replace("{instruction}", plain_instruction(task))


def stepbystep_instruction(task: TaskSpec) -> str:
    """RETURNS (str): Asks for a text, from reasons and attributes if there are any."""
    return task.prompt.stepbystep_instruction or plain_instruction(task)


def basis_instruction(task: TaskSpec) -> str:
    """RETURNS (str): What follows it where there are some."""
    return task.prompt.basis_instruction or BASIS


def extrapolate_instruction(task: TaskSpec) -> str:
    """RETURNS (str): Asks for another text like the one that is shown."""
    return task.prompt.extrapolate_instruction or EXTRAPOLATE.replace("{instruction}", plain_instruction(task))


def avoid_words(instruction: str) -> str:
    """RETURNS (str): Says what a text must not be: what an instruction would ask for with another label."""
    return AVOID.replace("{instruction}", instruction)


def avoid_instruction(task: TaskSpec) -> str:
    """RETURNS (str): Says what a text must not be; {verbalization} is the wrong label's."""
    return task.prompt.avoid_instruction or avoid_words(plain_instruction(task))


def example_header(task: TaskSpec) -> str:
    """RETURNS (str): Announces the text that another one shall be like."""
    return task.prompt.example_header or EXAMPLE_HEADER
