"""The clients that are compared: which script asks, how it is set up, and the environment that it runs in.

Peers live in environments of their own, in the cache that the tests use too (~/.cache/spacy-synthesizrr-tests, or the folder
that $SYNTHESIZRR_CACHE names), under benchmark-peers. A peer that cannot be installed keeps its place in the results, with
the reason.
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))  # the cache of installed things is built there

from services.cache import installed  # noqa: E402
from services.processes import ServiceError, run  # noqa: E402

INSTALL_SECONDS = 1200.0
PEERS: Mapping[str, Sequence[str]] = {
    "openai": ("openai[aiohttp]==3.57.0",),
    "litellm": ("litellm==1.110.2",),
    "curator": ("bespokelabs-curator==0.1.31",),
    "distilabel": ("distilabel[openai]==1.5.3", "requests"),  # it imports requests and does not ask for it
    "spacy-llm": ("spacy-llm==0.7.4",),
    "bleu": ("fast-bleu==0.0.90", "nltk==3.10.4"),  # of self_bleu.py
    "duplicates": ("datasketch==2.0.0", "rensa==0.5.0"),  # of duplicates.py
    "mauve": ("mauve-text==0.4.0", "faiss-cpu==1.15.1", "scikit-learn==1.9.1"),  # of mauve_package.py
}
OWN = ("spacy-synthesizrr", "spacy", "spacy-llm", "aiohttp")
SHOWN = ("aiohttp", "httpx", "httpx2", "pydantic", "requests", "spacy", "openai", "litellm", "datasets")
WHOLE = ("latency", "fast-64", "fast-256", "faults", "kill")


@dataclass(frozen=True)
class Client:
    """One client in one configuration.

    name (str): In the results.
    script (str): The file peers/ask_SCRIPT.py.
    peer (str): Whose environment; "" is the one that this script runs in.
    variant (str): What the script is told.
    about (str): The configuration in words.
    cases (Sequence[str]): In which it takes part.
    quick (bool): Whether its runs are short enough to be repeated in every case.
    slow (bool): Whether it takes so long that it is left out unless it is asked for.
    """

    name: str
    script: str
    peer: str = ""
    variant: str = ""
    about: str = ""
    cases: Sequence[str] = WHOLE
    quick: bool = False
    slow: bool = False


TIMED = ("latency", "fast-64", "fast-256")
CLIENTS = (
    Client("raw", "raw", about="aiohttp, a semaphore, a plain retry, answers as a journal", quick=True),
    Client("ours", "ours", about="ChatCompletions called directly", cases=(*WHOLE, "scale"), quick=True),
    Client("ours-pipe", "pipe", about="through llm_synthesizrr, task synthesizrr.Refine.v1", quick=True),
    Client("ours-pipe-raw", "pipe", variant="raw", about="through llm_synthesizrr, task spacy.Raw.v1", cases=TIMED, quick=True),
    Client("openai", "openai", "openai", about="AsyncOpenAI, aiohttp transport, 8 retries", quick=True),
    Client("openai-httpx", "openai", "openai", "httpx", "AsyncOpenAI, default transport, 8 retries", TIMED),
    Client("litellm", "litellm", "litellm", about="acompletion, 8 retries"),
    Client("litellm-router", "litellm", "litellm", "router", "Router.acompletion, 8 retries", ("faults",)),
    Client("curator", "curator", "curator", about="max_concurrent_requests = in flight, no rate limits"),
    Client("distilabel", "distilabel", "distilabel", "in-flight", "batches as large as the limit in flight"),
    Client("distilabel-one-batch", "distilabel", "distilabel", "one", "one batch of all: keeps no limit in flight", ("latency",)),
    Client("spacy-llm", "spacy_llm", "spacy-llm", about="its REST model, 16 processes, errors ignored", cases=(*TIMED, "faults")),
    Client("spacy-llm-cache", "spacy_llm", "spacy-llm", "cache", "the same with BatchCache, 4 Docs a batch", ("kill",)),
    Client("spacy-llm-strict", "spacy_llm", "spacy-llm", "strict sequential", "as it comes: the first error is raised", ("faults",)),
    Client("curator-defaults", "curator", "curator", "defaults", "limits as they come", ("latency",), slow=True),
    Client("spacy-llm-sequential", "spacy_llm", "spacy-llm", "sequential", "as it comes: one process", ("latency",), slow=True),
)


def environment(peer: str, *, may_install: bool) -> Path:
    """The environment of a peer.

    may_install (bool): Make it when it is not there.
    RETURNS (Path): Its Python.
    RAISES (ServiceError): When it cannot be installed.
    """

    def build(folder: Path, log: Path) -> None:
        if not may_install:
            raise ServiceError("not installed; run with --install first")
        run([sys.executable, "-m", "venv", str(folder)], log=log, seconds=INSTALL_SECONDS)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", *PEERS[peer]]
        run(pip, log=log, seconds=INSTALL_SECONDS)

    recipe = (platform.python_version(), *PEERS[peer])
    return installed(f"benchmark-peers/{peer}", build, recipe=recipe, files=["bin/python"]) / "bin" / "python"


def install(peer: str, *, may_install: bool = False) -> tuple[str, str]:
    """RETURNS (Tuple[str, str]): The Python of a peer and "", or "" and why there is none."""
    if not peer:
        return sys.executable, ""
    try:
        return str(environment(peer, may_install=may_install)), ""
    except ServiceError as error:
        return "", without_folders(" ".join(str(error).split())[-400:])


def without_folders(text: str) -> str:
    """RETURNS (str): A text whose paths are names of files only: folders of one machine say nothing on another."""
    return re.sub(r"(?<![\w:/])/(?:[\w.@+-]+/)+", "", text)


def versions(peer: str, python: str) -> dict[str, str]:
    """RETURNS (Dict[str, str]): Versions of Python and of the packages that matter, in an environment."""
    told = subprocess.run([python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"], capture_output=True, check=True)
    names = OWN if not peer else {*SHOWN, *(requirement.split("==")[0].split("[")[0] for requirement in PEERS[peer])}
    found = {package["name"].lower(): package["version"] for package in json.loads(told.stdout)}
    return {"python": platform.python_version(), **{name: found[name] for name in sorted(names) if name in found}}
