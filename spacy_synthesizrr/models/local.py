"""Finding a local LLM: does an Ollama (or another chat server) answer, which models has it, and a teacher's config for one of them.

Nothing here is needed to ask a teacher. It saves a person from writing a config by hand, and says what to do before a run
begins that could not end well.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from spacy_synthesizrr.errors import ConfigError, TeacherError, choices
from spacy_synthesizrr.jsonl import atomic
from spacy_synthesizrr.models.chat.endpoint import make_endpoint

HOST, PORT = "127.0.0.1", 11434
PORTS = {"http": 80, "https": 443}  # where a host names a scheme and no port, as Ollama reads it
ANY = ("0.0.0.0", "::", "")  # where a server listens, not where it is reached
SECONDS = 10.0
MOST = 2**20  # bytes of a list of models


def base_url(host: str) -> str:
    """The address of the OpenAI-compatible API.

    host (str): As $OLLAMA_HOST has it: "127.0.0.1:11434", ":8080", "box.lan", "http://box.lan/ollama"; empty is Ollama's own port here.
    RETURNS (str): Such as "http://127.0.0.1:11434/v1".
    RAISES (ConfigError): When it is no address, or holds a password.
    """
    scheme, _, rest = host.strip().rpartition("://")
    try:
        parts = urlsplit(f"{scheme or 'http'}://{rest}")
        name, port = parts.hostname or "", parts.port or PORTS.get(scheme, PORT)
    except ValueError as error:
        raise ConfigError(f"The host {host!r} is no address ({error}). Give one such as {HOST}:{PORT} (OLLAMA_HOST, or --host).") from error
    name = HOST if name in ANY else f"[{name}]" if ":" in name else name
    user = parts.netloc.rpartition("@")[0]
    path = parts.path.rstrip("/").removesuffix("/v1")
    url = f"{parts.scheme}://{f'{user}@' if user else ''}{name}:{port}{path}/v1"
    make_endpoint(url)
    return url


def list_models(url: str) -> list[str]:
    """Ask a server for its models.

    url (str): Its base_url.
    RETURNS (List[str]): Their names, as the server orders them.
    RAISES (TeacherError): When nothing answers there, or something that is no chat server.
    """
    opener = build_opener(ProxyHandler({})) if make_endpoint(url).local else build_opener()
    try:
        with opener.open(f"{url}/models", timeout=SECONDS) as reply:
            return [str(row["id"]) for row in json.loads(reply.read(MOST))["data"] or ()]
    except (OSError, HTTPException) as error:
        raise TeacherError(
            f"No chat server answers at {url} ({getattr(error, 'reason', error)}). Install Ollama (https://ollama.com), start it with "
            "`ollama serve`, and get a model with `ollama pull llama3.2:3b`; or name another server: OLLAMA_HOST=HOST:PORT."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise TeacherError(f"What answers at {url}/models is no chat server: it lists no models. Check OLLAMA_HOST.") from error


def choose_model(names: Sequence[str], wanted: str, usual: str) -> str:
    """Choose one of a server's models.

    names (Sequence[str]): What the server has.
    wanted (str): What the person asked for, with or without ":latest"; empty means any.
    usual (str): Is taken where the server has it and nothing was asked for; otherwise the first that is not for embeddings.
    RETURNS (str): Its name, as the server spells it.
    RAISES (TeacherError): When the server has no such model.
    """
    found = next((name for name in names if wanted in (name, name.removesuffix(":latest"))), None)
    if found is not None:
        return found
    if wanted:
        raise TeacherError(f"The server has no model '{wanted}'. Get it with: ollama pull {wanted}. {choices(wanted, names)}")
    writers = [name for name in names if "embed" not in name.lower()]
    if not writers:
        raise TeacherError(f"The server has no model yet. Get one with: ollama pull {usual}")
    return usual if usual in writers else writers[0]


def write_teacher(source: Path, target: Path, *, url: str, model: str) -> None:
    """Write a teacher's config that is like another, for another address and model.

    source (Path): A config with lines `base_url = …` and `model = …`.
    RAISES (ConfigError): When it has none.
    """
    lines = source.read_text(encoding="utf-8").splitlines()
    for key, value in (("base_url", url), ("model", model)):
        at = next((number for number, line in enumerate(lines) if line.startswith(f"{key} = ")), None)
        if at is None:
            raise ConfigError(f"{source} has no line `{key} = …` that could be replaced.")
        lines[at] = f"{key} = {json.dumps(value)}"
    head = f"# Written by `synthesizrr local-teacher` after {source.as_posix()}, for the server that it found; it writes it anew each time."
    with atomic(target) as file:
        file.write("\n".join([head, *itertools.dropwhile(lambda line: line.startswith("#"), lines), ""]))
