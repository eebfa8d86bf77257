"""A small stand-in for services that embed texts, for the modules of a Weaviate: it counts hashed words.

It answers as Ollama does (/api/embed) and as Cohere does (/v2/embed), the latter for those who show the key, and with other
vectors for queries than for passages.
"""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

DIMENSIONS = 48
KEY = "key-of-the-embedding-service-7f1c"


def vectors(texts: Sequence[str], kind: str = "", model: str = "words") -> np.ndarray:
    """The vectors that the service gives, not of length 1.

    kind (str): "search_query" for those of queries.
    """
    found = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in text.lower().split():
            found[row, zlib.crc32(f"{model}{word}".encode()) % DIMENSIONS] += 1.0
        found[row, 0] += 2.0 if kind == "search_query" else 0.5
    return found


@dataclass
class Embeddings:
    """A running service.

    url (str): Its address. asked (list): Kind and texts of every request.
    broken (str): What it answers instead of vectors, as an error; empty while it works.
    hated (str): Requests with a text in which this stands get an error, too.
    shift (float): Added to the second number of all vectors, as if the model had changed.
    """

    url: str = ""
    asked: list[tuple[str, list[str]]] = field(default_factory=list)
    broken: str = ""
    hated: str = ""
    shift: float = 0.0

    def texts(self, kind: str | None = None) -> list[str]:
        """RETURNS (List[str]): All texts that it was asked for, of one kind."""
        return [text for each, texts in self.asked for text in texts if kind is None or each == kind]

    def mend(self) -> None:
        """Let it work again as it did at first, and forget what it was asked."""
        self.broken, self.hated, self.shift = "", "", 0.0
        self.asked.clear()

    def answer(self, path: str, key: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """RETURNS (Tuple[int, dict]): Status and answer to a request."""
        cohere = path == "/v2/embed"
        kind, texts = (body["input_type"], body["texts"]) if cohere else ("", body["input"])
        self.asked.append((kind, list(texts)))
        if cohere and key != f"Bearer {KEY}":
            return 401, {"message": f"no such key: {key}"}
        said = self.broken or ("I hate that" if self.hated and self.hated in " ".join(texts) else "")
        if said:
            return 500, {"message" if cohere else "error": said}
        found = vectors(texts, kind, body["model"])
        found[:, 1] += self.shift
        return 200, {"embeddings": {"float": found.tolist()} if cohere else found.tolist()}


@contextmanager
def running_embeddings() -> Iterator[Embeddings]:
    """YIELDS (Embeddings): The service, on a free port of this machine, while the block runs."""
    service = Embeddings()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, found = service.answer(self.path, self.headers.get("Authorization", ""), body)
            data = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
