"""Measures of several runs side by side: every number of metrics.json that says something of the main rows, and how far it is from the
first run's.

A difference is told only where two numbers measure the same thing: on as many rows where they move with the number of rows, against
the same gold, in vectors of the same embedder, by judges that learnt from the same rows. Where not, the number stands with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from spacy_synthesizrr.report.measured_values import Value, sizes_of, topics_of
from spacy_synthesizrr.report.view import Cell, Table, decimals, signed
from spacy_synthesizrr.students.scores import NOTHING

TITLES = {
    "variety": "Variety",
    "lengths": "Length",
    "self_bleu": "Self-BLEU-5 within each label",
    "mauve": "MAUVE (1: as gold)",
    "labels_kept": "Labels kept: share of rows whose label a judge finds again",
    "coverage": "Gold rows that have a row near them",
    "vectors": "Vectors",
    "gaps": "Words and lengths against gold",
    "entities": "Entropy of entities, bits",
    "novelty": "N-grams that stand nowhere in the corpus",
    "sources": "Where rows come from",
}
SHORT = {"mauve": "MAUVE", "labels_kept": "Labels kept"}
SECTIONS = {  # of metrics.json, by topic, for what could not be measured
    "mauve": "mauve",
    "labels_kept": "preservation",
    "coverage": "coverage",
    "self_bleu": "labels",
    "vectors": "vectors",
    "gaps": "gaps",
    "entities": "entities",
    "novelty": "novelty",
    "sources": "sources",
}


def side_by_side(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Lay the measures of runs beside those of the first.

    runs (Sequence[Mapping]): numbers.json of each.
    RETURNS (dict): Plain JSON. `values`: by topic (see `TITLES`) and name one entry per run, None where there is no such number:
        `value`, `n`, `low`, `high`, `sd`, `gap` (None of the first run, and where numbers cannot be compared) and `why` they cannot.
        `missing`: by run and topic, why there are no numbers. `rows`: which rows of each were measured.
    """
    size = _common_size([run["measures"] or {} for run in runs])
    found = [topics_of(run, size) for run in runs]
    values: dict[str, dict[str, list[dict[str, Any] | None]]] = {}
    for topic in TITLES:
        names = dict.fromkeys(name for one in found for name in one.get(topic, ()))
        if names:
            values[topic] = {name: _beside([one.get(topic, {}).get(name) for one in found]) for name in names}
    missing = {run["run"]: _missing(run["measures"]) for run in runs}
    rows = {run["run"]: (run["measures"] or {}).get("rows") for run in runs}
    return {"values": values, "missing": missing, "rows": rows}


def _beside(values: Sequence[Value | None]) -> list[dict[str, Any] | None]:
    first = values[0]
    return [None if one is None else _told(one, first if place else None) for place, one in enumerate(values)]


def _told(one: Value, first: Value | None) -> dict[str, Any]:
    why = one.why_not(first) if first else ""
    about = {name: getattr(one, name) for name in ("value", "n", "low", "high", "sd")}
    return about | {"gap": one.gap(first) if first and not why else None, "why": why}


def _missing(measures: Mapping[str, Any] | None) -> dict[str, str]:
    if not measures:
        return {"all": "it was not measured"}
    sections = {"coverage": measures.get("vectors", {}).get("coverage", {}), **measures}
    return {topic: str(sections[name]["missing"]) for topic, name in SECTIONS.items() if "missing" in sections.get(name, {})}


def _common_size(measures: Sequence[Mapping[str, Any]]) -> int | None:
    """RETURNS (int | None): The largest size at which all runs that were measured have a group; None where there is none."""
    sized = [sizes_of(one) for one in measures if one]
    common = set.intersection(*map(set, sized)) if sized else set()
    return max(common, default=None)


def tables(found: Mapping[str, Any], runs: Sequence[str]) -> Iterator[Table]:
    """YIELDS (Table): One per topic, a column per run."""
    for topic, names in found["values"].items():
        yield Table(TITLES[topic], ("measure", *runs), tuple((name, *map(_cell, values)) for name, values in names.items()))


def _cell(one: Mapping[str, Any] | None) -> Cell:
    if one is None:
        return NOTHING
    interval = "" if one["low"] is None else f" [{decimals(one['low'])} to {decimals(one['high'])}]"
    sd = "" if one["sd"] is None else f" ± {decimals(one['sd'])}"
    n = "" if one["n"] is None else f", n {one['n']:,}"
    why = f"; {one['why']}" if one["why"] else ""
    return f"{decimals(one['value'])}{sd}{interval}{_gap(one['gap'])}{n}{why}"


def _gap(gap: Mapping[str, Any] | None) -> str:
    if gap is None:
        return ""
    interval = "" if gap["low"] is None else f", {signed(gap['low'], 3)} to {signed(gap['high'], 3)}"
    return f" ({signed(gap['value'], 3)}{interval})"


def sentences(found: Mapping[str, Any]) -> Iterator[str]:
    """YIELDS (str): How to read the tables, and what was not measured."""
    yield (
        "Of the main rows of each run; variety on the largest number of rows at which all runs were measured. In round brackets: how far "
        "from the first run. Where numbers do not measure the same thing (another n, other gold rows or judges, vectors of another "
        "embedder) there is no such difference, and the reason stands beside the number. In square brackets: 95 % intervals over rows; the "
        "interval of a difference takes the rows of both runs as drawn independently. After ±: how far it moves with the sample of rows."
    )
    if "accepted" in found["rows"].values():
        early = ", ".join(run for run, rows in found["rows"].items() if rows == "accepted")
        yield f"Measured before `export` left out what gives a dev or test row away: {early}."
    for run, why in found["missing"].items():
        for topic, reason in why.items():
            what = f"{SHORT.get(topic, TITLES[topic])}: " if topic in TITLES else ""
            yield f"{run}: {what}{reason.rstrip('.')}."
