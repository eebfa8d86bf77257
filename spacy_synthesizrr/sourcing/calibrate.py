"""Look at the similarities between seeds and passages before setting windows: each embedder has its own scale."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.candidates import Seed
from spacy_synthesizrr.sourcing.histograms import Histogram, histogram, quantiles
from spacy_synthesizrr.sourcing.hits import Hits
from spacy_synthesizrr.sourcing.plan import retrieve
from spacy_synthesizrr.sourcing.seeds import group_seeds
from spacy_synthesizrr.sourcing.settings import PlanSettings, Window
from spacy_synthesizrr.sourcing.windows import edges, fit_to_embedder, score_remark
from spacy_synthesizrr.taskfile import TaskSpec

if TYPE_CHECKING:
    from spacy_synthesizrr.stores.base import Store

BANDS = ((1, 2), (3, 10), (11, 50), (51, 200), (201, 500))
BAR = 40  # characters of the longest bar


@dataclass(frozen=True)
class Calibration:
    """What the hits of all seeds look like.

    embedder (str): Id of the embedder.
    by_label (Histogram): Counts by label set.
    by_band (Histogram): Counts by band of ranks, such as "ranks 3-10".
    quantiles (Mapping[str, Mapping[str, float]]): For all hits, each label set and each band.
    proposals (Mapping[str, Window]): For [plan.window] and [plan.pair_window], absolute.
    remark (str): Whether the settings were made for another embedder.
    """

    embedder: str
    by_label: Histogram
    by_band: Histogram
    quantiles: Mapping[str, Mapping[str, float]]
    proposals: Mapping[str, Window]
    remark: str = ""

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): JSON."""
        return {
            "v": 1,
            "embedder": self.embedder,
            "by_label": self.by_label.to_dict(),
            "by_band": self.by_band.to_dict(),
            "quantiles": {name: dict(values) for name, values in self.quantiles.items()},
            "proposals": {name: window.model_dump() for name, window in self.proposals.items()},
            "remark": self.remark,
        }


def calibrate(seeds: Iterable[Seed], store: Store, *, task: TaskSpec, settings: PlanSettings, seed: int) -> Calibration:
    """Search for every seed, count the similarities, and propose windows.

    The proposal is the usual quantile window, written as similarities: it leaves out the furthest tenth of the inputs,
    which are about something else, and the closest hundredth, which may be copies of a seed.
    """
    seed_set = group_seeds(seeds, task=task, settings=settings, seed=seed)
    fitted, remark = fit_to_embedder(settings, store.embedder.id)
    if settings.search != "vector":
        remark = " ".join(filter(None, [remark, score_remark(settings)]))
    hits = retrieve(seed_set, store, task=task, settings=fitted)[1]
    bands = _bands(hits)
    labels = {key: seed_set.group[hits.seed] == i for i, key in enumerate(seed_set.keys)}
    everything = {"all": np.ones(len(hits), dtype=bool), **labels, **bands}
    return Calibration(
        embedder=store.embedder.id,
        by_label=histogram(hits.similarity, labels),
        by_band=histogram(hits.similarity, bands),
        quantiles={name: quantiles(hits.similarity[mine]) for name, mine in everything.items()},
        proposals=_proposals(hits, fitted) if settings.search == "vector" else {},
        remark=remark,
    )


def _bands(hits: Hits) -> dict[str, np.ndarray]:
    found = {f"ranks {low}-{high}": hits.between((low, high)) for low, high in BANDS}
    return {name: mine for name, mine in found.items() if mine.any()}


def _proposals(hits: Hits, settings: PlanSettings) -> dict[str, Window]:
    found = {}
    usual = PlanSettings()
    for name, ranks in (("window", settings.input_ranks), ("pair_window", settings.pair_ranks)):
        observed = hits.similarity[hits.between(ranks)]
        if len(observed):
            at = edges(getattr(usual, name), observed)
            found[name] = Window(kind="absolute", low=round(at.low, 3), high=max(round(at.high, 3), round(at.low, 3) + 0.001))
    return found


def render(calibration: Calibration) -> str:
    """RETURNS (str): The calibration for a terminal: bars, quantiles, and lines to paste into the strategy's config."""
    return "\n".join(_lines(calibration))


def _lines(calibration: Calibration) -> Iterator[str]:
    yield f"Similarities between seeds and their hits, by {calibration.embedder}"
    if calibration.remark:
        yield calibration.remark
    total = [sum(column) for column in zip(*calibration.by_label.counts.values(), strict=True)]
    longest = max(total, default=0) or 1
    for low, high, count in zip(calibration.by_label.edges, calibration.by_label.edges[1:], total, strict=False):
        yield f"{low:7.3f} to {high:6.3f}  {'█' * round(BAR * count / longest):<{BAR}}  {count:,}"
    yield ""
    width = max(map(len, calibration.quantiles), default=0)
    names = list(calibration.quantiles.get("all", ()))
    yield f"{'quantile':<{width}}" + "".join(f"{name:>8}" for name in names)
    for name, values in calibration.quantiles.items():
        yield f"{name:<{width}}" + "".join(f"{value:8.3f}" for value in values.values())
    if not calibration.proposals:
        return
    yield ""
    yield "Absolute windows for this embedder and corpus, to paste into the strategy's config:"
    for name, window in calibration.proposals.items():
        yield f'[plan.{name}]\nkind = "absolute"\nlow = {window.low:g}\nhigh = {window.high:g}'
