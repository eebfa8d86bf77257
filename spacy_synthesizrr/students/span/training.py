"""Training of a span student: a plain loop in torch, the same steps for every arm, the best model on dev kept.

A row gives one window to each update that it is in: of a long context half the time one that holds the answer, else one that does not,
whose right answer is "not here". So a batch is as large as it says, whatever the lengths.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.errors import StudentError, require
from spacy_synthesizrr.fingerprints import replace_folder, size
from spacy_synthesizrr.jsonl import write_json
from spacy_synthesizrr.students.job import RECORD, Job, Trained
from spacy_synthesizrr.students.loop import BEST
from spacy_synthesizrr.students.span.model import SpanModel, load_pretrained
from spacy_synthesizrr.students.span.predicting import answer, device_of, mean_scores
from spacy_synthesizrr.students.span.rows import SpanRow, read_span_rows
from spacy_synthesizrr.students.span.settings import EXTRA, SpanConfig
from spacy_synthesizrr.students.span.windows import NOTHING, Window, cut_windows

if TYPE_CHECKING:
    from numpy.random import Generator

Target = tuple[int, int]  # first and last token of the answer


@dataclass(frozen=True)
class Evaluation:
    """How good the model is on dev after so many updates: means over rows of exact match and F1."""

    step: int
    f1: float
    em: float


def train_span(
    job: Job, config: SpanConfig, *, has_dev: bool, gpu_id: int = -1, on_step: Callable[[int], object] = lambda step: None
) -> Trained:
    """Train one student and put it under its folder when it is whole. One that broke off is trained again from the start.

    job (Job): Its sets are files of `SpanRow`.
    has_dev (bool): Whether dev has rows; without any the last model is kept.
    on_step (Callable): Told the number of every update that is done, from 0.
    RETURNS (Trained): `dev` is the mean F1 of the kept model; `finish` has its exact match and what was left out.
    RAISES (MissingExtraError), (ConfigError): See `load_pretrained`.
    RAISES (StudentError): When no row can be learned, or there is no such GPU.
    """
    torch, started = require("torch", EXTRA), time.monotonic()
    device = device_of(gpu_id)
    rows, dev = list(read_span_rows(job.train)), list(read_span_rows(job.dev)) if has_dev else []
    made = load_pretrained(config.span, seed=job.seed)
    rows, left_out = _that_fit(made, rows, job)
    made.model.to(device)
    shutil.rmtree(job.unfinished, ignore_errors=True)
    with torch.random.fork_rng(devices=[] if gpu_id < 0 else [gpu_id]):
        torch.manual_seed(job.seed)
        evaluations = _train(made, rows, dev, job, config, on_step)
    found = _outcome(job, evaluations, left_out)
    _put(found, job, config)
    return replace(found, seconds=round(time.monotonic() - started, 1))


def _that_fit(made: SpanModel, rows: Sequence[SpanRow], job: Job) -> tuple[list[SpanRow], int]:
    """The rows whose answer is whole in some window.

    RETURNS (Tuple[List[SpanRow], int]): They, and how many are left out.
    """
    fit = [row for row in rows if any(window.target(row.span) for window in _windows(made, [row]))]
    if not fit:
        raise StudentError(f"No row of {job.train} has an answer that fits a window. Raise max_length, or lower question_tokens.")
    return fit, len(rows) - len(fit)


def _windows(made: SpanModel, rows: Sequence[SpanRow]) -> list[Window]:
    return cut_windows(made.tokenizer, [(row.question, row.context) for row in rows], made.settings)


def _train(
    made: SpanModel, rows: Sequence[SpanRow], dev: Sequence[SpanRow], job: Job, config: SpanConfig, on_step: Callable[[int], object]
) -> list[Evaluation]:
    """RETURNS (List[Evaluation]): In order; the best model lies in the job's unfinished folder. Without dev rows the last one does."""
    how, evaluations = config.training, list[Evaluation]()
    optimizer, schedule = _optimizer(made.model, config, job.steps)
    for step, batch in enumerate(_batches(rows, how.batch_rows, job)):
        made.model.train()
        _update(made, batch, optimizer, how.grad_clip, np.random.default_rng([job.seed, step]))
        schedule.step()
        on_step(step)
        last = step + 1 == job.steps
        if dev and (last or (step + 1) % how.eval_frequency == 0):
            scores = mean_scores(list(answer(made, dev)))
            evaluations.append(Evaluation(step, **scores))
        if last if not dev else evaluations and evaluations[-1].step == step and _best(evaluations) is evaluations[-1]:
            made.save(job.unfinished / BEST, {"step": step})
    return evaluations


