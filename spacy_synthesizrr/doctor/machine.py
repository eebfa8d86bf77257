"""This machine: Python, packages, pipelines with vectors, GPU, disk."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from spacy_synthesizrr.doctor.findings import Finding

US = "spacy-synthesizrr"
FIRST = ("spacy", "spacy-llm")
NOT_OURS = ("test",)  # extras for those who work on this package
LEAST_FREE = 2**30  # bytes
FULL = 0.9  # share of a disk above which a Weaviate on it does not write any more
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([\w-]+)['"]""")


def python() -> Finding:
    """RETURNS (Finding): Which Python runs."""
    at_least = importlib.metadata.metadata(US)["Requires-Python"]
    detail = f"{platform.python_version()} at {sys.executable} ({US} wants {at_least})"
    return Finding("machine", "Python", "ok", detail)


def packages() -> list[Finding]:
    """RETURNS (List[Finding]): The packages that we cannot do without, in one; then one per extra."""
    wanted: dict[str, list[str]] = {"": []}
    for line in importlib.metadata.requires(US) or ():
        extra = _EXTRA.search(line)
        wanted.setdefault(extra.group(1) if extra else "", []).append(_NAME.match(line).group())  # type: ignore[union-attr]
    found = [_base(wanted.pop(""))]
    return found + [_extra(name, needs) for name, needs in sorted(wanted.items()) if name not in NOT_OURS]


def _base(needs: list[str]) -> Finding:
    gone = [name for name in needs if version(name) is None]
    shown = ", ".join(f"{name} {version(name)}" for name in (US, *FIRST))
    if gone:
        return Finding("machine", "packages", "missing", f"{', '.join(gone)} not installed", f"pip install {' '.join(gone)}")
    return Finding("machine", "packages", "ok", f"{shown}, and {len(needs) - len(FIRST)} more")


def _extra(name: str, needs: list[str]) -> Finding:
    gone = [need for need in needs if version(need) is None]
    if gone:
        cure = f"pip install '{US}[{name}]'"
        return Finding("machine", f"[{name}]", "missing", f"{', '.join(gone)} not installed", cure, needed=False)
    return Finding("machine", f"[{name}]", "ok", ", ".join(f"{need} {version(need)}" for need in needs), needed=False)


def version(name: str) -> str | None:
    """RETURNS (Optional[str]): Of an installed package; nothing is imported."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def pipelines() -> Finding:
    """RETURNS (Finding): The installed spaCy pipelines, and the vectors that they have; none is loaded."""
    found = []
    for point in importlib.metadata.entry_points(group="spacy_models"):
        about = _meta(point.name)
        vectors: dict[str, int] = about.get("vectors") or {}
        kind = f"vectors {vectors.get('vectors', 0):,} × {vectors.get('width', 0)}" if vectors.get("width") else "no vectors"
        found.append((not vectors.get("width"), f"{point.name} {about.get('version', '')} ({kind})"))
    if all(without for without, _ in found):
        cure = "Only for [embedder] synthesizrr.SpacyVectors.v1: python -m spacy download en_core_web_md"
        shown = ", ".join(text for _, text in found) or "none installed"
        return Finding("machine", "pipelines with vectors", "missing", shown, cure, needed=False)
    return Finding("machine", "pipelines with vectors", "ok", ", ".join(text for _, text in sorted(found)), needed=False)


def _meta(name: str) -> dict[str, Any]:
    spec = importlib.util.find_spec(name)
    for folder in spec.submodule_search_locations or () if spec is not None else ():
        path = Path(folder) / "meta.json"
        if path.is_file():
            return dict(json.loads(path.read_text(encoding="utf-8")))
    return {}


def gpu(*, needed: bool = False) -> Finding:
    """Which GPUs there are, as their driver says, and whether spaCy could use one.

    needed (bool): Whether the run asks for one.
    """
    names = gpus()
    cupy = any(name.lower().startswith("cupy") for name in importlib.metadata.packages_distributions().get("cupy", ()))
    if not names:
        cure = "Only for --vars.gpu_id: the CPU does everything." if not needed else "Run without: --vars.gpu_id -1"
        return Finding("machine", "GPU", "missing", "none found", cure, needed=needed)
    if not cupy:
        cure = "For spaCy to use it: pip install 'spacy[cuda12x]'"
        return Finding("machine", "GPU", "missing", f"{', '.join(names)}; cupy not installed", cure, needed=needed)
    return Finding("machine", "GPU", "ok", f"{', '.join(names)}; cupy installed", needed=needed)


def gpus() -> list[str]:
    """RETURNS (List[str]): Names of the GPUs of this machine."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        asked = [program, "--query-gpu=name,memory.total", "--format=csv,noheader"]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def disk(folder: Path, *, hosts_weaviate: bool = False) -> Finding:
    """How much room there is for what a run writes.

    folder (Path): Where it is written; the nearest folder above that is there is looked at.
    hosts_weaviate (bool): Whether an embedded Weaviate keeps its data there.
    """
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    usage = shutil.disk_usage(there)
    detail = f"{usage.free / 2**30:.1f} GB free of {usage.total / 2**30:.1f} GB at {folder}"
    if usage.free < LEAST_FREE:
        return Finding("machine", "disk", "broken", detail, "Free some: an index takes about 3 kB per passage.")
    if hosts_weaviate and usage.used > FULL * (usage.used + usage.free):
        return Finding("machine", "disk", "broken", f"{detail}: more than {FULL:.0%} full, where Weaviate only reads", "Free some.")
    return Finding("machine", "disk", "ok", detail)
