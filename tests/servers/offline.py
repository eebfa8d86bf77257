"""A batch service in a few lines: reads files of requests, writes files of answers, and misbehaves as told."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path

Answer = Callable[[str], str]


def echo(prompt: str) -> str:
    """The prompt, told back."""
    return f"answer to {prompt}"


def rows(path: Path) -> list[dict]:
    """The lines of a file of requests."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def prompt_of(row: dict) -> str:
    """The text of the last message of a request."""
    return row["body"]["messages"][-1]["content"]


def completion(text: str, *, finish: str = "stop", tokens: tuple[int, int] = (10, 5), **message: object) -> dict:
    """The body of a chat completion."""
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
    return {"model": "m", "choices": [choice], "usage": {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]}}


def said(custom_id: str, body: object, status: int = 200) -> str:
    """A line with a response."""
    response = {"status_code": status, "request_id": "r", "body": body}
    return json.dumps({"id": f"batch_{custom_id[:6]}", "custom_id": custom_id, "response": response, "error": None})


def answered(row: dict, answer: Answer = echo) -> str:
    """The line of a good answer."""
    return said(row["custom_id"], completion(answer(prompt_of(row))))


def broken(row: dict, status: int = 500) -> str:
    """The line of an error."""
    return said(row["custom_id"], {"error": {"message": "internal error"}}, status)


def expired(row: dict) -> str:
    """The line of a request that was not executed in time."""
    error = {"code": "batch_expired", "message": "This request was not executed in time."}
    return json.dumps({"id": "b", "custom_id": row["custom_id"], "response": None, "error": error})


def garbled(row: dict) -> str:
    """A good answer, cut."""
    return answered(row)[:120]


def write(path: Path, lines: Iterable[str]) -> Path:
    """A file of answers."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def answer_all(folder: Path, answer: Answer = echo, *, name: str = "answers.jsonl", numbers: Iterable[int] | None = None) -> Path:
    """Answer every request of some files well, in another order."""
    files = sorted(folder.glob("requests-*.jsonl"))
    chosen = [path for path in files if numbers is None or int(path.stem.removeprefix("requests-")) in numbers]
    lines = [answered(row, answer) for path in chosen for row in rows(path)]
    random.Random(0).shuffle(lines)
    return write(folder / name, lines)
