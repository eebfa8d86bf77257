"""`reproduce`: the commands that make a run again, and the lock: on what its results depend, as its receipts tell.

The same commands with the same lock give the same rows and students, as far as the teacher's answers are kept or come by rule: an LLM
that is asked again may answer otherwise.
"""

from __future__ import annotations

import json
import platform
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spacy_synthesizrr.context import GRID, KINDS, RUNS, SINGLE, SUFFIX, Context, config_file
from spacy_synthesizrr.errors import SynthesizrrError
from spacy_synthesizrr.fingerprints import fingerprint
from spacy_synthesizrr.jsonl import read_json
from spacy_synthesizrr.receipts import STEPS, RunFolder, command_of, fresh, loop_of, versions
from spacy_synthesizrr.report.collect import SETTINGS, reproduce
from spacy_synthesizrr.taskfile import read_task

PREPARE = "prepare"


def lock(run: str) -> dict[str, Any]:
    """What a run depends on; also of one whose files have changed since.

    run (str): Its name, or the path of its folder.
    RETURNS (dict): run, grid (the file that it belongs to, or None), loop_of (of a round: the run that its loop starts from, or None),
        commands, versions (by package, of the steps that were done),
        settings, task, files, configs (each with SHA-256),
        steps (the key of each receipt), and `changed`: what is not here and now as it was then.
    RAISES (InputError): When there is no such run.
    """
    path = Path(run)
    folder = RunFolder(path if (path / "inputs.json").is_file() else RUNS / path)
    ctx = Context(folder, folder.inputs())
    receipts = {step: folder.receipt(step) for step in STEPS if folder.receipt_path(step).is_file()}
    done: dict[str, str] = {}
    for receipt in receipts.values():
        done |= receipt.get("versions", {})
    grid, loop = folder.path.parent / GRID, loop_of(folder)
    found = {
        "v": 1,
        "run": folder.name,
        "grid": str(read_json(grid)["file"]) if folder.path.parent != RUNS and grid.is_file() and not loop else None,
        "loop_of": loop[0][1] if loop else None,
        "commands": commands(ctx, [step for step in receipts if step != PREPARE]),
        "versions": done or versions(),
        "settings": dict(ctx.settings),
        "task": {"path": ctx.inputs["identity"]["task"], **ctx.inputs["task"]},
        "files": {name: dict(about) for name, about in ctx.inputs["files"].items()},
        "configs": {name: dict(about) for name, about in ctx.inputs["configs"].items()},
        "steps": {step: receipt["key"] for step, receipt in receipts.items() if receipt.get("key")},
    }
    stale = [
        f"the step '{step}' is older than what it was made from, or its files are gone" for step in receipts if not fresh(folder, step)
    ]
    return found | {"changed": [*_changed(found), *stale]}


def commands(ctx: Context, done: list[str]) -> list[str]:
    """The commands, for a shell in the project folder.

    done (List[str]): The steps that were done, for a run whose configs are not the project's own: weasel looks for those in configs/.
    """
    chosen = {kind: str(ctx.inputs["identity"].get(kind, ctx.inputs.get(kind, ""))) for kind in KINDS}
    single = {kind: ctx.config_path(kind) for kind in SINGLE if kind in ctx.inputs["configs"]}
    elsewhere = {kind: path.as_posix() for kind, path in single.items() if path != config_file(kind)}
    if loop_of(ctx.folder) or not elsewhere and not any(name.endswith(SUFFIX) for name in chosen.values()):
        return [reproduce(ctx)]
    named = {"task": ctx.inputs["identity"]["task"], "run": ctx.folder.name, **chosen, **{name: ctx.settings[name] for name in SETTINGS}}
    options = [f"--{name.replace('_', '-')} {shlex.quote(str(value))}" for name, value in {**named, **elsewhere}.items() if value != ""]
    run = shlex.quote(ctx.folder.name)
    return [
        " ".join([command_of(PREPARE), *options]),
        *(f"{command_of(step)} --run {run}" for step in done),
    ]


def _changed(found: Mapping[str, Any]) -> Iterator[str]:
    task = found["task"]
    try:
        if read_task(Path(task["path"])).fingerprint() != task["fingerprint"]:
            yield f"{task['path']} says something else"
    except SynthesizrrError as error:
        yield f"{task['path']} cannot be read: {' '.join(str(error).split())}"
    for about in (*found["files"].values(), *found["configs"].values()):
        path = Path(about["path"])
        if not path.is_file():
            yield f"{about['path']} is gone"
        elif fingerprint(path)["sha256"] != about["sha256"]:
            yield f"{about['path']} says something else"
    here = versions()
    for package, version in found["versions"].items():
        if here.get(package) != version:
            yield f"{package} is {here.get(package, 'not installed')}, was {version}"


def told(found: Mapping[str, Any]) -> Iterator[str]:
    """YIELDS (str): Lines for a shell: the commands, and the lock in comments."""
    pins = " ".join(f"{name}=={version}" for name, version in found["versions"].items())
    yield f"# The run {found['run']}, from the project folder. Which Python made it is not known; this is {platform.python_version()}."
    if found["grid"]:
        yield f"# It belongs to a grid, which makes all of its runs: synthesizrr ablate {shlex.quote(found['grid'])}"
    if found["loop_of"]:
        yield f"# It is a round of a loop. The run that this starts from comes first: synthesizrr reproduce {shlex.quote(found['loop_of'])}"
    yield f"python -m pip install {pins}"
    yield from found["commands"]
    yield "#"
    yield from (f"# {line}" for line in _lines(found))
    yield "#"
    for line in found["changed"] or ["Everything is here as it was then."]:
        yield f"# {'!' if found['changed'] else '✔'} {line}"


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"task      {found['task']['path']}  {found['task']['fingerprint']}"
    for part in ("files", "configs"):
        for name, about in found[part].items():
            yield f"{name:<9} {about['path']}  sha256 {about['sha256']}"
    yield f"settings  {json.dumps(found['settings'], ensure_ascii=False)}"
    for step, key in found["steps"].items():
        yield f"{step:<10} {key}"
