"""The student's config: a spaCy training config, fitted to the task."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.errors import ConfigError, StudentError

if TYPE_CHECKING:
    from confection import Config

TEXTCAT, TEXTCAT_MULTILABEL = "textcat", "textcat_multilabel"
SCORE = "cats_micro_f"  # with exactly one label per row: the accuracy
RANKING = "cats_macro_auc"  # chooses the model of a multi-label task, whose thresholds are chosen after it
ROWS_BATCHER = "spacy.batch_by_sequence.v1"
CURE = "Start from configs/student.bow.cfg."


@dataclass(frozen=True)
class StudentTask:
    """What a student has to know about the task.

    labels (Tuple[str, ...]): In the order of the task file.
    exclusive (bool): Whether a row has exactly one of them.
    lang (str): spaCy's code of the language.
    """

    labels: tuple[str, ...]
    exclusive: bool
    lang: str

    @property
    def component(self) -> str:
        """RETURNS (str): Name and factory of the classifier in the pipeline."""
        return TEXTCAT if self.exclusive else TEXTCAT_MULTILABEL


def read_student_config(path: Path, task: StudentTask) -> Config:
    """Read a spaCy training config and fit it to the task: language, factory, labels.

    RAISES (ConfigError): When it is no spaCy training config with a text classifier.
    """
    from confection import ConfigValidationError
    from spacy import util

    try:
        config = util.load_config(path)
    except (ValueError, OSError, ConfigValidationError) as error:
        raise ConfigError(f"{path} cannot be read as a spaCy training config: {' '.join(str(error).split())} {CURE}") from error
    for name in ("nlp", "components", "corpora", "training"):
        if not isinstance(config.get(name), dict):
            raise ConfigError(f"{path}: the section [{name}] is missing. {CURE}")
    config["nlp"]["lang"] = task.lang
    _set_factory(config, task, path)
    config.setdefault("paths", {})
    config.setdefault("initialize", {}).setdefault("components", {})[task.component] = {"labels": list(task.labels)}
    config["training"]["score_weights"] = _score_weights(dict(config["training"].get("score_weights") or {}), task)
    return config


def _score_weights(given: dict[str, Any], task: StudentTask) -> dict[str, Any]:
    """What chooses the best model on dev, where the config says no more than the shipped ones: micro F; in a multi-label task how well
    scores rank, since micro F at a threshold that nobody has chosen yet may be 0 at every evaluation.
    """
    if task.exclusive:
        return {SCORE: 1.0, **given}
    shipped = not any(weight for name, weight in given.items() if name != SCORE)
    return {**given, SCORE: 0.0, RANKING: 1.0} if shipped else {SCORE: 0.0, **given}


def _set_factory(config: Config, task: StudentTask, path: Path) -> None:
    found = [name for name in (TEXTCAT, TEXTCAT_MULTILABEL) if name in config["components"]]
    if len(found) != 1:
        raise ConfigError(f"{path}: a student has one component [components.{TEXTCAT}]; this config has {len(found)}. {CURE}")
    block = config["components"].pop(found[0])
    if found[0] != task.component:
        for name in ("scorer", "threshold"):  # each factory has its own
            block.pop(name, None)
    block["factory"] = task.component
    _set_exclusive(block, task.exclusive)
    config["components"][task.component] = block
    config["nlp"]["pipeline"] = [task.component if name == found[0] else name for name in config["nlp"]["pipeline"]]


def _set_exclusive(block: dict[str, Any], exclusive: bool) -> None:
    """Set `exclusive_classes` wherever an architecture has it; an ensemble has it in a sub-model."""
    for key, value in block.items():
        if key == "exclusive_classes":
            block[key] = exclusive
        elif isinstance(value, dict):
            _set_exclusive(value, exclusive)


def count_steps(training: Mapping[str, Any], rows: int, *, path: Path | str = "") -> int:
    """How many updates every arm gets: `max_epochs` passes over the student's own rows or `max_steps`, whichever is less.

    spaCy evaluates in the steps 0, eval_frequency, 2 eval_frequency …, and an update after the last evaluation is wasted. So
    the number is rounded up to the next evaluation, beyond either limit by at most eval_frequency updates.
    training (Mapping): The section [training], with values instead of references.
    rows (int): Rows of the main arm.
    RAISES (ConfigError): When the section does not limit the steps, or counts passes in batches of an unknown number of rows.
    """
    numbers = {name: training.get(name) or 0 for name in ("max_epochs", "max_steps", "eval_frequency")}
    for name, number in numbers.items():
        if not isinstance(number, int):
            raise ConfigError(f"{path}: [training] {name} must be a whole number (was: {number!r}).")
    epochs, most, every = numbers.values()
    limits = [most] if most > 0 else []
    if epochs > 0:
        limits.append(epochs * math.ceil(rows / _batch_rows(training.get("batcher", {}), epochs, path)))
    if not limits or every < 1:
        raise ConfigError(
            f"{path}: [training] must limit the steps: eval_frequency above 0, and max_epochs or max_steps "
            f"(was: eval_frequency = {every}, max_steps = {most}, max_epochs = {epochs})."
        )
    return math.ceil(min(limits) / every) * every + 1


def _batch_rows(batcher: Mapping[str, Any], epochs: int, path: Path | str) -> int:
    """Rows in a batch; other batchers count words or grow, and their size is no number of rows."""
    name, size = batcher.get("@batchers"), batcher.get("size")
    if name != ROWS_BATCHER or not isinstance(size, int) or size < 1:
        raise ConfigError(
            f"{path}: max_epochs = {epochs} needs [training.batcher] with {ROWS_BATCHER} and a fixed size, a number of rows "
            f"(was: {name}, size = {size!r}). Use it, or set max_epochs = 0 and max_steps to the number of updates."
        )
    return size


def use_gpu(gpu_id: int) -> None:
    """Turn spaCy to a GPU; −1 means the CPU.

    RAISES (StudentError): When there is none.
    """
    if gpu_id < 0:
        return
    from thinc.api import require_gpu

    try:
        require_gpu(gpu_id)
    except ValueError as error:
        raise StudentError(
            f"There is no GPU {gpu_id} that spaCy can use ({' '.join(str(error).split())}). "
            "Train on the CPU with --vars.gpu_id -1, or install CuPy for your CUDA version: https://spacy.io/usage#gpu"
        ) from error
