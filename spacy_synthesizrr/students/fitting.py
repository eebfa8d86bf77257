"""A student's config fitted to one training: paths, seed, steps; and made plain again for people who take the student home."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy.util import load_config

from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.students.readers import CACHED, STREAMED

if TYPE_CHECKING:
    from confection import Config

    from spacy_synthesizrr.students.job import Job

WARMUP = "warmup_linear.v1"


def fit(config: Config, job: Job) -> Config:
    """The config of one job. A set of one file is tokenized once and kept; a folder of shards is streamed."""
    fitted = config.copy()
    fitted["paths"] |= {"train": job.train.as_posix(), "dev": job.dev.as_posix()}
    streamed = job.train.is_dir()
    fitted["corpora"] = {name: {"@readers": CACHED, "path": f"${{paths.{name}}}", "inputs": job.inputs} for name in ("train", "dev")}
    if streamed:
        fitted["corpora"]["train"] = {"@readers": STREAMED, "path": "${paths.train}", "shuffle": True, "seed": job.seed}
    # spaCy counts steps from 0 and stops after the step that equals max_steps
    limits = {"seed": job.seed, "max_steps": job.steps - 1, "max_epochs": -1 if streamed else 0, "patience": 0}
    fitted["training"] |= {"train_corpus": "corpora.train", "dev_corpus": "corpora.dev", **limits}
    rate = config.interpolate()["training"]["optimizer"].get("learn_rate")
    if isinstance(rate, dict) and rate.get("@schedules") == WARMUP:
        fitted["training"]["optimizer"]["learn_rate"] = _stretched(rate, job.steps)
    return fitted


def _stretched(rate: dict[str, Any], steps: int) -> dict[str, Any]:
    """A linear schedule that ends with the training; its warm-up keeps its share of the steps.

    RAISES (ConfigError): When the schedule has no such share.
    """
    warmup, total = rate.get("warmup_steps"), rate.get("total_steps")
    if not isinstance(warmup, int) or not isinstance(total, int) or not 0 <= warmup <= total or total < 1:
        raise ConfigError(
            f"[training.optimizer.learn_rate] {WARMUP} has warmup_steps = {warmup!r} and total_steps = {total!r}. Both are whole numbers, "
            "the first no greater than the second; only their ratio counts, as the training says how many steps there are."
        )
    return {**rate, "warmup_steps": round(warmup / total * steps), "total_steps": steps}


def make_plain(path: Path) -> None:
    """Make a saved config what any spaCy user would write: it refers to no reader of ours, and to no place on this machine."""
    config = load_config(path, interpolate=True)  # references to paths that go away
    config["paths"] = {"train": None, "dev": None}
    for name in ("train", "dev"):
        config["corpora"][name] = {"@readers": "spacy.Corpus.v1", "path": f"${{paths.{name}}}"}
    config["training"]["max_epochs"] = max(0, config["training"]["max_epochs"])
    config["initialize"] |= {"after_init": None, "vectors": None, "init_tok2vec": None, "vocab_data": None}
    for component in config["components"].values():
        if "name" in component.get("model", {}):  # the encoder is in the student; whence it came says no more than its name
            component["model"]["name"] = _without_folders(component["model"]["name"])
    config.to_disk(path)


def _without_folders(name: Any) -> Any:
    if isinstance(name, list):
        return [_without_folders(one) for one in name]
    path = Path(str(name)).expanduser()
    return path.name if path.is_absolute() or path.is_dir() else name
