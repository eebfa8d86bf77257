"""The numbers of metrics.json that say something of the main rows, each with what another run's must have in common with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import hypot
from statistics import fmean
from typing import Any

from spacy_synthesizrr.report.view import plain
from spacy_synthesizrr.students.arms import MAIN

GOLD, IN_PLACE = "gold", " (gold in the rows' place)"
ALL = "all labels"
OWN_VECTORS = "vectors fitted on its own rows"  # an embedder that learnt from a run's rows measures that run alone
NAMES = {**{f"distinct_{n}": f"distinct-{n}" for n in (1, 2, 3)}, **{f"self_bleu_{n}": f"Self-BLEU-{n}" for n in range(1, 6)}}


@dataclass(frozen=True)
class Value:
    """A number of one run.

    n (int | None): Rows that it was taken of. sized (bool): Whether it moves with them.
    rests_on (Mapping[str, Any]): What else two numbers must have in common to be compared, by the words for it.
    alone (str): Why it is comparable with no other run's; empty where it is.
    low, high (float | None): Its 95 % interval. sd (float | None): Over samples of the rows.
    """

    value: float
    n: int | None
    sized: bool = True
    rests_on: Mapping[str, Any] = field(default_factory=dict)
    alone: str = ""
    low: float | None = None
    high: float | None = None
    sd: float | None = None

    def why_not(self, first: Value) -> str:
        """RETURNS (str): Why this and the first run's number cannot be compared; empty when they can."""
        if alone := self.alone or first.alone:
            return alone
        other = next((name for name, what in self.rests_on.items() if first.rests_on.get(name) != what), "")
        return f"other {other}" if other else "other n" if self.sized and self.n != first.n else ""

    def gap(self, first: Value) -> dict[str, float | None]:
        """How far it is from the first run's.

        RETURNS (dict): `value`, `low` and `high`; the interval where both have one, which were taken of different rows (Newcombe,
            Statistics in Medicine 17, 1998, method 10: the distances of both from their bounds add up by squares).
        """
        gap = self.value - first.value
        if self.low is None or self.high is None or first.low is None or first.high is None:
            return {"value": gap, "low": None, "high": None}
        low = gap - hypot(self.value - self.low, first.high - first.value)
        return {"value": gap, "low": low, "high": gap + hypot(self.high - self.value, first.value - first.low)}


Topics = dict[str, dict[str, Value]]


def sizes_of(measures: Mapping[str, Any]) -> dict[int, Mapping[str, Any]]:
    """RETURNS (Dict[int, Mapping]): By rows of a set, what was measured of the main one."""
    groups = [*measures.get("groups", ()), *([measures["equal"]] if "equal" in measures else [])]
    return {group["n"]: group["sets"][MAIN] for group in groups if group["sets"].get(MAIN)}


def topics_of(run: Mapping[str, Any], size: int | None) -> Topics:
    """The numbers of one run.

    run (Mapping): Its numbers.json.
    size (int | None): At which variety is compared; None: that of its smallest group.
    RETURNS (Dict[str, Dict[str, Value]]): By topic and name; what is missing in metrics.json is missing here.
    """
    measures, files = run["measures"] or {}, run["files"]
    there = {name: about for name, about in measures.items() if isinstance(about, Mapping) and "missing" not in about}
    return {
        "variety": dict(_variety(measures, size)),
        "lengths": dict(_lengths(measures)),
        "self_bleu": dict(_self_bleu(there.get("labels", {}))),
        "mauve": dict(_mauve(there.get("mauve", {}), files)),
        "labels_kept": dict(_labels_kept(there.get("preservation", {}), files)),
        "coverage": dict(_coverage(there.get("vectors", {}), files)),
        "vectors": dict(_vectors(there.get("vectors", {}))),
        "gaps": dict(_gaps(there.get("gaps", {}), files)),
        "entities": dict(_entities(there.get("entities", {}))),
        "novelty": dict(_novelty(there.get("novelty", {}))),
        "sources": dict(_sources(there.get("sources", {}))),
    }


Named = Iterator[tuple[str, Value]]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _variety(measures: Mapping[str, Any], size: int | None) -> Named:
    found = sizes_of(measures)
    for name, about in found.get(min(found, default=0) if size is None else size, {}).items():
        if isinstance(about, Mapping) and _is_number(about.get("value")):
            yield NAMES.get(name, "mean words" if name == "words" else plain(name)), Value(about["value"], about.get("n"))


def _lengths(measures: Mapping[str, Any]) -> Named:
    words = measures.get("sets", {}).get(MAIN, {}).get("lengths", {}).get("words", {})
    for name in ("mean", "median"):
        if _is_number(words.get(name)):
            yield f"{name} words, all rows", Value(words[name], words["n"], sized=False)


def _self_bleu(labels: Mapping[str, Any]) -> Named:
    for label, about in labels.items():
        if _is_number(found := about["sets"].get(MAIN, {}).get("self_bleu_5", {}).get("value")):
            yield label, Value(found, about["n"])


