"""The part of a task file from which prompts are made."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import Field, model_validator

from spacy_synthesizrr.label_sets import NO_REFERENCE, REFERENCE
from spacy_synthesizrr.yaml_lines import Spec

FIRST = ("instruction", "instruction_without_document")
PLACEHOLDERS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys((*FIRST, "stepbystep_instruction", "extrapolate_instruction", "avoid_instruction"), ("verbalization",)),
    "rationale_instruction": ("verbalization", "n"),
    "basis_instruction": (),
}
LACKS = {
    "verbalization": "{verbalization} is missing: without it the teacher is not told the label",
    "n": "{n} is missing: without it the teacher is not told how many to name",
}
LATER = (*tuple(PLACEHOLDERS)[2:], "example_header")  # words that came later


class Words(Spec):
    """What gets into the teacher's config, where `${` begins a reference to another section."""

    @model_validator(mode="after")
    def _refers_to_nothing(self) -> Words:
        for name, value in self:
            if isinstance(value, str) and REFERENCE in value:
                raise ValueError(f"{name}: {NO_REFERENCE}")
        return self


class PromptSpec(Words):
    """The words that prompts are made of."""

    document_header: str = "Document:"
    instruction: str = Field(min_length=1, description="What to do with the document; {verbalization} marks the label's place.")
    instruction_without_document: str = Field("", description="The same for prompts without a document (FewGen).")
    answer_header: str = "Answer:"
    length_header: str = Field("Length:", description="What stands before the length hint.")
    length_hint: str = Field("", description="Such as 'one or two short sentences'.")
    refusal_instruction: str = Field(
        "If the text above cannot serve this, write only:", description="What stands before the refusal marker."
    )
    refusal_marker: str = Field("", description="What the teacher writes when a document cannot serve the label.")
    max_words: int = Field(120, ge=3, description="Longest text that is accepted, in words.")
    min_words: int = Field(3, ge=1, description="Shortest text that is accepted, in words.")
    rationale_instruction: str = Field("", description="Asks for reasons; {verbalization} and {n} mark their places.")
    stepbystep_instruction: str = Field("", description="Asks for a text from reasons and attributes.")
    basis_instruction: str = Field("", description="What follows it where reasons or attributes are shown.")
    extrapolate_instruction: str = Field("", description="Asks for another text like the one that is shown.")
    example_header: str = Field("", description="Announces the text that is shown.")
    avoid_instruction: str = Field("", description="Says what the text must not be; {verbalization} marks the wrong label's place.")

    @model_validator(mode="after")
    def _placeholders_are_known(self) -> PromptSpec:
        for name, known in PLACEHOLDERS.items():
            text = getattr(self, name)
            unknown = sorted(set(re.findall(r"\{(\w*)\}", text)) - {*known})
            if unknown:
                only = " and ".join(f"{{{one}}}" for one in known)
                valid = f"the only {'one is' if len(known) == 1 else 'ones are'} {only}" if known else "there are none here"
                raise ValueError(f"unknown placeholder '{{{unknown[0]}}}'; {valid}" + ("" if name in FIRST else f" (in {name})"))
        return self

    def lacks(self, *, labels: bool) -> str:
        """What an instruction does not tell the teacher though it must.

        labels (bool): Whether the task has labels that it must be told.
        RETURNS (str): In words; empty when nothing is missing.
        """
        for name, known in PLACEHOLDERS.items():
            for one in known if getattr(self, name) else ():
                if f"{{{one}}}" not in getattr(self, name) and (labels or one != "verbalization"):
                    return LACKS[one] + ("" if name in FIRST else f" (in {name})")
        return ""

    @property
    def unsaid(self) -> set[str]:
        """RETURNS (Set[str]): The later words that a file leaves to the defaults."""
        return {name for name in LATER if not getattr(self, name)}
