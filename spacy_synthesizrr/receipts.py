"""Receipts: how a step knows that its work is done, and how nobody mistakes old results for new ones.

A step declares what it reads (receipts of earlier steps, settings) and what it writes. `run_step` hashes the former into
a key; when the receipt on disk has the same key and the outputs are still there, nothing is done. Otherwise the old
receipt goes first, the work is done, and the new receipt is written last: a receipt never vouches for half a file.

Receipts hold no times and no absolute paths, so that doing the same work again gives the same receipt and weasel, which
watches only receipts, leaves the later steps alone. Times go to `timings.jsonl`.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import resource
import shlex
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.errors import RunFolderError
from spacy_synthesizrr.fingerprints import fingerprint, size
from spacy_synthesizrr.jsonl import dumps, read_json, write_json

REVIEW_STEPS = ("push", "pull", "agreement")  # of the bridge, which has a command line of its own
STEPS = (
    "prepare", "index", "rationales", "plan", "synthesize", "curate", "push", "pull", "agreement", "export", "measure", "train", "evaluate",
    "report",
)  # fmt: skip
Outputs = Sequence[str] | Callable[[], Sequence[str]]
RUNS = Path("runs")
WRITING = ("rationales", "plan", "synthesize", "curate")  # steps that make rows
LOOP_FILE, LOOP_START = "loop.json", "start"  # in the folder of a loop: what it was asked for; its round 0, which asks nothing
PACKAGES = ("spacy-synthesizrr", "spacy", "spacy-llm", "numpy", "scikit-learn")


@dataclass(frozen=True)
class RunFolder:
    """One folder `runs/NAME/`: one task, strategy, teacher, store and seed."""

    path: Path

    @property
    def name(self) -> str:
        """RETURNS (str): What `--run` takes: the folder's name, and before it that of its grid where it is a run of one (GRID/RUN)."""
        inside = self.path.is_relative_to(RUNS) and self.path != RUNS
        return self.path.relative_to(RUNS).as_posix() if inside else self.path.name

    def file(self, name: str) -> Path:
        """RETURNS (Path): A file of this run by its name."""
        return self.path / name

    def receipt_path(self, step: str) -> Path:
        """RETURNS (Path): Where the receipt of a step lies."""
        return self.path / "receipts" / f"{step}.json"

    def receipt(self, step: str) -> dict[str, Any]:
        """The receipt of an earlier step.

        RAISES (RunFolderError): When that step has not been run; the text says how.
        """
        path = self.receipt_path(step)
        if not path.is_file():
            raise RunFolderError(
                f"The step '{step}' of the run '{self.name}' has not been done ({path} is missing). {_cure(self, step, 'first')}"
            )
        return read_json(path)

    def inputs(self) -> dict[str, Any]:
        """RETURNS (dict): What `prepare` found out about this run."""
        return read_json(self.file("inputs.json"), cure="Run `spacy project run prepare` first.")


def command_of(step: str) -> str:
    """RETURNS (str): What a step is called on the command line."""
    return f"{'argilla-bridge' if step in REVIEW_STEPS else 'synthesizrr'} {step}"


def loop_of(folder: RunFolder) -> list[tuple[str, str]]:
    """RETURNS (List[Tuple[str, str]]): The options of the loop that a run is a round of; none where it is not."""
    path = folder.path.parent / LOOP_FILE
    if folder.path.parent == RUNS or not path.is_file():
        return []
    about = read_json(path)
    added = about["settings"]["start"]["additions"]
    named = [("run", about["run"]), ("loop", about["config"]), ("name", folder.path.parent.name)]
    return [*named, *(("additions", name) for name in added)]


def loop_command(options: Sequence[tuple[str, str]]) -> str:
    """options (Sequence[Tuple[str, str]]): See `loop_of`. RETURNS (str): The command that makes the loop, or goes on with it."""
    return " ".join(["synthesizrr loop", *(f"--{name} {shlex.quote(value)}" for name, value in options)])


def _cure(folder: RunFolder, step: str, when: str) -> str:
    """RETURNS (str): What to do where a step has not been done, or is to be done again."""
    options = loop_of(folder)
    if not options:
        return f"Run it {when}: {command_of(step)} --run {folder.name} (or the whole project: spacy project run all)"
    if folder.path.name == LOOP_START and step in WRITING:
        run = dict(options)["run"]
        return f"The start of a loop has no rows of its own making: look at the run that they come from, with --run {run}."
    return f"It is a round of a loop, which does its steps: {loop_command(options)}"


