"""What a strategy's config says about the plan: the section [plan] of configs/strategy.*.cfg.

Numbers that differ between the in-context modes (shots, ranks) follow the mode unless the config gives them; the values
are those of SynthesizRR (Divekar & Durrett 2024, §3 and appendix on hyper-parameters).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from spacy_synthesizrr.configs import Settings
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.sourcing.dimension_settings import DimensionSettings
from spacy_synthesizrr.stores.asking import Filter, Search, conditions
from spacy_synthesizrr.stores.asking import Mode as SearchMode

RETRICL = "retricl"
MAIN, RANDOM, FEWGEN = "main", "random", "fewgen"  # the arms that have a plan; FewGen is a mode too
S3_SEED, ZEROGEN, EXTRAPOLATE = "s3-seed", "zerogen", "extrapolate"
WRITTEN = (FEWGEN, S3_SEED, ZEROGEN, EXTRAPOLATE)  # modes in which nothing is retrieved: the teacher writes of its own
COPY = 0.9  # cosine above which SynthesizRR takes a passage for a copy of the query
SCALES: Mapping[SearchMode, tuple[float, float]] = {"vector": (-1, 1), "keyword": (0, math.inf), "hybrid": (0, 1)}  # of scores
Mode = Literal["zero-shot", "retricl", "non-retricl", "fewgen", "s3-seed", "zerogen", "extrapolate"]
Arm = Literal["seed-only", "gold", "retrieve-only", "random", "fewgen"]


@dataclass(frozen=True)
class ModeDefaults:
    """What a mode asks for when the config is silent: shots per prompt, and ranks of the hits that become inputs."""

    shots: int
    ranks: tuple[int, int]


MODES: Mapping[str, ModeDefaults] = {
    "zero-shot": ModeDefaults(0, (1, 50)),
    "retricl": ModeDefaults(3, (3, 50)),
    "non-retricl": ModeDefaults(32, (1, 50)),
    "fewgen": ModeDefaults(32, (1, 50)),
    **dict.fromkeys((S3_SEED, ZEROGEN, EXTRAPOLATE), ModeDefaults(0, (1, 50))),
}


class Window(Settings):
    """Similarities between which a hit is taken; both edges belong to it.

    Absolute edges are similarities and hold for one embedder only. Quantile edges are shares of the hits that were
    observed in the same ranks: low = 0.1 turns the furthest tenth away.
    """

    kind: Literal["quantile", "absolute"] = "quantile"
    low: float = 0.1
    high: float = 0.99

    @model_validator(mode="after")
    def _edges_are_in_order(self) -> Window:
        if self.low >= self.high:
            raise ValueError(f"low must be smaller than high (low = {self.low}, high = {self.high})")
        if self.kind == "quantile" and not 0 <= self.low < self.high <= 1:
            raise ValueError(
                f'quantiles lie between 0 and 1 (low = {self.low}, high = {self.high}); for similarities set kind = "absolute"'
            )
        return self


class Retrieval(Settings):
    """How passages are searched for, beside `search` and `hits`; see `Search` of the stores for each.

    alpha (float): Share of the vector search in a hybrid one.
    min_similarity (float): Hits with a smaller score are none, before any window.
    diversity (float): Balance of maximal marginal relevance between score (1) and difference from the hits before (0).
    fetch (int): Candidates of a hybrid or diverse search.
    per_document (int): Most hits of one document for one seed.
    where (Tuple[Tuple[str, str, Any], ...]): What must hold of a passage: field, operator and value, all of them.
    """

    alpha: float = Field(0.5, ge=0, le=1)
    min_similarity: float | None = Field(None, allow_inf_nan=False)
    diversity: float | None = Field(None, ge=0, le=1)
    fetch: int | None = Field(None, ge=1)
    per_document: int | None = Field(None, ge=1)
    where: tuple[tuple[str, str, Any], ...] = ()

    @field_validator("where", mode="before")
    @classmethod
    def _where_is_a_list_of_conditions(cls, value: Any) -> Any:
        rows = value if isinstance(value, (list, tuple)) else [value]
        if not all(
            isinstance(row, (list, tuple)) and len(row) == 3 and isinstance(row[0], str) and isinstance(row[1], str) for row in rows
        ):
            raise ValueError('is a list of [field, operator, value], such as [["source", "==", "news"], ["date", ">=", "2026-01-01"]]')
        try:
            conditions(rows)
        except ConfigError as error:
            raise ValueError(f"is wrong: {error}") from None
        return rows


class ContextBand(Settings):
    """How much of a passage a prompt takes, in teacher tokens: shorter passages are left out, longer ones are cut."""

    min_tokens: int = Field(20, ge=0)
    max_tokens: int = Field(400, ge=1)

    @model_validator(mode="after")
    def _band_is_in_order(self) -> ContextBand:
        if self.min_tokens > self.max_tokens:
            raise ValueError(f"min_tokens must not exceed max_tokens (min_tokens = {self.min_tokens}, max_tokens = {self.max_tokens})")
        return self


class MarginRule(Settings):
    """Which passages speak for their own label rather than for another.

    on (bool): Order the passages of a seed by margin, and keep the best share.
    nearest (int): Number of nearest seeds of each label whose similarities are averaged.
    keep (float): Share of the label's passages that stays, largest margins first.
    minimum (float): Passages with a smaller margin are left out; 0 means that the nearest label must be the own.
    """

    on: bool = True
    nearest: int = Field(3, ge=1)
    keep: float = Field(0.5, gt=0, le=1)
    minimum: float | None = None


class Quotas(Settings):
    """Most uses of one passage and of one document, over all labels."""

    per_passage: int = Field(1, ge=1)
    per_document: int = Field(5, ge=1)


class LeakGate(Settings):
    """Which passages count as leaks of dev and test.

    ngram (int): Words that a passage and a gold text must share in a row.
    similarity (float): Passages closer than this to a gold text; "window" takes the upper edge of the input window, null
        switches this check off. A quantile edge says how close passages usually are and not what a copy is: where it lies
        below 0.9, the similarity that SynthesizRR takes for a copy, 0.9 holds.
    """

    ngram: int = Field(8, ge=2)
    similarity: Annotated[float, Field(ge=-1, le=1)] | Literal["window"] | None = "window"

    def threshold(self, window: Window, upper_edge: float, search: SearchMode = "vector") -> float | None:
        """RETURNS (float): The cosine above which a passage is a leak, given the input window and its upper edge."""
        if self.similarity != "window":
            return self.similarity
        if search != "vector":  # the edge is a score of another kind
            return COPY
        return upper_edge if window.kind == "absolute" else max(upper_edge, COPY)


class Controls(Settings):
    """Arms that run beside the plan, and the shots of the FewGen control."""

    arms: tuple[Arm, ...] = ("seed-only", "gold", "retrieve-only", "random", "fewgen")
    fewgen_shots: int = Field(3, ge=0)


class Sampling(Settings):
    """How the preset's source sampled. Recorded with the plan and read by nothing: the teacher's own config decides."""

    top_p: float = Field(0.9, gt=0, le=1)
    temperature: float = Field(0.95, ge=0)


class EmbedderWish(Settings):
    """The embedder that the preset was made for. The index's own embedder is used; this is recorded with the plan.

    name (str): Where it is another, absolute windows become quantiles and the user is told; an empty name means any.
    pooling (str), max_tokens (int), similarity (str): Read by nothing.
    """

    name: str = ""
    pooling: str = ""
    max_tokens: int | None = None
    similarity: str = "cosine"


class PlanSettings(Settings):
    """The section [plan]: content sourcing from seeds to planned candidates.

    preset (str): Name under which the report shows these settings.
    mode (str): What a prompt shows besides the passage: nothing, pairs of passage and seed, seeds; or no passage at all. In "s3-seed" it
        shows values of the dimensions, in "zerogen" the label alone; "extrapolate" is for the rounds of a loop.
    dimensions (Mapping[str, DimensionSettings]): What the rows of "s3-seed" are written from.
    rationales (str): Path of the file of their values; in the run's folder by default.
    shots (int): Shots per prompt; the mode's own number by default.
    search (str): What the store searches by: "vector", "keyword", or "hybrid" for both.
    retrieval (Retrieval): How it searches.
    hits (int): Hits kept per seed.
    ranks (Tuple[int, int]): First and last rank of inputs; the mode's own by default.
    pair_ranks (Tuple[int, int]): Ranks kept back for pairs; used in RetrICL only.
    overgenerate (float): Planned rows per wanted row; the surplus is the reserve.
    seeds_per_label (int): Most seeds used per label; null means all. `seeds_per_label_binary` holds with two labels.
    cartography_keep (float): Share per label that the preset's source kept by confidence; recorded and read by nothing.
    window (Window), pair_window (Window): Similarities of inputs and of in-context pairs.
    """

    preset: str = "synthesizrr"
    mode: Mode = "zero-shot"
    shots: int | None = Field(None, ge=0)
    search: SearchMode = "vector"
    retrieval: Retrieval = Retrieval()
    hits: int = Field(50, ge=1)
    ranks: tuple[int, int] | None = None
    pair_ranks: tuple[int, int] = (1, 2)
    overgenerate: float = Field(2.0, ge=1)
    seeds_per_label: int | None = Field(None, ge=1)
    seeds_per_label_binary: int | None = Field(None, ge=1)
    cartography_keep: float | None = Field(None, gt=0, le=1)
    window: Window = Window()
    pair_window: Window = Window(low=0.25)
    context: ContextBand = ContextBand()
    margin: MarginRule = MarginRule()
    quotas: Quotas = Quotas()
    leaks: LeakGate = LeakGate()
    controls: Controls = Controls()
    sampling: Sampling = Sampling()
    embedder: EmbedderWish = EmbedderWish()
    dimensions: dict[str, DimensionSettings] = Field(default_factory=dict)
    rationales: str = ""

    @model_validator(mode="after")
    def _dimensions_are_of_use(self) -> PlanSettings:
        if self.dimensions and self.mode != S3_SEED:
            raise ValueError(f'[plan.dimensions] needs mode = "{S3_SEED}" (was: "{self.mode}"), in which rows are written from them')
        return self

    @model_validator(mode="after")
    def _ranks_are_sound(self) -> PlanSettings:
        for name, (low, high) in (("ranks", self.input_ranks), ("pair_ranks", self.pair_ranks)):
            if not 1 <= low <= high:
                raise ValueError(f"{name} count from 1, the lower one first (was: {low}, {high})")
            if high > self.hits and self.mode not in WRITTEN:
                raise ValueError(f"{name} {low}-{high} need at least {high} hits (hits = {self.hits})")
        if self.mode == RETRICL and self.input_ranks[0] <= self.pair_ranks[1]:
            raise ValueError(
                f"ranks must start after pair_ranks, which are never inputs (ranks {self.input_ranks}, pair_ranks {self.pair_ranks})"
            )
        return self

    @model_validator(mode="after")
    def _retrieval_fits_the_search(self) -> PlanSettings:
        at_least, fetch = self.retrieval.min_similarity, self.retrieval.fetch
        low, high = SCALES[self.search]
        if at_least is not None and not low <= at_least <= high:
            raise ValueError(
                f'retrieval.min_similarity must lie between {low:g} and {high:g} with search = "{self.search}" (was: {at_least})'
            )
        if fetch is not None and fetch < self.hits:
            raise ValueError(f"retrieval.fetch must be {self.hits} or more, as many as hits (was: {fetch})")
        return self

    @property
    def how(self) -> Search:
        """RETURNS (Search): How the store is asked."""
        return Search(self.search, **self.retrieval.model_dump(exclude={"where"}))

    @property
    def filter(self) -> Filter:
        """RETURNS (Filter): Which passages may be found."""
        return Filter(where=conditions(self.retrieval.where))

    @property
    def shots_wanted(self) -> int:
        """RETURNS (int): Shots per prompt."""
        return MODES[self.mode].shots if self.shots is None else self.shots

    @property
    def input_ranks(self) -> tuple[int, int]:
        """RETURNS (Tuple[int, int]): First and last rank of the hits that become inputs."""
        return MODES[self.mode].ranks if self.ranks is None else self.ranks
