"""configs/measure.cfg: what is measured, on how many rows, with which pipeline and embedder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from spacy_synthesizrr.configs import Settings, section
from spacy_synthesizrr.errors import ConfigError, choices

PATH = Path("configs/measure.cfg")
Section = Literal["self_bleu", "entities", "mauve", "preservation", "vectors", "gaps", "novelty", "sources"]
SECTIONS: tuple[Section, ...] = ("self_bleu", "entities", "mauve", "preservation", "vectors", "gaps", "novelty", "sources")
BESIDE = ("measure", "embedder")  # sections of the file


class EntitySettings(Settings):
    """pipeline (str): Package or folder of a spaCy pipeline with entities. sample (int): Rows of a set. top (int): Listed per type."""

    pipeline: str | None = None
    sample: int = Field(2000, ge=1)
    top: int = Field(10, ge=1)


class MauveSettings(Settings):
    """clusters (int), scaling (float): See `metrics.mauve`. smallest (int): Rows on each side, at least. repeats (int): Other samples."""

    clusters: int = Field(30, ge=2)
    scaling: float = Field(1.0, gt=0)
    smallest: int = Field(30, ge=4)
    repeats: int = Field(3, ge=1)


class MeasureSettings(Settings):
    """The section [measure].

    leave_out (Tuple[str, ...]): Of `SECTIONS`.
    sample (int): Rows of a set at most, wherever a measure holds texts in memory.
    vectors (int): Rows of a set that are embedded at most.
    judged (int): Rows that label preservation trains on, and judges, at most.
    corpus (int): Passages of a corpus that is read as a whole for novelty; of a larger one only the rows' own passages are.
    """

    leave_out: tuple[Section, ...] = ()
    sample: int = Field(10_000, ge=2)
    vectors: int = Field(2000, ge=2)
    judged: int = Field(5000, ge=2)
    corpus: int = Field(200_000, ge=0)
    entities: EntitySettings = EntitySettings()
    mauve: MauveSettings = MauveSettings()

    @field_validator("leave_out", mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        for name in value if isinstance(value, (list, tuple)) else ():
            if name not in SECTIONS:
                raise ValueError(f"has '{name}'. {choices(name, SECTIONS)}")
        return value


def read_settings(config: dict[str, Any], *, path: Path | str = PATH) -> MeasureSettings:
    """Check the settings; what is missing has its default.

    RAISES (ConfigError): For a section, key or value that is none.
    """
    for name in config:
        if name not in BESIDE:
            raise ConfigError(f"{path}: unknown section [{name}]. {choices(name, BESIDE)}")
    return section(config, "measure", MeasureSettings, path=path)
