"""One student: spaCy's own training function on one train set with one seed."""

from __future__ import annotations

import functools
import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import spacy
from spacy.training import Example
from spacy.util import load_config, registry
from spacy.vocab import Vocab

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.fingerprints import replace_folder
from spacy_synthesizrr.jsonl import write_json
from spacy_synthesizrr.receipts import versions
from spacy_synthesizrr.students.config import SCORE
from spacy_synthesizrr.students.export import read_docs

if TYPE_CHECKING:
    from confection import Config
    from spacy.language import Language

RECORD = "training.json"  # in the folder of each trained student


@dataclass(frozen=True)
class Job:
    """A student to be trained.

    arm (str): Whose rows.
    seed (int): Of initial weights, dropout and order of rows.
    steps (int): Number of updates, as `count_steps` says.
    train (Path), dev (Path): Sets in spaCy's format; dev may be empty.
    folder (Path): Where the trained pipeline goes.
    inputs (str): Hash of what is in train and dev.
    """

    arm: str
    seed: int
    steps: int
    train: Path
    dev: Path
    folder: Path
    inputs: str

    def key(self, config: Config) -> str:
        """RETURNS (str): Hash of everything that the trained student depends on."""
        words = json.dumps({**config, "paths": None}, sort_keys=True, ensure_ascii=False)
        return digest("student", self.inputs, str(self.seed), str(self.steps), words, json.dumps(versions(), sort_keys=True))


