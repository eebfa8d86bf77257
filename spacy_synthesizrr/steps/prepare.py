"""`prepare`: lint the task, fingerprint every file it names, and guard the run folder.

It runs first and always, because weasel cannot see the files that are named inside a YAML. `inputs.json` is rewritten
only when something changed, so an unchanged project does nothing after this step. A new folder gets an id, which stays: what a
run of the same name spent before it was thrown away is not on its account.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from spacy_synthesizrr.configs import build, read_config
from spacy_synthesizrr.context import CACHE, GRID, KINDS, MAY_CHANGE, NO_REVIEW, PARENTS, RUNS, SINGLE, config_file, relative
from spacy_synthesizrr.corpus import check_language
from spacy_synthesizrr.errors import InputError, RunFolderError, TaskFileError
from spacy_synthesizrr.fingerprints import fingerprint, known_fingerprint, read_cache
from spacy_synthesizrr.jsonl import read_json, write_json
from spacy_synthesizrr.receipts import RunFolder, forget_broken, locked
from spacy_synthesizrr.taskfile import TaskSpec, read_task

LABELLED: tuple[Literal["dev", "test", "train"], ...] = ("dev", "test", "train")
FILE_KINDS = ("corpus", "seeds", *LABELLED)
ID_BYTES = 6


@dataclass(frozen=True)
class Choices:
    """What the person asked for: the vars of project.yml.

    strategy (str), store (str), teacher (str), student (str), review (str): Names of configs/KIND.NAME.cfg, or paths that end in .cfg.
    curate (str), measure (str): Path of a config to use in place of configs/curate.cfg and configs/measure.cfg.
    parents (str): Of a round of a loop: path of a JSONL file of seeds, beside those of the task.
    """

    task: str
    run: str
    strategy: str = "synthesizrr"
    store: str = "memory"
    teacher: str = "extractive"
    student: str = "bow"
    review: str = NO_REVIEW
    per_label: int = 50
    seed: int = 0
    lang: str = "en"
    gpu_id: int = -1
    curate: str = ""
    measure: str = ""
    parents: str = ""

    def config_path(self, kind: str) -> Path:
        """RETURNS (Path): Where the config of a kind lies."""
        return config_file(kind, str(getattr(self, kind)))


def run_folder(name: str) -> RunFolder:
    """The folder of a run, by its name: NAME, or GRID/NAME of a run that belongs to a grid.

    RAISES (RunFolderError): When the name is not a plain name, or what should be a grid is a run itself.
    """
    parts = name.split("/")
    if len(parts) > 2 or not all(part and Path(part).name == part and not part.startswith(".") for part in parts):
        raise RunFolderError(f"'{name}' is not a name for a run. Use letters, digits, '-', '_' and '.', such as news_demo.")
    if len(parts) == 2 and (RUNS / parts[0] / "inputs.json").is_file():
        raise RunFolderError(f"'{parts[0]}' is a run itself, so no run can be put into it: '{name}'. Choose another name.")
    return RunFolder(RUNS / name)


def run(wanted: Choices) -> bool:
    """Check everything that can be checked before work starts, and write `inputs.json`.

    RETURNS (bool): Whether something changed since the last time.
    RAISES (SynthesizrrError): For a task file, config or data file that is missing or wrong; for a run folder that
        belongs to another task, strategy, store or teacher.
    """
    folder = run_folder(wanted.run)
    if wanted.per_label < 1:
        raise InputError(f"per_label must be at least 1 (was: {wanted.per_label}).", cure="Set it with: --vars.per_label 50")
    check_language(wanted.lang)
    task = read_task(Path(wanted.task))
    identity = {"task": relative(task.path), **{kind: getattr(wanted, kind) for kind in KINDS if kind not in MAY_CHANGE}}
    with locked(folder):
        return _settle(folder, task, wanted, identity)


def _settle(folder: RunFolder, task: TaskSpec, wanted: Choices, identity: Mapping[str, str]) -> bool:
    """Write `inputs.json` while nobody works in the folder."""
    old = _old(folder)
    _guard(folder, old, identity)
    found: dict[str, Any] = {
        "v": 1,
        "run": wanted.run,
        "id": secrets.token_hex(ID_BYTES) if old is None else old.get("id", ""),
        "identity": identity,
        **{kind: getattr(wanted, kind) for kind in MAY_CHANGE},
        "settings": {name: getattr(wanted, name) for name in ("per_label", "seed", "lang", "gpu_id")},
        "task": {"name": task.name, "fingerprint": task.fingerprint()},
        "files": _files(folder, task, wanted.parents),
        "configs": _configs(wanted),
        **_account(folder),
    }
    if found != old:
        _check_labelled_rows(task)
        _check_settings(wanted)
        _check_student(task, wanted)
        _check_corpus(task, wanted)
    broken = forget_broken(folder) or _forget_lost_index(folder)
    write_json(folder.file("inputs.json"), found)
    _write_receipt(folder, found)
    return found != old or bool(broken)


def _account(folder: RunFolder) -> dict[str, str]:
    """A run of a grid spends on the account of the grid, for whose whole the caps hold then."""
    path = folder.path.parent / GRID
    if folder.path.parent == RUNS or not path.is_file():
        return {}
    return {"account": f"{folder.path.parent.name}/{read_json(path)['id']}"}


def _forget_lost_index(folder: RunFolder) -> bool:
    """Remove the receipt of `index` when the folder that it indexed into is gone or holds another corpus: runs share it."""
    from spacy_synthesizrr.stores.memory import MemoryStore
    from spacy_synthesizrr.stores.opening import holds_the_same

    receipt, about = folder.receipt_path("index"), folder.file("index.json")
    if not (receipt.is_file() and about.is_file()):
        return False
    noted = read_json(about)
    place = str(noted.get("store", ""))
    elsewhere = "://" in place or ", collection " in place  # a server, which is asked when a step needs it
    if holds_the_same(noted, None if elsewhere else MemoryStore(Path(place))) and (elsewhere or Path(place).is_dir()):
        return False
    receipt.unlink()
    return True


def _check_settings(wanted: Choices) -> None:
    """Check the configs and the GPU now: an error after the teacher was paid would be a dear one. The bridge checks its own config."""
    from spacy_synthesizrr.steps.checking import check_config

    for kind in (*KINDS, *SINGLE):
        if kind != "review":
            path = wanted.config_path(kind)
            check_config(kind, read_config(path), path)
    if wanted.gpu_id >= 0:
        from spacy_synthesizrr.students.config import use_gpu

        use_gpu(wanted.gpu_id)


def _check_student(task: TaskSpec, wanted: Choices) -> None:
    """RAISES (ConfigError): When a task whose answers are spans has a student that is a classifier, or the other way round."""
    from spacy_synthesizrr.students.span.settings import check_student

    path = wanted.config_path("student")
    check_student(read_config(path), path, answer=task.answer)


def _check_corpus(task: TaskSpec, wanted: Choices) -> None:
    from spacy_synthesizrr.stores.base import brings_passages

    path = wanted.config_path("store")
    if task.corpus is None and not brings_passages(build(read_config(path), "store", path=path)):
        task.need_corpus()


def _check_labelled_rows(task: TaskSpec) -> None:
    """Read every labelled row once, so that a wrong one is found now and not after the teacher was paid."""
    from spacy_synthesizrr.labelled import read_rows, read_seeds

    read_seeds(task)
    for kind in LABELLED:
        if task.file(kind) is not None:
            for _ in read_rows(task, kind):
                pass


def _write_receipt(folder: RunFolder, found: Mapping[str, Any]) -> None:
    """The receipt of `prepare` vouches for nothing but `inputs.json`; the later steps pick what concerns them."""
    receipt = {"v": 1, "step": "prepare", "key": "", "outputs": {"inputs.json": fingerprint(folder.file("inputs.json"))}}
    write_json(folder.receipt_path("prepare"), receipt | {"settings": found["settings"], "counts": {"files": len(found["files"])}})


def _old(folder: RunFolder) -> dict[str, Any] | None:
    try:
        return json.loads(folder.file("inputs.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _guard(folder: RunFolder, old: Mapping[str, Any] | None, identity: Mapping[str, str]) -> None:
    """Refuse a run folder that holds the results of something else."""
    before = (old or {}).get("identity")
    if before is None or before == identity:
        return
    changed = [name for name in identity if before.get(name) != identity[name]]
    differences = "; ".join(f"{name} is '{identity[name]}', was '{before.get(name)}'" for name in changed)
    raise RunFolderError(
        f"The run '{folder.name}' belongs to something else: {differences}. "
        f"Give this combination a name of its own with --vars.run NAME, or remove the folder {folder.path}."
    )


def _files(folder: RunFolder, task: TaskSpec, parents: str = "") -> dict[str, Any]:
    """Bytes and SHA-256 of every file that the task names; unchanged size and time spare the reading."""
    cache_path = folder.file(CACHE)
    cache, found = read_cache(cache_path), {}
    for kind in (*FILE_KINDS, PARENTS):
        path = (Path(parents) if parents else None) if kind == PARENTS else task.file(kind)
        if path is None:
            continue
        if not path.is_file():
            cure = "Paths start at the folder of the task file."
            raise TaskFileError(f"'{kind}.path': there is no file {path}.", path=task.path, cure=cure)
        name = relative(path)
        found[kind] = {"path": name, **known_fingerprint(path, name, cache)}
    write_json(cache_path, {name: entry for name, entry in cache.items() if name in {about["path"] for about in found.values()}})
    return found


def _configs(wanted: Choices) -> dict[str, Any]:
    paths = {kind: wanted.config_path(kind) for kind in (*KINDS, *SINGLE)}
    for path in paths.values():
        read_config(path)
    return {kind: {"path": path.as_posix(), "sha256": fingerprint(path)["sha256"]} for kind, path in paths.items()}
