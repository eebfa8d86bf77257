"""What stands in the finished runs of weak_teacher.py: figures, never a text; and a table of them."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from weak_runs import ARMS, DRAWS, IN_FLIGHT, PARAMETERS, PER_LABEL, SEEDS, STRATEGIES, STUDENT_STEPS, TEST, Scratch, call, finished


def seconds_of(scratch: Scratch) -> dict[str, float]:
    """RETURNS (Dict[str, float]): How long each request took that was answered."""
    with tempfile.TemporaryDirectory(prefix="weak-teacher-") as folder:
        out = Path(folder) / "answers.jsonl"
        call("responses", "export", str(out), "--file", str(scratch.answers), cwd=scratch.project)
        with out.open(encoding="utf-8") as file:
            return {row["request"]: row["seconds"] for row in map(json.loads, file) if row["seconds"] is not None}


def cost_of(run: Path, seconds: Mapping[str, float]) -> dict[str, Any]:
    """What the teacher's part of a run takes by itself, whether it was asked now or for an earlier run.

    An answer that was cut is not kept: it counts with all the tokens that it may have, and with the mean of the others otherwise.
    """
    rows = [json.loads(line) for line in (run / "generated.jsonl").read_text(encoding="utf-8").splitlines()]
    details = [row["events"][-1]["detail"] for row in rows]
    answered = [detail for detail in details if detail.get("answer_tokens")]
    cut = len(rows) - len(answered)
    prompt, times = [detail["prompt_tokens"] for detail in answered], [seconds[detail["request"]] for detail in answered]
    answer = sum(detail["answer_tokens"] for detail in answered)
    return {
        "calls": len(rows),
        "prompt_tokens": round(mean(prompt) * len(rows)),
        "answer_tokens": answer + cut * PARAMETERS["max_tokens"],
        "tokens_per_answer": round(answer / len(answered), 1),
        # each waits while up to IN_FLIGHT are answered together
        "seconds": round(mean(times) * len(rows) / IN_FLIGHT),
    }


def figures(scratch: Scratch, draw: int, strategy: str, arm: str, seconds: Mapping[str, float]) -> dict[str, Any]:
    """What stands in a finished run about one arm, without a single text."""
    run = scratch.run(draw, strategy)
    read = lambda name: json.loads((run / name).read_text(encoding="utf-8"))  # noqa: E731
    found = next(row for row in read("evaluation.json")["arms"] if row["name"] == arm)
    if not found["run"]:
        return {"why": found["why"]}
    about = {"test": found["test"], "rows": found["rows"], "steps": found["steps"]}
    about["per_label_f"] = {label: round(scores["f"], 3) for label, scores in found["per_label"].items()}
    if arm != "main":
        return about
    total = read("funnel.json")["total"]
    away = {name: total[name] for name in ("sent", "answered", "failed", "rejected", "accepted", "short")}
    return {**about, **cost_of(run, seconds), "funnel": away}


def collect(scratch: Scratch, model: str) -> dict[str, Any]:
    """RETURNS (Dict): The whole table from what is finished; arms that are not are named as such."""
    draws = range(DRAWS)
    seconds = seconds_of(scratch) if scratch.answers.is_file() else {}
    arms: dict[str, Any] = {}
    for label, (strategy, arm) in ARMS.items():
        rows = {str(draw): figures(scratch, draw, strategy, arm, seconds) for draw in draws if finished(scratch, draw, strategy)}
        arms[label] = {"strategy": strategy, "arm": arm, "draws": rows, **summary([row for row in rows.values() if "test" in row])}
    whole = [draw for draw in draws if all(finished(scratch, draw, strategy) for strategy in STRATEGIES)]
    settings = {"draws": DRAWS, "seeds_per_label": SEEDS, "rows_per_label": PER_LABEL, "test_rows_per_label": TEST, "in_flight": IN_FLIGHT}
    return {
        "draws_done": len(whole),
        "draws_wanted": DRAWS,
        "settings": {**settings, "model": model, "parameters": PARAMETERS, "student_steps": STUDENT_STEPS},
        "notes": [
            "test: accuracy of the bow student, mean and sd over 5 training seeds; all arms train for the same number of steps",
            "calls, tokens: what the arm takes by itself, though arms of one draw share answers to equal prompts",
            f"seconds: mean time of an answered request × calls / {IN_FLIGHT}, on a machine that did other work too: an upper bound",
            "gold: the student on all other labelled rows, for the same number of steps",
        ],
        "arms": arms,
        "versions": versions_of(scratch),
        "machine": {"python": platform.python_version(), "system": platform.platform(terse=True), "cores": os.cpu_count()},
    }


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Means over the draws that there are."""
    if not rows:
        return {"state": "not run yet"}
    scores = [row["test"]["mean"] for row in rows]
    found: dict[str, Any] = {"state": f"{len(rows)} of {DRAWS} draws", "test": round(mean(scores), 4)}
    found["sd_over_draws"] = round(stdev(scores), 4) if len(scores) > 1 else None
    names = ("rows", "calls", "prompt_tokens", "answer_tokens", "seconds")
    return found | {name: round(mean(row[name] for row in rows)) for name in names if name in rows[0]}


def versions_of(scratch: Scratch) -> dict[str, str]:
    """RETURNS (Dict[str, str]): Of the packages that the first finished run was made with."""
    for path in sorted(scratch.project.glob("runs/*/receipts/evaluate.json")):
        return dict(json.loads(path.read_text(encoding="utf-8"))["versions"])
    return {}


def table(results: Mapping[str, Any]) -> str:
    """RETURNS (str): Markdown. Gains are over seed-only of the same draws."""
    lines = ["| arm | draws | accuracy | rows | calls | tokens in / out | seconds | not accepted |", "|---|---|---|---|---|---|---|---|"]
    for name, arm in results["arms"].items():
        if "test" not in arm:
            lines.append(f"| {name} | 0 | {arm['state']} | | | | | |")
            continue
        spread = "" if arm["sd_over_draws"] is None else f" ± {100 * arm['sd_over_draws']:.1f}"
        row = [name, len(arm["draws"]), f"{100 * arm['test']:.1f}{spread}", arm["rows"]]
        if "calls" in arm:
            row += [arm["calls"], f"{arm['prompt_tokens']:,} / {arm['answer_tokens']:,}", arm["seconds"], reasons(arm["draws"].values())]
        lines.append("| " + " | ".join(str(cell) for cell in [*row, *[""] * (8 - len(row))]) + " |")
    return "\n".join(lines)


def reasons(rows: Any) -> str:
    """RETURNS (str): Failures and rejections of all draws together, the most frequent first."""
    counts: dict[str, int] = {}
    for row in rows:
        for found in (row["funnel"]["failed"], *row["funnel"]["rejected"].values()):
            for reason, count in found.items():
                counts[reason] = counts.get(reason, 0) + count
    return ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items(), key=lambda item: -item[1])) or "none"
