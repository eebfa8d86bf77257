"""On which machine something was timed: enough to read a number, and nothing that tells whose machine it is."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spacy.language import Language

CPUINFO = Path("/proc/cpuinfo")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def machine(nlp: Language) -> dict[str, Any]:
    """Processor, cores, threads and device.

    nlp (Language): Tells by its weights whether it works on a GPU.
    RETURNS (dict): cpu, cores (that this process may use), threads (of torch, where it is loaded, and as the environment limits
        them), device ("cpu" or the GPU's name) and system.
    """
    torch = sys.modules.get("torch")
    threads = {name: os.environ[name] for name in THREADS if os.environ.get(name)}
    if torch is not None:
        threads["torch"] = str(torch.get_num_threads())
    return {
        "cpu": _cpu(),
        "cores": _cores(),
        "threads": threads,
        "device": _device(nlp),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _cpu() -> str:
    if CPUINFO.is_file():
        for line in CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine() or "unknown"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _device(nlp: Language) -> str:
    names = {model.ops.name for _, component in nlp.pipeline for model in _models(component)}
    if "cupy" not in names:
        return "cpu"
    import cupy

    return str(cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode())


def _models(component: Any) -> Iterator[Any]:
    model: Any = getattr(component, "model", None)
    if hasattr(model, "walk"):
        yield from model.walk()


def count_parameters(nlp: Language) -> int:
    """RETURNS (int): Numbers that were learned, in all components, those inside wrapped torch models included."""
    total = 0
    seen: set[int] = set()
    for layer in (layer for _, component in nlp.pipeline for layer in _models(component)):
        total += sum(int(layer.get_param(name).size) for name in layer.param_names if layer.has_param(name))
        for shim in layer.shims:
            inner: Any = getattr(shim, "_model", None)
            if hasattr(inner, "parameters") and id(inner) not in seen:
                seen.add(id(inner))
                total += sum(int(parameter.numel()) for parameter in inner.parameters())
    return total
