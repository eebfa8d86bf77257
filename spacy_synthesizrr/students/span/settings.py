"""The config of a span student: configs/student.span.cfg. It is no spaCy training config, since spaCy has no such component."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from spacy_synthesizrr.configs import Settings, check_sections, section
from spacy_synthesizrr.errors import ConfigError, StudentError
from spacy_synthesizrr.students.config import ROWS_BATCHER, count_steps

if TYPE_CHECKING:
    from confection import Config

SPAN, TRAINING = "span", "training"
EXTRA = "transformers"
SPECIAL_TOKENS = 4  # of a pair, at most
FEWEST_TOKENS = 16  # room for a question, special tokens and some of the context
CURE = "Start from configs/student.span.cfg."


class SpanSettings(Settings):
    """The section [span].

    name (str | Tuple[str, ...]): Where the encoder may be: a folder, a package that carries one, a name in the Hugging Face hub; the
        first that is there is taken. One that was trained to answer questions keeps what it learned.
    revision (str | None): Of a model of the hub.
    max_length (int): Tokens of a window: question, part of the context, special tokens.
    overlap (int): Tokens that neighbouring windows of a context share.
    question_tokens (int): Tokens of a question; what is longer is cut.
    answer_tokens (int): Most tokens of an answer.
    dropout (float | None): Inside the encoder while it is trained; None as its own config says.
    batch_tokens (int): Most tokens, with padding, that are computed at once outside training.
    """

    name: str | tuple[str, ...]
    revision: str | None = None
    max_length: int = Field(384, ge=FEWEST_TOKENS)
    overlap: int = Field(128, ge=0)
    question_tokens: int = Field(64, ge=4)
    answer_tokens: int = Field(30, ge=1)
    dropout: float | None = Field(None, ge=0, lt=1)
    batch_tokens: int = Field(8192, ge=1)

    @model_validator(mode="after")
    def _windows_move_on(self) -> SpanSettings:
        room = self.max_length - self.question_tokens - SPECIAL_TOKENS
        if self.overlap >= room:
            raise ValueError(
                f"overlap = {self.overlap} must be less than what a window has of a context: {room} by max_length and question_tokens"
            )
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """RETURNS (Tuple[str, ...]): `name` as several."""
        return (self.name,) if isinstance(self.name, str) else self.name


class SpanTraining(Settings):
    """The section [training].

    max_epochs (int), max_steps (int): Passes over the student's own rows, and updates: whichever is less; 0 sets no limit.
    eval_frequency (int): Updates between evaluations on dev.
    batch_rows (int): Rows of an update.
    learn_rate (float): The highest; it rises over `warmup` of the steps and falls to 0.
    """

    max_epochs: int = Field(8, ge=0)
    max_steps: int = Field(600, ge=0)
    eval_frequency: int = Field(50, ge=1)
    batch_rows: int = Field(16, ge=1)
    learn_rate: float = Field(1e-4, gt=0)
    warmup: float = Field(0.06, ge=0, le=1)
    weight_decay: float = Field(0.01, ge=0)
    grad_clip: float = Field(1.0, gt=0)

    def steps(self, rows: int, *, path: Path | str = "") -> int:
        """How many updates every arm gets: so many that the last one is followed by an evaluation.

        rows (int): Rows of the main arm.
        RAISES (ConfigError): When nothing limits them.
        """
        limits = self.model_dump(include={"max_epochs", "max_steps", "eval_frequency"})
        return count_steps({**limits, "batcher": {"@batchers": ROWS_BATCHER, "size": self.batch_rows}}, rows, path=path) - 1


@dataclass(frozen=True)
class SpanConfig:
    """Both sections, and the config that they stand in."""

    span: SpanSettings
    training: SpanTraining
    config: Config


def only_classifiers(command: str, answer: str) -> None:
    """RAISES (StudentError): When a command that is for classifiers gets a run whose task has `answer`."""
    if answer:
        raise StudentError(
            f"`{command}` is for classifiers, and this run's task has `answer`. Its student, the folder student/ of the run, is one that "
            "transformers reads: AutoModelForQuestionAnswering.from_pretrained."
        )


def is_span_config(config: Mapping[str, Any]) -> bool:
    """RETURNS (bool): Whether a student's config is one of a span student."""
    return isinstance(config.get(SPAN), Mapping)


def check_student(config: Mapping[str, Any], path: Path, *, answer: str) -> None:
    """Make sure that a student fits its task.

    answer (str): What the task file says.
    RAISES (ConfigError): When the task has `answer` and the student is a classifier, or the other way round; or a value cannot be.
    """
    if bool(answer) != is_span_config(config):
        if answer:
            raise ConfigError(
                f"{path}: the section [{SPAN}] is missing, and the task has `answer`: its student marks spans. "
                "Choose one with --vars.student span."
            )
        raise ConfigError(f"{path} is of a student that marks answers, and the task has labels. Choose another with --vars.student bow.")
    if answer:
        check_sections(config, (SPAN, TRAINING), path=path)
        section(dict(config), SPAN, SpanSettings, path=path)
        section(dict(config), TRAINING, SpanTraining, path=path)


def read_span_config(path: Path) -> SpanConfig:
    """Read and check the config of a span student.

    RAISES (ConfigError): When it is one of another student, or a value cannot be.
    """
    from confection import Config

    try:
        config = Config().from_disk(path, interpolate=True)
    except Exception as error:  # confection raises its own, configparser's and json's errors
        raise ConfigError(f"{path} cannot be read: {' '.join(str(error).split())} {CURE}") from error
    check_student(config, path, answer=SPAN)
    return make_span_config(config, path)


def make_span_config(config: Config, path: Path | str = "") -> SpanConfig:
    """RETURNS (SpanConfig): What a config says, checked.

    RAISES (ConfigError): When a value cannot be.
    """
    return SpanConfig(section(config, SPAN, SpanSettings, path=path), section(config, TRAINING, SpanTraining, path=path), config)