def _best(evaluations: Sequence[Evaluation]) -> Evaluation:
    """RETURNS (Evaluation): That of the highest F1; of equal ones that of the later model, as for classifiers."""
    return max(evaluations, key=lambda one: (one.f1, one.step))


def _optimizer(model: Any, config: SpanConfig, steps: int) -> tuple[Any, Any]:
    """AdamW, whose rate rises linearly and then falls to 0; biases and the weights of norms do not decay."""
    torch, how = require("torch", EXTRA), config.training
    groups: dict[bool, list[Any]] = {True: [], False: []}
    for value in model.parameters():
        groups[value.ndim > 1].append(value)
    decay = [{"params": groups[True], "weight_decay": how.weight_decay}, {"params": groups[False], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(decay, lr=how.learn_rate)
    rising = max(1, round(how.warmup * steps))
    share = [min((step + 1) / rising, (steps - step) / max(1, steps - rising)) for step in range(steps)]
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: share[min(step, steps - 1)])


def _batches(rows: Sequence[SpanRow], count: int, job: Job) -> Iterator[list[SpanRow]]:
    """YIELDS (List[SpanRow]): As many batches as the job has steps; every pass over the rows has an order of its own."""
    waiting, epoch = list[int](), 0
    for _ in range(job.steps):
        while len(waiting) < min(count, len(rows)):
            waiting += np.random.default_rng([job.seed, epoch, len(rows)]).permutation(len(rows)).tolist()
            epoch += 1
        yield [rows[place] for place in waiting[:count]]
        waiting = waiting[count:]


def choose_windows(rows: Sequence[SpanRow], windows: Sequence[Window], rng: Generator) -> tuple[list[Window], list[Target]]:
    """One window of each row, and what is right there.

    windows (Sequence[Window]): Of all rows; of each one or more that hold its answer.
    """
    chosen, targets = list[Window](), list[Target]()
    for number, row in enumerate(rows):
        own = [(window, window.target(row.span)) for window in windows if window.row == number]
        with_it, without = [one for one in own if one[1]], [one for one in own if not one[1]]
        some = without if without and rng.random() < 0.5 else with_it
        window, target = some[int(rng.integers(len(some)))]
        chosen.append(window)
        targets.append(target or (NOTHING, NOTHING))
    return chosen, targets


def _update(made: SpanModel, rows: Sequence[SpanRow], optimizer: Any, clip: float, rng: Generator) -> None:
    """One update by the mean cross-entropy of start and end, rows weighed as they say."""
    torch = require("torch", EXTRA)
    windows, targets = choose_windows(rows, _windows(made, rows), rng)
    starts, ends = made.logits(windows)
    right = torch.tensor(targets, device=starts.device)
    weights = torch.tensor([row.weight for row in rows], device=starts.device)
    each = [torch.nn.functional.cross_entropy(values, right[:, side], reduction="none") for side, values in enumerate((starts, ends))]
    loss = ((each[0] + each[1]) / 2 * weights).sum() / weights.sum().clamp(min=1e-9)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(made.model.parameters(), clip)
    optimizer.step()


def _outcome(job: Job, evaluations: Sequence[Evaluation], left_out: int) -> Trained:
    about = {"too_long": left_out} if left_out else {}
    if not evaluations:
        return Trained(job.arm, job.seed, job.steps, None, job.steps - 1, (), job.folder, about)
    best = _best(evaluations)
    curve = tuple((one.step, one.f1) for one in evaluations)
    return Trained(job.arm, job.seed, job.steps, best.f1, best.step, curve, job.folder, {"dev_em": best.em, **about})


def _put(trained: Trained, job: Job, config: SpanConfig) -> None:
    """Put the kept model where finished students lie, with the record by which a rerun knows it."""
    work = job.unfinished / BEST
    record = {"v": 1, "key": job.key(config.config), "arm": job.arm, "bytes": size(work), "steps": trained.steps, **trained.to_dict()}
    write_json(work / RECORD, record)
    job.folder.parent.mkdir(parents=True, exist_ok=True)
    replace_folder(work, job.folder)
    shutil.rmtree(job.unfinished)
