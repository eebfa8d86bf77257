"""What faults.py needs of a real LLM: rows of dev and test rewritten. Asked once; answers stay in the cache folder."""

from __future__ import annotations

import json
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from cache import cache_folder

sys.path.append(str(Path(__file__).parents[1] / "tests"))

ANSWERS = cache_folder("faults") / "answers.json"
MODEL = "smollm2:135m"
IN_FLIGHT = 4  # as many as Ollama answers at a time
REWRITE = "Rewrite this news text in your own words. Write only the new text.\n\n{text}"


@contextmanager
def served(base_url: str) -> Iterator[tuple[str, str]]:
    """YIELDS (Tuple[str, str]): Base URL and model of the server that is there, or of an Ollama that runs while the block does."""
    if base_url:
        yield base_url, MODEL
        return
    from services.ollama import running_ollama

    with tempfile.TemporaryDirectory(prefix="faults-") as state, running_ollama(Path(state)) as server:
        yield server.base_url, server.model


def ask(texts: Sequence[str], *, base_url: str = "") -> None:
    """Ask for what is not there yet: each text rewritten.

    base_url (str): Of a server with chat completions; empty starts Ollama with SmolLM2 by the recipe of the tests.
    """
    known = answers()
    missing = [text for text in dict.fromkeys(texts) if f"rewrite\n{text}" not in known]
    with served(base_url) as (url, model), ThreadPoolExecutor(IN_FLIGHT) as pool:
        said = pool.map(lambda text: _chat(url, model, REWRITE.format(text=text)), missing)
        for number, (text, answer) in enumerate(zip(missing, said, strict=True)):
            known[f"rewrite\n{text}"] = answer
            ANSWERS.parent.mkdir(parents=True, exist_ok=True)
            ANSWERS.write_text(json.dumps(known), encoding="utf-8")
            print(f"{number + 1} of {len(missing)}", flush=True)


def _chat(url: str, model: str, prompt: str) -> str:
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], "temperature": 0.7, "seed": 0, "max_tokens": 80}
    request = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=1800) as response:
        return str(json.loads(response.read())["choices"][0]["message"]["content"]).strip()


def answers() -> dict[str, str]:
    """RETURNS (Dict[str, str]): What is there, by kind and text."""
    return dict(json.loads(ANSWERS.read_text(encoding="utf-8"))) if ANSWERS.is_file() else {}


def rewritten(texts: Sequence[str]) -> dict[str, str]:
    """RETURNS (Dict[str, str]): What became of each text that was rewritten."""
    known = answers()
    return {text: known[key] for text in texts if (key := f"rewrite\n{text}") in known}