def versions() -> dict[str, str]:
    """RETURNS (dict): Versions of the packages that shape results."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def outputs_stand(folder: RunFolder, receipt: Mapping[str, Any]) -> bool:
    """RETURNS (bool): Whether every output of a receipt is still there with its size."""
    return all(size(folder.path / name) == about["bytes"] for name, about in receipt["outputs"].items())


def is_done(folder: RunFolder, receipt: Mapping[str, Any]) -> bool:
    """RETURNS (bool): Whether a receipt spares the work: its outputs stand, and it left nothing that may go better next time."""
    return outputs_stand(folder, receipt) and not receipt["counts"].get("unfinished")


def fresh(folder: RunFolder, step: str) -> bool:
    """Whether what a step wrote is there and was made from what the steps before it say now.

    RETURNS (bool): False when its receipt is missing, an output is gone, or a step before it was done again with another
        result.
    """
    receipt = _read_receipt(folder, step)
    if receipt is None or not outputs_stand(folder, receipt):
        return False
    return all(fresh(folder, name) and _state(folder.receipt(name)) == state for name, state in receipt.get("after", {}).items())


def _read_receipt(folder: RunFolder, step: str) -> dict[str, Any] | None:
    """A receipt, or None when it is missing or damaged."""
    try:
        receipt = json.loads(folder.receipt_path(step).read_text(encoding="utf-8"))
        _ = receipt["key"], dict(receipt["outputs"]), dict(receipt["counts"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return dict(receipt)


def _state(receipt: Mapping[str, Any]) -> str:
    return digest(json.dumps(receipt["outputs"], sort_keys=True))


def forget_broken(folder: RunFolder) -> list[str]:
    """Remove the receipts whose outputs are gone or changed, or that left something to be tried again.

    RETURNS (List[str]): The steps.
    """
    broken = []
    for step in STEPS:
        receipt = _read_receipt(folder, step)
        if folder.receipt_path(step).is_file() and (receipt is None or not is_done(folder, receipt)):
            folder.receipt_path(step).unlink()
            broken.append(step)
    return broken


def run_step(
    folder: RunFolder,
    step: str,
    *,
    after: Sequence[str],
    settings: Mapping[str, Any],
    outputs: Outputs,
    body: Callable[[], Mapping[str, Any]],
    always: bool = False,
) -> bool:
    """Do a step unless its receipt says that it is done.

    step (str): Name of the step.
    after (Sequence[str]): Steps whose outputs this one reads.
    settings (Mapping): Everything else that its result depends on, as plain JSON: fingerprints of files, options.
    outputs (Sequence[str] | Callable): Names of files or folders in the run folder that it writes and nobody else writes
        into; a function when they are known only after the work.
    body (Callable): Does the work, writes every output atomically, returns counts for the receipt; with
        `"unfinished": True` among them the step is done again the next time.
    always (bool): Do it whatever the receipt says, because something outside may have changed; later steps look at what came of it.
    RETURNS (bool): Whether work was done.
    RAISES (RunFolderError): When a step before it has not been done or is stale, or an output was not written.
    """
    with locked(folder):
        return _run_locked(folder, step, after, settings, outputs, body, always)


@contextlib.contextmanager
def locked(folder: RunFolder) -> Iterator[None]:
    """Keep a second process out of a run folder, and clear away what a killed one left half-written.

    RAISES (RunFolderError): When another process works in it.
    """
    from filelock import FileLock, Timeout

    folder.path.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder.file(".lock"), timeout=0):
            for litter in list(folder.path.rglob(".*.part")):
                _clear(litter)
            yield
    except Timeout:
        raise RunFolderError(
            f"Another process works on the run '{folder.name}'. Wait for it, or give this one another name with --vars.run NAME."
        ) from None


def _clear(litter: Path) -> None:
    """Remove what a killed process left; a folder with a lock of its own is one of a store, which clears it itself."""
    if not litter.is_dir() or litter.is_symlink():
        litter.unlink(missing_ok=True)
    elif not (litter / ".lock").exists():
        shutil.rmtree(litter, ignore_errors=True)


def _run_locked(
    folder: RunFolder,
    step: str,
    after: Sequence[str],
    settings: Mapping[str, Any],
    outputs: Outputs,
    body: Callable[[], Mapping[str, Any]],
    always: bool,
) -> bool:
    before = {name: upstream(folder, name) for name in after}
    key = digest(step, json.dumps([before, settings, versions()], sort_keys=True, ensure_ascii=False))
    old = _read_receipt(folder, step)
    if not always and old is not None and old["key"] == key and is_done(folder, old):
        return False
    folder.receipt_path(step).unlink(missing_ok=True)
    started = time.monotonic()
    counts = dict(body())
    written = outputs() if callable(outputs) else outputs
    missing = [name for name in written if not (folder.path / name).exists()]
    if missing:
        raise RunFolderError(f"The step '{step}' ended without writing {', '.join(missing)}. This is a bug; please report it.")
    about = {name: fingerprint(folder.path / name) for name in written}
    receipt = {"v": 1, "step": step, "key": key, "after": before, "settings": settings, "counts": counts}
    write_json(folder.receipt_path(step), receipt | {"versions": versions(), "outputs": about})
    log_timing(folder, step, time.monotonic() - started, counts)
    return True


def upstream(folder: RunFolder, name: str) -> str:
    """The state of a step before this one.

    RAISES (RunFolderError): When it has not been done, or is older than what it was made from.
    """
    receipt = folder.receipt(name)
    if not fresh(folder, name):
        raise RunFolderError(
            f"The step '{name}' of the run '{folder.name}' is older than what it was made from, or its files are gone. "
            f"{_cure(folder, name, 'again')}"
        )
    return _state(receipt)


def log_timing(folder: RunFolder, step: str, seconds: float, counts: Mapping[str, Any]) -> None:
    """Append what a step took to `timings.jsonl`: wall seconds and peak memory of this process in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    with folder.file("timings.jsonl").open("a", encoding="utf-8") as file:
        file.write(dumps({"step": step, "seconds": round(seconds, 2), "peak_mb": peak, "counts": dict(counts)}) + "\n")
