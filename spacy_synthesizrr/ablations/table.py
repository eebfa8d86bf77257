"""The table of a grid, as Markdown that can be read in a terminal as well."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from spacy_synthesizrr.ablations.changes import told
from spacy_synthesizrr.ablations.overlap import MUCH
from spacy_synthesizrr.students.scores import NOTHING, said
from spacy_synthesizrr.students.table import FEW, FEW_ROWS

Arm = Mapping[str, Any]
UNCLEAR, HERE = "unclear", "in these draws"


def markdown(found: Mapping[str, Any], *, figure: str = "") -> str:
    """Lay out ablation.json.

    figure (str): Name of a picture that stands below the table.
    RETURNS (str): Title, question, table, what the intervals say and do not say, what each arm changes.
    """
    lines = [f"# {found['grid']}", "", *([found["about"], ""] if found["about"] else []), *table(found), ""]
    if figure:
        lines += [f"![Differences to {found['baseline']}]({figure})", ""]
    lines += [*notes(found), "", "## What each arm changes", "", *_changes(found)]
    return "\n".join(lines) + "\n"


def table(found: Mapping[str, Any]) -> Iterator[str]:
    """YIELDS (str): Lines of a Markdown table, one per arm, padded so that columns stand below each other."""
    several = len(found["draws"]) > 1
    shown = list(dict.fromkeys(path for arm in found["arms"] for run in arm["runs"] for path in run.get("show", {})))
    by_draw = ["by draw [95 % over draws]"] if several else []
    head = ["arm", "rows", found["metric"], f"against {found['baseline']} [95 %]", *by_draw, *shown]
    rows = [[_name(arm, found), _rows(arm), _score(arm), _gap(arm, found), *([_draws(arm)] if several else [])] for arm in found["arms"]]
    rows = [row + [_shown(arm, path) for path in shown] for row, arm in zip(rows, found["arms"], strict=True)]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    yield _line(head, widths)
    yield "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    for row in rows:
        yield _line(row, widths)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"


def _name(arm: Arm, found: Mapping[str, Any]) -> str:
    return f"{arm['name']} (baseline)" if arm["name"] == found["baseline"] else str(arm["name"])


def _done(arm: Arm) -> list[Mapping[str, Any]]:
    return [run for run in arm["runs"] if "why" not in run]


def _rows(arm: Arm) -> str:
    done = _done(arm)
    if not done:
        return NOTHING
    counts = sorted({int(run["rows"]) for run in done})
    return f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,}–{counts[-1]:,}"


def _score(arm: Arm) -> str:
    done = _done(arm)
    few = f" ({len(done)} of {len(arm['runs'])} draws)" if done and len(done) < len(arm["runs"]) else ""
    return said(arm["score"]) + few


def _gap(arm: Arm, found: Mapping[str, Any]) -> str:
    gap = arm["difference"]
    if arm["name"] == found["baseline"] or gap is None:
        return NOTHING
    repeated = any(one["name"] in (arm["name"], found["baseline"]) for one in _repeated(found))
    word = verdict(gap, repeated=repeated)
    return f"{_points(gap['value'])} [{_points(gap['low'])}, {_points(gap['high'])}]{f' {word}' if word else ''}"


def verdict(gap: Mapping[str, Any], *, repeated: bool = False) -> str:
    """What keeps a difference from being one.

    repeated (bool): Whether the draws share so many rows that they tell little of others.
    RETURNS (str): Nothing, other test rows, or other draws.
    """
    if not clear(gap):
        return UNCLEAR
    return HERE if gap["over_draws"] and (repeated or not clear(gap["over_draws"])) else ""


def _repeated(found: Mapping[str, Any]) -> list[Arm]:
    """RETURNS (List[dict]): The arms whose draws are the same rows again for more than a small part."""
    return [arm for arm in found["arms"] if (arm.get("shared") or 0) > MUCH]


def clear(interval: Mapping[str, float]) -> bool:
    """RETURNS (bool): Whether an interval leaves out 0."""
    return interval["low"] > 0 or interval["high"] < 0


def _points(value: float) -> str:
    shown = f"{100 * value:+.1f}"
    return "0.0" if shown in ("+0.0", "-0.0") else shown.replace("-", "−")


def _draws(arm: Arm) -> str:
    gap = arm["difference"]
    if gap is None:
        return NOTHING
    other = f" [{_points(gap['over_draws']['low'])}, {_points(gap['over_draws']['high'])}]" if gap["over_draws"] else ""
    return ", ".join(_points(draw["value"]) for draw in gap["draws"]) + other


def _shown(arm: Arm, path: str) -> str:
    values = [run["show"][path] for run in _done(arm) if run["show"].get(path) is not None]
    return f"{statistics.fmean(values):.4g}" if values else NOTHING


def notes(found: Mapping[str, Any]) -> Iterator[str]:
    """YIELDS (str): What the figures are, and what they do not tell."""
    done = [run for arm in found["arms"] for run in _done(arm)]
    if not done:
        yield "No run is finished."
        return
    tests = found["test"]
    each = f"{tests[0]:,}" if len(set(tests)) == 1 else f"{min(tests):,} to {max(tests):,}"
    of = f"{each} test rows" if len(tests) == 1 else f"{len(tests)} test sets of {each} rows"
    draws = len(found["draws"])
    students = "one student" if len(done[0]["seeds"]) == 1 else f"{len(done[0]['seeds'])} students"
    spread = "mean ± standard deviation over draws" if draws > 1 else "one draw"
    yield (
        f"{found['metric'][:1].upper()}{found['metric'][1:]} in percent, {spread}, of {students} each. Differences "
        f"are in points, with 95 % paired bootstrap intervals over {of}: both arms are scored on the same drawn rows. Where 0 lies inside, "
        f"it is {UNCLEAR} which is better."
    )
    yield (
        f"What other draws would give is told by the draws themselves, with a 95 % t interval. Where 0 lies inside of that one alone, the "
        f"difference is there {HERE}, and others may turn it round."
        if draws > 1
        else "They say nothing of other draws: more of them would tell."
    )
    if repeated := _repeated(found):
        most = max(repeated, key=lambda arm: float(arm["shared"]))
        yield (
            f"Two draws of an arm have up to {100 * most['shared']:.0f} % of their rows in common ({most['name']}): they repeat training, "
            f"not the choice of rows. So an interval over draws is too narrow, and a difference is there {HERE} alone. Draws with other "
            "seed rows are tasks of their own: docs/ablations.md."
        )
    if min(tests) < FEW:
        yield FEW_ROWS
    if len(found["arms"]) > 5:
        yield f"With {len(found['arms']) - 1} comparisons, one in twenty would look clear by chance alone."
    for arm in found["arms"]:
        for run in arm["runs"]:
            if "why" in run:
                yield f"{arm['name']}.{run['draw']}: {run['why']}"
            elif run["short"]:
                yield f"{arm['name']}.{run['draw']}: {run['short']} rows fewer than were asked for."
    if spent := found["spent"]:
        money = "price unknown" if spent["cost"] is None else f"{spent['cost']:.4f} of money"
        yield f"Spent on all of it: {spent['requests']:,} requests, {spent['tokens']:,} tokens, {money}."


def _changes(found: Mapping[str, Any]) -> Iterator[str]:
    if found["base"]:
        yield f"- all: {_told(found['base'])}"
    for arm in found["arms"]:
        yield f"- {arm['name']}: {_told(arm['changes']) or 'nothing'}"
    for draw in found["draws"]:
        yield f"- draw {draw['name']}: {_told(draw['changes'])}"


def _told(changes: Mapping[str, Any]) -> str:
    return ", ".join(f"`{change}`" for change in told(changes))
