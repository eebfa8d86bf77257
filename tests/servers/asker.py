"""A client in a process of its own, for tests that measure or kill it: asks for the answers to `prompt 0`, `prompt 1` …

    python asker.py '{"url": …, "store": …, "count": …, "told": FILE or null, "settings": {…}}'

`told` gets one line per answer before the next one is taken: what the client has handed on. Standard output gets a JSON report
at the end.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from spacy_synthesizrr.models.answers.responses import ResponseStore
from spacy_synthesizrr.models.chat import pace
from spacy_synthesizrr.models.chat.model import make_chat_completions

pace.BACKOFF, pace.LONGEST = 0.005, 0.05  # pauses that a test can wait for


def memory() -> int:
    """Kilobytes of this process that lie in memory now; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0)


def run(url: str, store: str, count: int, *, told: str | None = None, settings: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask, check every answer, and report: how many came, the first wrong one, memory at a tenth and at the end, the
    model's status, and requests for which budget is held back."""
    with ResponseStore(store) as answers:
        model = make_chat_completions(url, "m", **(settings or {}))
        model.remember(answers, scope="run")
        wrong, number, early = "", 0, 0
        file = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if told else -1
        for [answer] in model([f"prompt {number}"] for number in range(count)):
            if answer != f"answer to prompt {number}":
                wrong = wrong or f"{number}: {answer!r} {getattr(answer, 'kind', '')} {getattr(answer, 'detail', '')}"
            if told:
                os.write(file, f"{answer}\n".encode())
            number += 1
            if number == count // 10:
                early = memory()
        report = {"answers": number, "wrong": wrong, "memory": [early, memory()], "kept": len(answers), "status": model.status()}
        report["reserved"] = model._scheduler.attempts.admission.budget.reserved.requests
        model.close()
    return report


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(**json.loads(sys.argv[1]))) + "\n")
