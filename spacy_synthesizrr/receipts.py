"""Receipts: how a step knows that its work is done, and how nobody mistakes old results for new ones.

A step declares what it reads (receipts of earlier steps, settings) and what it writes. `run_step` hashes the former into
a key; when the receipt on disk has the same key and the outputs are still there, nothing is done. Otherwise the old
receipt goes first, the work is done, and the new receipt is written last: a receipt never vouches for half a file.

Receipts hold no times and no absolute paths, so that doing the same work again gives the same receipt and weasel, which
watches only receipts, leaves the later steps alone. Times go to `timings.jsonl`.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import resource
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.errors import RunFolderError
from spacy_synthesizrr.jsonl import dumps, read_json, write_json

STEPS = ("prepare", "index", "plan", "synthesize", "curate", "measure", "export", "train", "evaluate", "report")
Outputs = Sequence[str] | Callable[[], Sequence[str]]
PACKAGES = ("spacy-synthesizrr", "spacy", "spacy-llm", "numpy", "scikit-learn")


@dataclass(frozen=True)
class RunFolder:
    """One folder `runs/NAME/`: one task, strategy, teacher, store and seed."""

    path: Path

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
                f"The step '{step}' of the run '{self.path.name}' has not been done ({path} is missing). "
                f"Run it first: synthesizrr {step} --run {self.path} (or the whole project: spacy project run all)"
            )
        return read_json(path)

    def inputs(self) -> dict[str, Any]:
        """RETURNS (dict): What `prepare` found out about this run."""
        return read_json(self.file("inputs.json"), cure="Run `spacy project run prepare` first.")


def fingerprint_file(path: Path) -> str:
    """SHA-256 of a file's bytes, read in blocks (flat memory)."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            state.update(block)
    return state.hexdigest()


def fingerprint(path: Path) -> dict[str, Any]:
    """Bytes and SHA-256 of a file, or of everything in a folder (names and contents, sorted)."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        parts = [part for file in files for part in (file.relative_to(path).as_posix(), fingerprint_file(file))]
        return {"bytes": sum(file.stat().st_size for file in files), "sha256": digest(*parts)}
    return {"bytes": path.stat().st_size, "sha256": fingerprint_file(path)}


def size(path: Path) -> int:
    """RETURNS (int): Bytes of a file or of all files in a folder; −1 when there is nothing."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size if path.is_file() else -1


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


def forget_broken(folder: RunFolder) -> list[str]:
    """Remove the receipts whose outputs are gone or changed, so that their steps run again.

    RETURNS (List[str]): The steps.
    """
    broken = []
    for step in STEPS:
        path = folder.receipt_path(step)
        if path.is_file() and not _readable_and_whole(folder, path):
            path.unlink()
            broken.append(step)
    return broken


def _readable_and_whole(folder: RunFolder, path: Path) -> bool:
    try:
        return outputs_stand(folder, json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def run_step(
    folder: RunFolder,
    step: str,
    *,
    after: Sequence[str],
    settings: Mapping[str, Any],
    outputs: Outputs,
    body: Callable[[], Mapping[str, Any]],
) -> bool:
    """Do a step unless its receipt says that it is done.

    step (str): Name of the step.
    after (Sequence[str]): Steps whose outputs this one reads.
    settings (Mapping): Everything else that its result depends on, as plain JSON: fingerprints of files, options.
    outputs (Sequence[str] | Callable): Names of files or folders in the run folder that it writes and nobody else writes
        into; a function when they are known only after the work.
    body (Callable): Does the work, writes every output atomically, returns counts for the receipt.
    RETURNS (bool): Whether work was done.
    RAISES (RunFolderError): When a step before it has not been done, or an output was not written.
    """
    with locked(folder):
        return _run_locked(folder, step, after, settings, outputs, body)


@contextlib.contextmanager
def locked(folder: RunFolder) -> Iterator[None]:
    """Keep a second process out of a run folder, and clear away what a killed one left half-written.

    RAISES (RunFolderError): When another process works in it.
    """
    from filelock import FileLock, Timeout

    folder.path.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder.file(".lock"), timeout=0):
            for litter in folder.path.rglob(".*.part"):
                litter.unlink(missing_ok=True)
            yield
    except Timeout:
        raise RunFolderError(
            f"Another process works on the run '{folder.path.name}'. Wait for it, or give this one another name with --vars.run NAME."
        ) from None


def _run_locked(
    folder: RunFolder, step: str, after: Sequence[str], settings: Mapping[str, Any], outputs: Outputs, body: Callable[[], Mapping[str, Any]]
) -> bool:
    before = {name: folder.receipt(name)["outputs"] for name in after}
    key = digest(step, json.dumps([before, settings, versions()], sort_keys=True, ensure_ascii=False))
    path = folder.receipt_path(step)
    if path.is_file():
        try:
            old = json.loads(path.read_text(encoding="utf-8"))
            if old["key"] == key and outputs_stand(folder, old):
                return False
        except (ValueError, KeyError, TypeError):
            pass  # a damaged receipt vouches for nothing
        path.unlink()
    started = time.monotonic()
    counts = dict(body())
    written = outputs() if callable(outputs) else outputs
    missing = [name for name in written if not (folder.path / name).exists()]
    if missing:
        raise RunFolderError(f"The step '{step}' ended without writing {', '.join(missing)}. This is a bug; please report it.")
    about = {name: fingerprint(folder.path / name) for name in written}
    receipt = {"v": 1, "step": step, "key": key, "settings": settings, "counts": counts, "versions": versions(), "outputs": about}
    write_json(path, receipt)
    log_timing(folder, step, time.monotonic() - started, counts)
    return True


def log_timing(folder: RunFolder, step: str, seconds: float, counts: Mapping[str, Any]) -> None:
    """Append what a step took to `timings.jsonl`: wall seconds and peak memory of this process in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    with folder.file("timings.jsonl").open("a", encoding="utf-8") as file:
        file.write(dumps({"step": step, "seconds": round(seconds, 2), "peak_mb": peak, "counts": dict(counts)}) + "\n")


def replace_folder(new: Path, old: Path) -> None:
    """Put a finished folder where an old one may be; a crash in between leaves one of the two whole."""
    doomed = old.with_name(f".{old.name}.old")
    shutil.rmtree(doomed, ignore_errors=True)
    if old.exists():
        old.rename(doomed)
    new.rename(old)
    shutil.rmtree(doomed, ignore_errors=True)
