"""The teacher of a config: what it needs, and whether its server answers. It is asked for its list of models, which no server takes
money for, and for nothing else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from spacy_synthesizrr.doctor.findings import Finding, from_error
from spacy_synthesizrr.doctor.machine import US, version
from spacy_synthesizrr.errors import SynthesizrrError
from spacy_synthesizrr.models.answers.reader import Reader
from spacy_synthesizrr.models.chat.endpoint import PATH, Endpoint, make_endpoint

PART = "teacher"
SECONDS = 5.0
MOST = 2**22  # bytes of a list of models
CHAT, BATCH, LOCAL = "synthesizrr.ChatCompletions.v1", "synthesizrr.Batch.v1", "synthesizrr.HFCausalLM.v1"
OFFLINE = ("synthesizrr.Extractive.v1", "synthesizrr.Scripted.v1")


def look_at_teacher(config: Mapping[str, Any], path: Path) -> list[Finding]:
    """Look at the teacher of a config.

    config (Mapping): As it was read. path (Path): Of the file.
    """
    block = config.get("teacher")
    name = str(block.get("@llm_models", "")) if isinstance(block, Mapping) else ""
    if not isinstance(block, Mapping) or not name:
        cure = '@llm_models = "synthesizrr.Extractive.v1"'
        return [Finding(PART, str(path), "broken", "the section [teacher] is missing", f"Give it a line such as {cure}")]
    if name in OFFLINE:
        return [Finding(PART, name, "ok", "works in this process; needs no server, key or money")]
    if name == BATCH:
        return [Finding(PART, name, "ok", f"model {block.get('model')}; answers through files, nothing is sent")]
    if name == LOCAL:
        return [_in_process(name, block)]
    if name == CHAT:
        return _chat(block, path)
    return [Finding(PART, name, "unknown", "a model of another package; only a call would tell")]


def _in_process(name: str, block: Mapping[str, Any]) -> Finding:
    gone = [package for package in ("torch", "transformers", "accelerate", "gguf") if version(package) is None]
    if gone:
        return Finding(PART, name, "missing", f"{', '.join(gone)} not installed", f"pip install '{US}[transformers]'")
    model = str(block.get("model", ""))
    where = "on this machine" if Path(model).exists() else "of the Hugging Face hub; it is downloaded when it is first needed"
    return Finding(PART, name, "ok", f"{model}: {where}")


def _chat(block: Mapping[str, Any], path: Path) -> list[Finding]:
    try:
        given: dict[str, Any] = {name: block.get(name) for name in ("api_key_env", "headers", "headers_env")}
        endpoint = make_endpoint(str(block.get("base_url", "")), **given)
    except SynthesizrrError as error:
        return [from_error(PART, str(path), error)]
    names = sorted({*endpoint.headers_env.values(), *([endpoint.api_key_env] if endpoint.api_key_env else [])})
    found = [_variable(name) for name in names]
    if any(each.bad for each in found):
        place = _models_of(endpoint)
        return [*found, Finding(PART, place, "unknown", "not asked: a key is missing")]
    return [*found, _server(endpoint, str(block.get("model", "")))]


def _variable(name: str) -> Finding:
    if os.environ.get(name, "").strip():
        return Finding(PART, f"${name}", "ok", "is set")
    return Finding(PART, f"${name}", "missing", "is not set", f"export {name}=…")


def _models_of(endpoint: Endpoint) -> str:
    """RETURNS (str): The address of the list of models."""
    parts = urlsplit(endpoint.url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path.removesuffix(PATH) + "/models", parts.query, ""))


class _NoRedirects(HTTPRedirectHandler):
    """A redirect would carry the key to another server."""

    def redirect_request(self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str) -> None:
        return None


def _server(endpoint: Endpoint, model: str) -> Finding:
    address = _models_of(endpoint)
    try:
        headers = {**endpoint.headers, **endpoint.secrets()}
        opener = build_opener(_NoRedirects, *([ProxyHandler({})] if endpoint.local else []))
        with closing(opener.open(Request(address, headers={"User-Agent": US, **headers}), timeout=SECONDS)) as reply:
            names = [str(row["id"]) for row in json.loads(reply.read(MOST))["data"] or ()]
    except SynthesizrrError as error:
        return from_error(PART, address, error)
    except HTTPError as error:
        return _refused(address, error)
    except (ValueError, KeyError, TypeError):
        return Finding(PART, address, "unknown", "something answers, but lists no models; a call would tell")
    except (OSError, HTTPException) as error:
        cure = "Start the server, or set [teacher] base_url to where it listens."
        return Finding(PART, address, "broken", f"no answer ({getattr(error, 'reason', error)})", cure)
    if model in names or f"{model}:latest" in names:
        return Finding(PART, address, "ok", f"answers and has the model {model}")
    some = ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
    cure = f"Get it (Ollama: ollama pull {model}), or set [teacher] model." if endpoint.local else "Check [teacher] model."
    return Finding(
        PART, address, "missing" if endpoint.local else "unknown", f"answers, but does not list {model} (it has: {some or 'none'})", cure
    )


def _refused(address: str, error: HTTPError) -> Finding:
    error.close()
    if error.code in (401, 403):
        return Finding(
            PART, address, "broken", f"answers, and refuses the key (status {error.code})", "Set the variable to a key of that server."
        )
    if error.code >= 500:
        return Finding(PART, address, "broken", f"answers with status {error.code}", "Look into the log of the server, or wait.")
    return Finding(PART, address, "unknown", f"answers, but gives no list of models (status {error.code}); a call would tell")


def look_at_answers(path: Path) -> Finding:
    """Look at a response store; one that is not there is not made.

    path (Path): Of the file.
    """
    if not path.is_file():
        return Finding(PART, "answers", "ok", f"{path}: none yet", needed=False)
    reader = Reader(path, wait=SECONDS)
    try:
        with reader.used() as connection:
            count = int(connection.execute("SELECT COUNT(*) FROM answers").fetchone()[0])
        return Finding(PART, "answers", "ok", f"{path}: {count:,} answers, {path.stat().st_size / 2**20:,.1f} MB")
    except SynthesizrrError as error:
        return from_error(PART, "answers", error)
    finally:
        reader.close()