@dataclass(frozen=True)
class Trained:
    """A student that is on disk.

    dev (float | None): Score of the kept model on dev (accuracy or micro F), None without dev rows.
    best_step (int): The step it was kept from.
    curve (Tuple[Tuple[int, float], ...]): Step and dev score of every evaluation; empty without dev rows.
    """

    arm: str
    seed: int
    steps: int
    dev: float | None
    best_step: int
    curve: tuple[tuple[int, float], ...]
    folder: Path

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): Plain JSON for student.json."""
        return {"seed": self.seed, "dev": self.dev, "best_step": self.best_step, "curve": [list(point) for point in self.curve]}


@functools.lru_cache(maxsize=2)
def read_texts(path: str, inputs: str) -> tuple[tuple[str, dict[str, float]], ...]:
    """Texts and cats of a file or folder of shards, read once for all seeds of an arm.

    inputs (str): Hash of the contents, so that a file that changed is read again.
    """
    return tuple((doc.text, doc.cats) for doc in read_docs(Path(path), Vocab()) if len(doc))


@functools.lru_cache(maxsize=2)
def read_examples(path: str, inputs: str, nlp: Language) -> tuple[Example, ...]:
    """The rows as examples, tokenized once per pipeline."""
    found = []
    for text, cats in read_texts(path, inputs):
        predicted = nlp.make_doc(text)
        reference = predicted.copy()
        reference.cats = cats
        found.append(Example(predicted, reference))
    return tuple(found)


@registry.readers("synthesizrr.CachedCorpus.v1")
def make_cached_corpus(path: str, inputs: str) -> Callable[[Language], Iterator[Example]]:
    """Like spacy.Corpus.v1, which reads and tokenizes its file thrice to initialize and again at every evaluation.

    path (str): A .spacy file, or a folder of them.
    inputs (str): Hash of the contents.
    """

    def read(nlp: Language) -> Iterator[Example]:
        return iter(read_examples(path, inputs, nlp))

    return read


def find_trained(job: Job, config: Config) -> Trained | None:
    """RETURNS (Trained | None): The student of a job when an earlier run finished it."""
    try:
        record = json.loads((job.folder / RECORD).read_text(encoding="utf-8"))
        if record["key"] != job.key(config):
            return None
        curve = tuple((int(step), float(score)) for step, score in record["curve"])
        return Trained(job.arm, job.seed, int(record["steps"]), record["dev"], int(record["best_step"]), curve, job.folder)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def train_student(job: Job, config: Config, *, has_dev: bool, gpu_id: int = -1) -> Trained:
    """Train one student and put it under its folder when it is whole.

    config (Config): What `read_student_config` made; it is not changed.
    has_dev (bool): Whether dev has rows; without any the last model is kept.
    RAISES (ConfigError): When spaCy refuses the config.
    """
    from confection import ConfigValidationError
    from spacy.training.initialize import init_nlp
    from spacy.training.loop import DIR_MODEL_BEST, train

    work = job.folder.with_name(f".{job.folder.name}.new")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    silence = io.StringIO()
    try:
        nlp = init_nlp(_fit(config, job, work / "log.jsonl"), use_gpu=gpu_id)
        train(nlp, work, use_gpu=gpu_id, stdout=silence, stderr=silence)
    except (ConfigValidationError, ValueError) as error:
        raise ConfigError(f"spaCy refuses the student's config: {' '.join(str(error).split())}") from error
    finally:
        read_examples.cache_clear()
    trained = _read_log(job, work / "log.jsonl", has_dev=has_dev)
    record = {"v": 1, "key": job.key(config), "arm": job.arm, "steps": trained.steps, **trained.to_dict()}
    _make_plain(work / DIR_MODEL_BEST / "config.cfg")
    write_json(work / DIR_MODEL_BEST / RECORD, record)
    replace_folder(work / DIR_MODEL_BEST, job.folder)
    shutil.rmtree(work)
    return trained


def _fit(config: Config, job: Job, log: Path) -> Config:
    """The config of one job: its paths, seed and steps, our reader, and a log instead of a table on the terminal."""
    fitted = config.copy()
    fitted["paths"] |= {"train": job.train.as_posix(), "dev": job.dev.as_posix()}
    fitted["corpora"] = {
        name: {"@readers": "synthesizrr.CachedCorpus.v1", "path": f"${{paths.{name}}}", "inputs": job.inputs} for name in ("train", "dev")
    }  # fmt: skip
    logger = {"@loggers": "spacy.ConsoleLogger.v3", "console_output": False, "output_file": log.as_posix()}
    # spaCy counts steps from 0 and stops after the step that equals max_steps
    limits = {"seed": job.seed, "max_steps": job.steps - 1, "max_epochs": 0, "patience": 0, "logger": logger}
    fitted["training"] |= {"train_corpus": "corpora.train", "dev_corpus": "corpora.dev", **limits}
    return fitted


def _read_log(job: Job, log: Path, *, has_dev: bool) -> Trained:
    """What spaCy logged: one line per evaluation; of equal scores spaCy keeps the later model."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    steps = int(lines[-1]["step"]) + 1
    if not has_dev:
        return Trained(job.arm, job.seed, steps, None, steps - 1, (), job.folder)
    best = max(lines, key=lambda line: (line["score"], line["step"]))
    curve = tuple((int(line["step"]), line["scores"][SCORE] / 100) for line in lines)
    return Trained(job.arm, job.seed, steps, best["scores"][SCORE] / 100, int(best["step"]), curve, job.folder)


def _make_plain(path: Path) -> None:
    """Make a saved config what any spaCy user would write: it refers to nothing of ours, and to no place on this machine."""
    config = load_config(path)
    for name in ("train", "dev"):
        config["paths"][name] = None
        config["corpora"][name] = {"@readers": "spacy.Corpus.v1", "path": f"${{paths.{name}}}"}
    config["training"]["logger"] = {"@loggers": "spacy.ConsoleLogger.v1", "progress_bar": False}
    config.to_disk(path)


def save_student(trained: Trained, folder: Path, *, meta: dict[str, Any]) -> None:
    """Save a trained student as the pipeline that a user takes home.

    meta (dict): Goes into the pipeline's meta.json.
    """
    nlp = spacy.load(trained.folder)
    nlp.meta.update(meta)
    work = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(work, ignore_errors=True)
    nlp.to_disk(work)
    replace_folder(work, folder)
