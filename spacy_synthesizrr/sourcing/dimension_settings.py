"""What a strategy's config says about a dimension: a section [plan.dimensions.NAME] of configs/strategy.*.cfg."""

from __future__ import annotations

from pydantic import Field, model_validator

from spacy_synthesizrr.configs import Settings

REASONS = "rationale"  # the dimension of S3


class DimensionSettings(Settings):
    """What a row is written from: reasons, or an attribute such as style. See `dimensions`.

    values (Tuple[str, ...] | Mapping): By hand: one list, or a list per label. Else the teacher is asked for `n` of them.
    n (int): Values to ask for; per label, if `by_label`.
    draws (int): How often each list is asked for at most: again, while it cannot be read or has fewer than `n` values.
    instruction (str): How they are asked for, with {n} and {verbalization}; by default in the words of the task.
    by_label (bool): Whether each label has values of its own.
    shared (bool): Whether labels may share a value. Else one that was asked for is left out, and one that a person wrote is told of.
    header (str): What announces them in a prompt; the name by default.
    per_row (int): Values that a prompt shows.
    pairs (bool): Whether it also holds for tasks with fields that are not written. By default reasons do not: S3 has none there.
    """

    values: tuple[str, ...] | dict[str, tuple[str, ...]] | None = None
    n: int | None = Field(None, ge=1)
    draws: int = Field(3, ge=1)
    instruction: str = ""
    by_label: bool = True
    shared: bool = False
    header: str = ""
    per_row: int = Field(1, ge=1)
    pairs: bool | None = None

    @model_validator(mode="after")
    def _values_have_one_source(self) -> DimensionSettings:
        if (self.values is None) == (self.n is None):
            raise ValueError("a dimension has either `values`, or a number `n` of them to ask for")
        if self.values is not None and self.instruction:
            raise ValueError("`instruction` asks for values, and `values` gives them: leave one of them out")
        if self.values is not None and "draws" in self.model_fields_set:
            raise ValueError("`draws` says how often values are asked for, and `values` gives them: leave one of them out")
        if self.n is not None and self.n < self.per_row:
            raise ValueError(f"n must be {self.per_row} or more, as many as `per_row` (was: {self.n})")
        for place in ("{n}", *(("{verbalization}",) if self.by_label else ())) if self.instruction else ():
            if place not in self.instruction:
                raise ValueError(f"instruction lacks {place}, which marks a place in it")
        return self
