"""What a loop is asked to do: configs/loop.NAME.cfg."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from spacy_synthesizrr.configs import Settings, check_sections, read_config, section
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.loop.errors import ErrorSettings
from spacy_synthesizrr.loop.extrapolation import ExtrapolateSettings
from spacy_synthesizrr.loop.split import SplitSettings

LOOP, GOLDGEN, RANDOM, MORE_SEED = "loop", "goldgen", "random", "more-seed"
Control = Literal["goldgen", "random", "more-seed"]
SECTIONS = ("loop", "start", "split", "errors", "extrapolate", "stop")


class RoundSettings(Settings):
    """The section [loop].

    rounds (int): Most rounds after the first student; the paper takes 2 (S3, Wang et al. 2023, §3.2).
    final (str): Which round's student is the result: the "best" on the selection part, or the "last" as in the paper.
    controls (Tuple[str, ...]): What the loop is compared with, at as many calls, rows and training steps: "goldgen" extrapolates all
        labelled rows, "random" some drawn at random, "more-seed" goes on with the plan of the starting run.
    keep_errors_in_train (bool): Whether the labelled rows that a student got wrong are trained on, too.
    """

    rounds: int = Field(2, ge=1)
    final: Literal["best", "last"] = "best"
    controls: tuple[Control, ...] = ("goldgen", "random", "more-seed")
    keep_errors_in_train: bool = False


class StartSettings(Settings):
    """The section [start]: the rows of the first student.

    rows (str): A file of labelled rows with the columns of the task, in place of the rows of the starting run.
    additions (Tuple[str, ...]): Loops and runs whose rows are added: all rounds of a loop, or what a run accepted.
    """

    rows: str = ""
    additions: tuple[str, ...] = ()


class StopSettings(Settings):
    """The section [stop].

    patience (int): Rounds without a gain on the selection part after which the loop ends.
    min_gain (float): What counts as a gain, as a difference of the score (0.01 is a point).
    max_calls (int): Most calls of the loop's own rounds together; every control makes as many.
    """

    patience: int = Field(1, ge=1)
    min_gain: float = Field(0.0, ge=0, lt=1)
    max_calls: int | None = Field(None, ge=1)


@dataclass(frozen=True)
class LoopSettings:
    """All sections of a loop's config. path (Path): Its file."""

    path: Path
    loop: RoundSettings
    start: StartSettings
    split: SplitSettings
    errors: ErrorSettings
    extrapolate: ExtrapolateSettings
    stop: StopSettings

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): All values, as plain JSON."""
        return {name: getattr(self, name).model_dump(mode="json") for name in SECTIONS}


def read_loop_settings(path: Path) -> LoopSettings:
    """Read a loop's config.

    RAISES (ConfigError): For a section or key that is unknown, a value that is wrong, or keys that do not go together.
    """
    config = read_config(path)
    check_sections(config, SECTIONS, path=path)
    found = LoopSettings(
        path,
        section(config, "loop", RoundSettings, path=path),
        section(config, "start", StartSettings, path=path),
        section(config, "split", SplitSettings, path=path),
        section(config, "errors", ErrorSettings, path=path),
        section(config, "extrapolate", ExtrapolateSettings, path=path),
        section(config, "stop", StopSettings, path=path),
    )
    if found.loop.keep_errors_in_train and found.split.share is None:
        raise ConfigError(
            f"{path}: [loop] keep_errors_in_train = true trains on the rows that choose the model, because [split] share = null lets the "
            "same rows do both. Set share = 0.5, so that errors and selection are different rows, or keep_errors_in_train = false."
        )
    return found
