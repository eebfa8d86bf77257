"""The training loop: spaCy's own updates and evaluations, with the best model on disk at every evaluation, and a way to go on.

A training that broke off goes on from its last checkpoint. spaCy's loop then runs from the start again, over empty batches and with the
evaluations that are known, so that schedules and the order of rows are replayed; from the checkpoint on it is the training that would have
been. On the CPU the student is the same to the bit, but for a frozen encoder's: its vectors differ in their last digits by the other
texts of a batch, which are those of this process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.fingerprints import new_folder
from spacy_synthesizrr.students.checkpoint import Checkpoint, Evaluation, read_checkpoint, write_checkpoint

if TYPE_CHECKING:
    from spacy.language import Language
    from thinc.api import Optimizer

BEST, CHECKPOINT = "model-best", "checkpoint"
CHECKPOINT_SECONDS = 30.0  # a training that takes less writes none: it is sooner done again
Batches = Iterator[tuple[int, list[Any]]]


@dataclass(frozen=True)
class Place:
    """Where a training keeps what it has.

    folder (Path): Of the job while it is trained.
    key (str): Of the job; a checkpoint of another one is of no use.
    seconds (float): At least so long between two checkpoints.
    """

    folder: Path
    key: str
    seconds: float = CHECKPOINT_SECONDS

    def checkpoint(self) -> Checkpoint | None:
        """RETURNS (Checkpoint | None): Where an earlier training of this job broke off."""
        found = read_checkpoint(self.folder / CHECKPOINT, self.key)
        return found if found and (self.folder / BEST).is_dir() else None


def train_loop(nlp: Language, place: Place, *, on_step: Callable[[int], object]) -> tuple[Evaluation, ...]:
    """Train an initialized pipeline as its config says; the best model lies under `model-best` in the place's folder.

    Of equal scores the later model is kept, as in spaCy's `train`.
    on_step (Callable): Told the number of every update that is done, from 0.
    RETURNS (Tuple[Evaluation, ...]): In order.
    """
    from spacy.schemas import ConfigSchemaTraining
    from spacy.training.loop import create_evaluation_callback, create_train_batches, train_while_improving
    from spacy.util import registry, resolve_dot_names
    from thinc.api import fix_random_seed

    config = nlp.config.interpolate()
    fix_random_seed(config["training"]["seed"])
    how: dict[str, Any] = registry.resolve(config["training"], schema=ConfigSchemaTraining)
    train_corpus, dev_corpus = resolve_dot_names(config, [how["train_corpus"], how["dev_corpus"]])
    past, optimizer = place.checkpoint(), how["optimizer"]
    batches = create_train_batches(nlp, train_corpus, how["batcher"], how["max_epochs"])
    evaluate = create_evaluation_callback(nlp, dev_corpus, how["score_weights"])
    steps = train_while_improving(
        nlp, optimizer, _replayed(batches, past, lambda found: found.restore(nlp, optimizer)), _remembering(evaluate, past),
        dropout=how["dropout"], eval_frequency=how["eval_frequency"], accumulate_gradient=how["accumulate_gradient"],
        patience=how["patience"], max_steps=how["max_steps"], exclude=how["frozen_components"],
        annotating_components=how["annotating_components"], before_update=how["before_update"],
    )  # fmt: skip
    return _follow(nlp, optimizer, steps, place, past.step if past else -1, on_step)


def _replayed(batches: Batches, past: Checkpoint | None, restore: Callable[[Checkpoint], None]) -> Batches:
    """The batches, empty as far as the checkpoint reaches. It is restored before the next is drawn, which may shuffle the rows anew."""
    for number, (epoch, batch) in enumerate(batches):
        yield epoch, [] if past and number <= past.step else batch
        if past and number == past.step:
            restore(past)


def _remembering(evaluate: Callable[[], tuple[float, Mapping[str, Any]]], past: Checkpoint | None) -> Callable[[], Any]:
    """Evaluate, but where the checkpoint knows the answer."""
    known = iter(past.evaluations if past else ())

    def remembered() -> tuple[float, Mapping[str, Any]]:
        found = next(known, None)
        return (found.score, found.scores) if found else evaluate()

    return remembered


def _follow(
    nlp: Language, optimizer: Optimizer, steps: Iterator[Any], place: Place, known: int, on_step: Callable[[int], object]
) -> tuple[Evaluation, ...]:
    evaluations: list[Evaluation] = []
    saved = time.monotonic()
    for _, info, is_best in steps:
        on_step(info["step"])
        if is_best is None:
            continue
        scores = {name: value for name, value in info["other_scores"].items() if isinstance(value, (int, float)) and name != "speed"}
        evaluations.append(Evaluation(info["step"], info["score"], scores))
        if info["step"] <= known:
            continue
        if is_best:
            with nlp.use_params(optimizer.averages) if optimizer.averages else nullcontext():
                save_pipeline(nlp, place.folder / BEST)
        if time.monotonic() - saved >= place.seconds:
            write_checkpoint(place.folder / CHECKPOINT, place.key, nlp, optimizer, evaluations)
            saved = time.monotonic()
    return tuple(evaluations)


def save_pipeline(nlp: Language, folder: Path) -> None:
    """Save a pipeline where an older one may be, which stays until the new one is whole."""
    with new_folder(folder) as work:
        nlp.to_disk(work)
