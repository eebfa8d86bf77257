"""Training dynamics: how sure a student is of each row's own label while it learns that label.

After every epoch the student says how probable the label is that each row was given. Over epochs that gives, per row (Swayamdipta et
al., Dataset Cartography: Mapping and Diagnosing Datasets with Training Dynamics, EMNLP 2020, §2):

    confidence   the mean of that probability
    variability  its standard deviation, of the population (ddof = 0)
    correctness  the share of epochs in which the given label was on top

The student sees every row with its label, so this is no independent judgement of a label; that is `synthesizrr.VerifyLabels.v1`.
In a task where a row may have several labels, "the probability" is the mean over labels of the probability of the right side of each,
and "on top" means that all are on the right side of 0.5.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.students.job import Job
from spacy_synthesizrr.students.quality.calibration import Array, Booleans

if TYPE_CHECKING:
    from confection import Config
    from spacy.language import Language

    from spacy_synthesizrr.students.config import StudentTask

BATCH = 1000  # rows that are read at once


@dataclass(frozen=True)
class Map:
    """Where each row lies, in the order of the rows.

    confidence (Array), variability (Array), correctness (Array): One number per row: in [0, 1], [0, 0.5] and [0, 1].
    """

    confidence: Array
    variability: Array
    correctness: Array


@dataclass
class Dynamics:
    """A callback that watches a training: `before_update` goes into `[training]`, `end` is called when it is over.

    train (Path): The rows, as `export.write_docs` writes them. 5 bytes per row and epoch are kept.
    task (StudentTask): Labels.
    """

    train: Path
    task: StudentTask
    _sure: list[NDArray[np.float32]] = field(default_factory=list)
    _right: list[Booleans] = field(default_factory=list)
    _epoch: int = 0

    def before_update(self, nlp: Language, args: Mapping[str, Any]) -> None:
        """Record when an epoch is over; see spaCy's `[training.before_update]`.

        args (Mapping): "step" and "epoch".
        """
        if args["epoch"] > self._epoch:
            self.end(nlp)
            self._epoch = args["epoch"]

    def end(self, nlp: Language) -> None:
        """Record what the student says of every row now."""
        sure, right = zip(*self._batches(nlp), strict=True)
        self._sure.append(np.concatenate(sure))
        self._right.append(np.concatenate(right))

    def map(self) -> Map:
        """RETURNS (Map): Of the epochs that were recorded."""
        sure = np.stack(self._sure).astype(np.float64)
        return Map(sure.mean(axis=0), sure.std(axis=0, ddof=0), np.stack(self._right).mean(axis=0))

    def _batches(self, nlp: Language) -> Iterator[tuple[NDArray[np.float32], Booleans]]:
        from spacy.util import minibatch

        from spacy_synthesizrr.students.export import read_docs
        from spacy_synthesizrr.students.quality.output_layer import predict

        for docs in minibatch(read_docs(self.train, nlp.vocab), BATCH):  # type: ignore[no-untyped-call]
            gold = np.array([[doc.cats[label] for label in self.task.labels] for doc in docs])
            yield own_label(predict(nlp, docs, self.task), gold, exclusive=self.task.exclusive)


def own_label(scores: Array, gold: Array, *, exclusive: bool) -> tuple[NDArray[np.float32], Booleans]:
    """RETURNS (Tuple[Array, Booleans]): How probable the labels of each row are by these scores, and whether they are on top."""
    has = gold > 0.5
    if exclusive:
        sure = np.where(has, scores, 0.0).sum(axis=1)
        return sure.astype(np.float32), np.asarray(has[np.arange(len(has)), np.argmax(scores, axis=1)])
    sides = np.where(has, scores, 1.0 - scores)
    return sides.mean(axis=1).astype(np.float32), np.asarray(np.all((scores >= 0.5) == has, axis=1))


def data_map(train: Path, config: Config, *, task: StudentTask, seed: int, epochs: int, learn_rate: float | None = None) -> Map:
    """Train a student on rows and watch it.

    train (Path): The rows, as `export.write_docs` writes them; read anew in every epoch, a shard at a time.
    config (Config): What `read_student_config` made; it is not changed.
    epochs (int): Passes over the rows; after each the student is asked about all of them.
    learn_rate (float | None): Instead of the config's.
    RETURNS (Map): In the order of the rows.
    RAISES (ConfigError): When spaCy refuses the config.
    """
    from confection import ConfigValidationError
    from spacy.training.initialize import init_nlp
    from spacy.training.loop import train_while_improving

    dynamics = Dynamics(train, task)
    try:
        steps = epochs * _count_batches(config, train, task.lang)
        nlp = init_nlp(_fitted(config, train, seed, steps, learn_rate))
        how = _resolved(nlp, seed)
    except (ConfigValidationError, ValueError) as error:
        raise ConfigError(f"spaCy refuses the student's config: {' '.join(str(error).split())}") from error
    training = train_while_improving(
        nlp, how["optimizer"], _epochs(nlp, how, train, seed, epochs), lambda: (0.0, {}),
        dropout=how["dropout"], eval_frequency=how["eval_frequency"], accumulate_gradient=how["accumulate_gradient"], patience=0,
        max_steps=0, exclude=how["frozen_components"], annotating_components=how["annotating_components"],
        before_update=dynamics.before_update,
    )  # fmt: skip
    for _ in training:
        pass
    dynamics.end(nlp)
    return dynamics.map()


def _count_batches(config: Config, train: Path, lang: str) -> int:
    """Batches in one pass over the rows, so that a learning rate that falls with the steps ends with the last epoch."""
    import spacy
    from spacy.util import registry

    from spacy_synthesizrr.students.readers import make_corpus

    batcher = registry.resolve({"batcher": config.interpolate()["training"]["batcher"]})["batcher"]
    return max(1, sum(1 for _ in batcher(make_corpus(train, shuffle=False)(spacy.blank(lang)))))


def _fitted(config: Config, train: Path, seed: int, steps: int, learn_rate: float | None) -> Config:
    from spacy_synthesizrr.students.fitting import fit
    from spacy_synthesizrr.students.readers import STREAMED

    fitted = fit(config, Job("cartography", seed, steps, train, train, train, ""))
    for name in ("train", "dev"):  # nothing of this set is kept in memory, and nothing of another one is found there
        fitted["corpora"][name] = {"@readers": STREAMED, "path": f"${{paths.{name}}}", "shuffle": False, "seed": seed}
    if learn_rate is not None:
        fitted["training"]["optimizer"]["learn_rate"] = learn_rate
    return fitted


def _resolved(nlp: Language, seed: int) -> dict[str, Any]:
    from spacy.schemas import ConfigSchemaTraining
    from spacy.util import registry
    from thinc.api import fix_random_seed

    fix_random_seed(seed)
    how: dict[str, Any] = registry.resolve(nlp.config.interpolate()["training"], schema=ConfigSchemaTraining)
    return how


def _epochs(nlp: Language, how: Mapping[str, Any], train: Path, seed: int, epochs: int) -> Iterator[tuple[int, list[Any]]]:
    """Batches of every pass with its number, in another order each time."""
    from spacy_synthesizrr.students.readers import make_corpus

    rows = make_corpus(train, shuffle=True, seed=seed)
    for epoch in range(epochs):
        for batch in how["batcher"](rows(nlp)):
            yield epoch, list(batch)
