"""The words that prompts are made of: labels with their verbalizations, and the phrases around a passage."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from spacy_synthesizrr.errors import ConfigError, choices
from spacy_synthesizrr.instructions import avoid_words

Mode = Literal["zero-shot", "retricl", "non-retricl"]
MODES = ("zero-shot", "retricl", "non-retricl")
LABEL_KEYS = ("name", "verbalization", "definition")
LENGTH_HEADER = "Length:"
REFUSAL_INSTRUCTION = "If the text above cannot serve this, write only:"
PLACEHOLDER = "{verbalization}"


@dataclass(frozen=True)
class LabelWords:
    """How a label is put into words.

    verbalization (str): The phrase that completes the instruction, such as "about sport".
    definition (str): What belongs under the label.
    """

    verbalization: str
    definition: str = ""


@dataclass(frozen=True)
class PromptWords:
    """The phrases of a prompt and its form.

    instruction (str): What to do; `{verbalization}` marks the label's place.
    document_header (str), answer_header (str): Lines that announce the passage and the answer.
    length_hint (str): Such as "one or two short sentences".
    refusal_marker (str): What the teacher writes when a passage cannot serve the label.
    length_header (str), refusal_instruction (str): What stands before the two, in the language of the prompt.
    max_words (int): Longest answer, in words; rule-based teachers trim to it.
    field (str): Name of the field that the teacher writes.
    carried (Mapping[str, str]): Header of each field that is shown but not written.
    mode (str): "zero-shot" leaves shots out, "retricl" shows passage → text, "non-retricl" shows texts only.
    max_context (int): Longest passage, in tokens as the plan estimates them; it is cut at a sentence.
    chat_turns (bool): Shots as turns of user and assistant instead of one message.
    typical_refusals (bool): Whether an answer that opens as refusals do is one, beside the refusal marker.
    basis_instruction (str): What follows the instruction where reasons or attributes are shown.
    avoid_instruction (str): What follows it where a text must not be taken for another label, which `{verbalization}` names; by default
        the instruction itself, quoted as what must not fit.
    """

    instruction: str
    document_header: str = "Document:"
    answer_header: str = "Answer:"
    length_header: str = LENGTH_HEADER
    length_hint: str = ""
    refusal_instruction: str = REFUSAL_INSTRUCTION
    refusal_marker: str = ""
    max_words: int = 120
    field: str = "text"
    carried: Mapping[str, str] = dataclasses.field(default_factory=dict)
    mode: str = "zero-shot"
    max_context: int = 400
    chat_turns: bool = False
    typical_refusals: bool = True
    basis_instruction: str = ""
    avoid_instruction: str = ""

    def avoid(self, verbalizations: Sequence[str]) -> str:
        """RETURNS (str): What the text must not be, one sentence for each wrong label; empty without any."""
        said = self.avoid_instruction or avoid_words(self.instruction)
        return " ".join(said.replace(PLACEHOLDER, one) for one in verbalizations)


def read_labels(value: Mapping[str, Any] | Sequence[Any] | str | None) -> dict[str, LabelWords]:
    """Read the labels of a task config.

    value (Mapping | Sequence | str | None): Label → verbalization, label → {verbalization, definition}, a list of
        {name, verbalization, definition} (safe for any name), a list of names, or names separated by commas.
    RETURNS (Dict[str, LabelWords]): In the order given; a bare name is put into words as "about NAME".
    RAISES (ConfigError): For an empty name, a name given twice, or an unknown key.
    """
    if value is None:
        return {}
    if isinstance(value, str):
        value = [name.strip() for name in value.split(",") if name.strip()]
    pairs = value.items() if isinstance(value, Mapping) else ((item, None) for item in value)
    rows = [_label_row(name, about) for name, about in pairs]
    found: dict[str, LabelWords] = {}
    for name, words in rows:
        if not name.strip():
            raise ConfigError("[task.labels] holds a label without a name. Give each label a name.")
        if name in found:
            raise ConfigError(f"[task.labels] names the label '{name}' twice. Keep one of them.")
        found[name] = words
    return found


def _label_row(item: Any, about: Any) -> tuple[str, LabelWords]:
    row = {"name": item} if isinstance(item, str) else dict(item)
    row.update({"verbalization": about} if isinstance(about, str) else dict(about or {}))
    unknown = [key for key in row if key not in LABEL_KEYS]
    if unknown:
        raise ConfigError(
            f"[task.labels] has the unknown key '{unknown[0]}' (label {row.get('name')!r}). {choices(unknown[0], LABEL_KEYS)}"
        )
    name = str(row.get("name", ""))
    return name, LabelWords(str(row.get("verbalization") or f"about {name}"), str(row.get("definition") or ""))


def join_phrases(phrases: Sequence[str]) -> str:
    """RETURNS (str): "a", "a and b", "a, b and c": the verbalizations of a label set as one phrase."""
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"
