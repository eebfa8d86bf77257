"""The results of teacher.py as tables for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

TIMED = (
    ("client", lambda name, row: name),
    ("wall s", lambda name, row: f"{row['wall']:.1f}"),
    ("steady s", lambda name, row: f"{row['steady']:.2f}"),
    ("over raw", lambda name, row: f"{row['over_raw']:.3f}" if "over_raw" in row else "–"),
    ("start-up s", lambda name, row: f"{row['startup']:.1f}"),
    ("CPU s", lambda name, row: f"{row['cpu']:.1f}"),
    ("memory MB", lambda name, row: f"{row['rss_mb']:.0f}"),
    ("processes", lambda name, row: f"{row['processes']:.0f}"),
    ("right", lambda name, row: _of(row, "right")),
    ("peak in flight", lambda name, row: _of(row, "peak")),
    ("runs", lambda name, row: str(len(row["runs"]))),
)
FAULTS = (
    ("client", lambda name, row: name),
    ("right answers", lambda name, row: _of(row, "right")),
    ("wrong", lambda name, row: _of(row, "wrong")),
    ("requests", lambda name, row: _of(row, "requests")),
    ("asked again after an answer", lambda name, row: _of(row, "given_again")),
    ("wall s", lambda name, row: f"{row['wall']:.1f}"),
    ("ended", lambda name, row: _ended(row)),
)
KILL = (
    ("client", lambda name, row: name),
    ("paid twice", lambda name, row: _of(row, "paid_again") if _of(row, "right") != "0" else "–"),
    ("in flight when killed", lambda name, row: _of(row, "in_flight")),
    ("right answers", lambda name, row: _of(row, "right")),
    ("rerun s", lambda name, row: _of(row, "rerun_wall")),
    ("ended", lambda name, row: _ended(row)),
)
SCALE = (
    *FAULTS[:-2],
    ("kept", lambda name, row: _of(row, "kept")),
    ("lowest limit", lambda name, row: _told(row, "lowest_limit")),
    ("highest limit after that", lambda name, row: _told(row, "highest_after")),
    ("in flight at the end", lambda name, row: _told(row, "in_flight")),
    ("memory MB", lambda name, row: f"{row['rss_mb']:.0f}"),
    ("wall s", lambda name, row: f"{row['wall']:.0f}"),
)
COLUMNS: Mapping[str, tuple[tuple[str, Callable[[str, Any], str]], ...]] = {"faults": FAULTS, "kill": KILL, "scale": SCALE}


def table(results: Mapping[str, Any]) -> str:
    """RETURNS (str): One Markdown table per case, and what is missing."""
    parts = []
    for case, rows in results["cases"].items():
        columns = COLUMNS.get(case, TIMED)
        lines = [" | ".join(title for title, _ in columns), " | ".join("---" for _ in columns)]
        lines += [" | ".join(cell(name, row) for _, cell in columns) for name, row in rows.items()]
        about = next(iter(rows.values()))
        parts.append(f"\n{case}: {about['prompts']} prompts, {about['in_flight']} in flight\n" + "\n".join(f"| {line} |" for line in lines))
    parts += [f"\nnot measured: {name} ({reason})" for name, reason in results["missing"].items()]
    return "\n".join(parts)


def _of(row: Mapping[str, Any], name: str) -> str:
    """One value of all runs, or the least and the most."""
    found = [run.get(name) for run in row["runs"]]
    known = sorted({value for value in found if value is not None})
    return "–" if not known else str(known[0]) if len(known) == 1 else f"{known[0]}–{known[-1]}"


def _told(row: Mapping[str, Any], name: str) -> str:
    return str(row["runs"][0].get("report", {}).get(name, "–"))


def _ended(row: Mapping[str, Any]) -> str:
    return row["runs"][0].get("ended", "")[:60].replace("|", "/")
