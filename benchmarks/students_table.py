"""The table of the comparison of students."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

from spacy_synthesizrr.receipts import versions

TIMES = ("seconds", "docs_per_second", "megabytes")


def publish(done: Path, results: Path) -> None:
    """Write the results of what is finished and show them as tables.

    done (Path): Folder of one JSON file per training. results (Path): A JSON file.
    """
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(done.glob("*.json"))]
    groups: dict[tuple[str, str, int, str], list[dict[str, Any]]] = {}
    for one in found:
        groups.setdefault((one["data"], one["rows"], one["size"], one["student"]), []).append(one)
    table: list[dict[str, Any]] = []
    for (data, rows, size, student), runs in sorted(groups.items()):
        row: dict[str, Any] = {"data": data, "rows": rows, "size": size, "student": student}
        scores = [one["test"] for one in {one["draw"]: one for one in runs}.values()]
        row |= {"draws": len(scores), "test": round(mean(scores), 4), "sd": round(stdev(scores), 4) if len(scores) > 1 else None}
        row["scores"] = [round(score, 4) for score in scores]
        if alone := [one for one in runs if one["alone"]]:
            row |= {name: round(median(one[name] for one in alone), 3) for name in TIMES}
        table.append(row)
    about = {"versions": versions(), "machine": {"python": platform.python_version(), "system": platform.platform(terse=True)}}
    results.write_text(json.dumps({"table": table, **about}, indent=1) + "\n", encoding="utf-8")
    print(accuracies(table))
    print()
    print(times(table))


def accuracies(table: Sequence[dict[str, Any]]) -> str:
    """RETURNS (str): Markdown: students by rows, in percent ± sd over draws."""
    columns = sorted({(row["data"], row["rows"], row["size"]) for row in table})
    cells = {(row["student"], row["data"], row["rows"], row["size"]): row for row in table}
    lines = [
        "| student | " + " | ".join(f"{data} {rows} {size:,}" for data, rows, size in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for student in dict.fromkeys(row["student"] for row in table):
        lines.append(f"| {student} | " + " | ".join(_cell(cells.get((student, *column))) for column in columns) + " |")
    return "\n".join(lines)


def times(table: Sequence[dict[str, Any]]) -> str:
    """RETURNS (str): Markdown: seconds of training by rows, texts per second, megabytes; of AG News, one at a time."""
    timed = [row for row in table if "seconds" in row]
    sizes = sorted({row["size"] for row in timed})
    lines = [
        "| student | " + " | ".join(f"train, {size:,} rows, s" for size in sizes) + " | docs/s | MB |",
        "|---" * (len(sizes) + 3) + "|",
    ]
    for student in dict.fromkeys(row["student"] for row in timed):
        mine = [row for row in timed if row["student"] == student]
        seconds = [median([row["seconds"] for row in mine if row["size"] == size] or [float("nan")]) for size in sizes]
        last = [f"{median(row[name] for row in mine):,.0f}" for name in ("docs_per_second", "megabytes")]
        lines.append(f"| {student} | " + " | ".join([*(f"{value:.1f}" for value in seconds), *last]) + " |")
    return "\n".join(lines)


def _cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return "–"
    return f"{100 * row['test']:.1f}" + (f" ± {100 * row['sd']:.1f}" if row["sd"] is not None else "")