def _file(files: Mapping[str, Any], *kinds: str) -> list[Any]:
    """RETURNS (List): What tells the gold rows of a run from others: their kinds and the hashes of their files."""
    return [[kind, files.get(kind, {}).get("sha256")] for kind in kinds]


def _by_vector(about: Mapping[str, Any]) -> dict[str, Any]:
    """RETURNS (dict): For `Value`: in whose vectors a number was taken."""
    return {"alone": OWN_VECTORS} if about.get("fitted", True) else {"rests_on": {"embedder": about["embedder"]}}


def _mauve(found: Mapping[str, Any], files: Mapping[str, Any]) -> Named:
    for label, about in found.get("labels", {}).items():
        for name, set_name in ((label, MAIN), (f"{label}{IN_PLACE}", GOLD)) if label == ALL else ((label, MAIN),):
            if one := about.get("sets", {}).get(set_name):
                how = _by_vector(found)
                same = {"gold rows": _file(files, found["gold"]), "settings": [found["scaling"], about["clusters"]]}
                yield name, Value(one["mean"], about["n"], sd=one["sd"], **{**how, "rests_on": same | how.get("rests_on", {})})


def _labels_kept(found: Mapping[str, Any], files: Mapping[str, Any]) -> Named:
    if not found:
        return
    same = {"gold rows": [dict(found["trained_on"]), _file(files, *found["trained_on"])]}
    main, gold = found["arms"].get(MAIN, {}), found["gold"]
    if _is_number(main.get("value")):
        bounds = {side: main["interval"][side] for side in ("low", "high")}
        yield "the label asked for", Value(main["value"], main["n"], sized=False, rests_on=same, **bounds)
        yield "with shuffled labels", Value(main["shuffled"], main["n"], sized=False, rests_on=same)
    bounds = {side: gold[side] for side in ("low", "high")}
    yield "of gold rows", Value(gold["value"], sum(found["trained_on"].values()), sized=False, rests_on=same, **bounds)


def _coverage(vectors: Mapping[str, Any], files: Mapping[str, Any]) -> Named:
    found = vectors.get("coverage", {})
    for name, set_name in (("covered", MAIN), (f"covered{IN_PLACE}", GOLD)):
        if _is_number((one := found.get("sets", {}).get(set_name, {})).get("value")):
            how = _by_vector(vectors)
            same = {"gold rows": _file(files, found["gold"])} | how.get("rests_on", {})
            yield name, Value(one["value"], found["n"], **{**how, "rests_on": same})


def _vectors(vectors: Mapping[str, Any]) -> Named:
    variety, how = vectors.get("variety", {}), _by_vector(vectors) if vectors else {}
    main = variety.get("sets", {}).get(MAIN, {})
    numbers = {"mean distance": main.get("spread"), "distance to the nearest, median": main.get("nearest", {}).get("median")}
    for name, value in numbers.items():
        if _is_number(value):
            yield name, Value(value, variety["n"], **how)
    labels = vectors.get("labels", {}).get(MAIN, {})
    cosines = labels.get("cosines", [])
    within = [row[place] for place, row in enumerate(cosines) if row[place] is not None]
    across = [value for place, row in enumerate(cosines) for other, value in enumerate(row) if other != place and value is not None]
    for name, values in (("mean cosine within labels", within), ("mean cosine across labels", across)):
        if values:
            yield name, Value(fmean(values), sum(labels["n"]), sized=False, **how)


def _gaps(found: Mapping[str, Any], files: Mapping[str, Any]) -> Named:
    main = found.get("sets", {}).get(MAIN)
    if main:
        words, lengths = main["vocabulary"], main["lengths"]
        numbers = {
            "divergence of words, bits": words["divergence"],
            "gold's words known": words["known"],
            "words gold has not": words["strange"],
            "length shift, words": lengths["distance"],
        }
        for name, value in numbers.items():
            if _is_number(value):
                yield name, Value(value, found["n"], rests_on={"gold rows": _file(files, found["gold"])})


def _entities(found: Mapping[str, Any]) -> Named:
    for kind, about in found.get("sets", {}).get(MAIN, {}).get("types", {}).items():
        same = {"pipeline": found["pipeline"]}
        yield kind, Value(about["entropy"], found["n"], rests_on=same)
        yield f"{kind}: rows that name one of the top", Value(about["top_texts"], found["n"], rests_on=same)


def _novelty(found: Mapping[str, Any]) -> Named:
    main = found.get("sets", {}).get(MAIN, {})
    for name in (name for name in main if name.startswith("novel_")):
        if _is_number(main[name]):
            words = name.removeprefix("novel_")
            same = {"passages": [found["against"], found["passages"]]}
            yield f"{words} word{'s' if words != '1' else ''}", Value(main[name], main["n"], sized=False, rests_on=same)


def _sources(found: Mapping[str, Any]) -> Named:
    for kind, about in found.get(MAIN, {}).items():
        for name, key in (("different", "different"), ("effective number", "effective"), ("rows of one at most", "most")):
            if _is_number(about[key]):
                yield f"{kind}: {name}", Value(about[key], about["n"])
