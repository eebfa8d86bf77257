"""A student's config fitted to one training: paths, seed, steps; and made plain again for people who take the student home."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy.util import load_config

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
    _stretch(fitted["training"]["optimizer"], job.steps)
    return fitted


def _stretch(optimizer: dict[str, Any], steps: int) -> None:
    """Let a linear schedule end with the training; its warm-up keeps its share of the steps."""
    rate = optimizer.get("learn_rate")
    if isinstance(rate, dict) and rate.get("@schedules") == WARMUP:
        share = rate["warmup_steps"] / rate["total_steps"]
        optimizer["learn_rate"] = {**rate, "warmup_steps": round(share * steps), "total_steps": steps}


def make_plain(path: Path) -> None:
    """Make a saved config what any spaCy user would write: it refers to no reader of ours, and to no place on this machine."""
    config = load_config(path)
    for name in ("train", "dev"):
        config["paths"][name] = None
        config["corpora"][name] = {"@readers": "spacy.Corpus.v1", "path": f"${{paths.{name}}}"}
    config["training"]["max_epochs"] = max(0, config["training"]["max_epochs"])
    config["initialize"]["after_init"] = None
    config.to_disk(path)
