"""Dataset cartography: a student is watched while it learns the rows; those whose label it does not come to believe go.

The keep rule of SynthesizRR (Divekar & Durrett 2024, appendix; after Swayamdipta et al. 2020) is the default: per label, the 83 % of
rows with the highest confidence, after six epochs. Its student there was DistilBERT; here it is any student config.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spacy_synthesizrr.candidates import label_key
from spacy_synthesizrr.curation.keeping import Keep
from spacy_synthesizrr.curation.verdicts import SwitchedOff, Verdict
from spacy_synthesizrr.errors import ConfigError, choices
from spacy_synthesizrr.set_filters.running import SAID, WORK, Rows, SetBinder, SetFilter, SetInputs
from spacy_synthesizrr.students.cartography import Map, data_map
from spacy_synthesizrr.students.rows import candidate_rows

NAME = "synthesizrr.Cartography.v1"
MEASURES = ("confidence", "variability", "correctness")
REASONS = {"confidence": "low_confidence", "variability": "by_variability", "correctness": "low_correctness"}
DIGITS = 4
FLAT = 0.1  # between the highest and the lowest confidence: less is no map
BINS = 25  # of the data map, on each axis
TRAIN = f"{WORK}/cartography.spacy"  # in a folder that is cleared away when the process was killed


@dataclass(frozen=True)
class Settings:
    """What the config says; see `make_cartography`."""

    keep: str | None
    rule: Keep
    epochs: int
    student: str
    learn_rate: float | None


def make_cartography(
    keep: str | None = "confidence",
    share: float | None = 0.83,
    end: str = "top",
    low: float | None = None,
    high: float | None = None,
    per_label: bool = True,
    epochs: int = 6,
    student: str | None = None,
    learn_rate: float | None = None,
) -> SetBinder:
    """Watch a student while it learns the rows, note confidence, variability and correctness of each, and keep some by one of them.

    keep (str | None): "confidence", "variability" or "correctness"; null keeps all rows and only notes the three.
    share (float | None): Keep this share of the rows of each label, from above 0 to 1.
    end (str): "top" or "bottom": of which end of `keep`.
    low (float | None), high (float | None): Keep rows from low to high.
    per_label (bool): Whether the share is taken of each label, or of all rows together.
    epochs (int): Passes over the rows.
    student (str | None): NAME of configs/student.NAME.cfg; bow by default.
    learn_rate (float | None): Instead of that config's.
    RETURNS (SetBinder): See set_filters/running.py.
    RAISES (ConfigError): For a rule that is none.
    """
    if keep is not None and keep not in MEASURES:
        raise ConfigError(f"Cartography: keep is '{keep}'. {choices(keep, MEASURES)} null keeps all rows.")
    if epochs < 2:
        raise ConfigError(f"Cartography: epochs must be at least 2, or nothing can vary (was: {epochs}).")
    if learn_rate is not None and not 0 < learn_rate < float("inf"):
        raise ConfigError(f"Cartography: learn_rate must be above 0 (was: {learn_rate}).")
    rule = Keep(share, end, low, high, per_label)
    rule.check("Cartography")
    found = Settings(keep, rule, epochs, student or "bow", learn_rate)
    path = Path("configs") / f"student.{found.student}.cfg"
    return SetBinder(lambda inputs: _bind(found, path, inputs), files=(path,))


def _bind(settings: Settings, path: Path, inputs: SetInputs) -> SetFilter | SwitchedOff:
    return Cartography(settings, path, inputs)


@dataclass
class Cartography:
    """See `make_cartography`.

    path (Path): The student's config.
    """

    settings: Settings
    path: Path
    inputs: SetInputs
    _told: dict[str, Any] = field(default_factory=dict)

    def __call__(self, rows: Rows) -> Iterator[Verdict]:
        """See `SetFilter`."""
        labels = [row.labels for row in rows]
        keys = [label_key(own) for own in labels]
        if len({label for own in labels for label in own}) < 2:
            self._told = {"why": "rows of at least two labels are needed", "rows": len(keys)}
            return (Verdict(True) for _ in keys)
        where = self._map(rows)
        values = getattr(where, self.settings.keep) if self.settings.keep else where.confidence
        kept = self.settings.rule.kept(values, keys) if self.settings.keep else np.ones(len(keys), dtype=bool)
        self._tell(where, keys, kept)
        return (self._verdict(where, number, bool(stays)) for number, stays in enumerate(kept))

    def told(self) -> dict[str, Any]:
        """See `Tells`."""
        return self._told

    def _map(self, rows: Rows) -> Map:
        import spacy

        from spacy_synthesizrr.students.config import StudentTask, read_student_config
        from spacy_synthesizrr.students.export import remove_docs, write_docs

        ctx, task = self.inputs.ctx, self.inputs.task
        about = StudentTask(tuple(task.labels), task.exclusive, str(ctx.settings["lang"]))
        config, train = read_student_config(self.path, about), self.inputs.folder / TRAIN
        try:
            write_docs(candidate_rows(rows, task), train, nlp=spacy.blank(about.lang), labels=list(task.labels))
            how: dict[str, Any] = {"seed": ctx.seed, "epochs": self.settings.epochs, "learn_rate": self.settings.learn_rate}
            return data_map(train, config, task=about, **how)
        finally:
            remove_docs(train)

    def _verdict(self, where: Map, number: int, stays: bool) -> Verdict:
        detail = {name: round(float(getattr(where, name)[number]), DIGITS) for name in MEASURES}
        if stays:
            return Verdict(True, detail=detail)
        keep = str(self.settings.keep)
        return Verdict(False, REASONS[keep], detail[keep], detail)

    def _tell(self, where: Map, keys: Sequence[str], kept: Any) -> None:
        settings, names = self.settings, np.array(keys)
        labels: dict[str, Any] = {}
        for key in dict.fromkeys(keys):
            own = names == key
            means = {name: round(float(getattr(where, name)[own].mean()), DIGITS) for name in MEASURES}
            labels[key] = {"rows": int(own.sum()), "kept": int(kept[own].sum()), **means, "map": cells(where, own)}
        self._told = {
            "rows": len(keys), "kept": int(kept.sum()), "keep": settings.keep, "share": settings.rule.share, "end": settings.rule.end,
            "low": settings.rule.low, "high": settings.rule.high, "per_label": settings.rule.per_label,
            "epochs": settings.epochs, "student": settings.student, "bins": BINS, "labels": labels,
            "spread": round(float(np.ptp(where.confidence)), DIGITS), SAID: _said(where, settings),
        }  # fmt: skip


def _said(where: Map, settings: Settings) -> str:
    """RETURNS (str): For the console, where the student hardly learned: the rule then goes by the last digits; else empty."""
    spread = float(np.ptp(where.confidence))
    if spread >= FLAT:
        return ""
    return (
        f"Data map: after {settings.epochs} epochs all rows have nearly the same confidence (spread {spread:.2f}), because the student "
        "made too few updates to tell them apart. Raise `learn_rate` or `epochs` of the set filter."
    )


def cells(where: Map, own: Any) -> list[list[float]]:
    """The data map of some rows as counts.

    own (Booleans): Which rows.
    RETURNS (List[List[float]]): For each of `BINS` × `BINS` cells that is not empty: its column (variability from 0 to 0.5), its row
        (confidence from 0 to 1), rows in it, and their mean correctness.
    """
    across = np.minimum((where.variability[own] * 2 * BINS).astype(int), BINS - 1)
    up = np.minimum((where.confidence[own] * BINS).astype(int), BINS - 1)
    place = up * BINS + across
    counts = np.bincount(place, minlength=BINS * BINS)
    right = np.bincount(place, weights=where.correctness[own], minlength=BINS * BINS)
    return [
        [int(at % BINS), int(at // BINS), int(counts[at]), round(float(right[at] / counts[at]), DIGITS)]
        for at in np.flatnonzero(counts).tolist()
    ]
