"""People of whom everything is known, for review.py: what they answer, and what measuring it should find."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

ANSWERS_PER_REQUEST = 100  # the most that Argilla takes
FEWEST = 50  # rows of a bin, so that some are blind and some are not


@dataclass(frozen=True)
class Row:
    """A row of the benchmark. id (str): Of its ReviewRow. truth (str), suggestion (str): Labels. score (float): Of the suggestion."""

    id: str
    text: str
    truth: str
    suggestion: str
    score: float


@dataclass(frozen=True)
class Person:
    """Somebody who is right in a share of the rows, errs evenly among the other labels, and copies a shown suggestion in a share."""

    name: str
    right: float
    copies: float

    def answer(self, row: Row, labels: Sequence[str], *, shown: bool, seed: int) -> str:
        """RETURNS (str): The same for the same row, person and seed."""
        rng = random.Random(f"{seed}/{self.name}/{row.id}")
        copies, right = rng.random() < self.copies, rng.random() < self.right
        if shown and copies:
            return row.suggestion
        return row.truth if right else rng.choice([label for label in labels if label != row.truth])

    def chances(self, row: Row, labels: Sequence[str], *, shown: bool) -> dict[str, float]:
        """RETURNS (Dict[str, float]): How likely each answer is."""
        copies, wrong = self.copies if shown else 0.0, (1 - self.right) / (len(labels) - 1)
        return {
            label: (1 - copies) * (self.right if label == row.truth else wrong) + copies * (label == row.suggestion) for label in labels
        }


def drawn_score(rng: random.Random, *, right: bool) -> float:
    """A score that knows something: larger for suggestions that are right, with a wide overlap."""
    return round(rng.betavariate(4, 1.6) if right else rng.betavariate(2, 2.4), 4)


def respond(post: Callable[[list[dict[str, Any]]], None], answers: Iterable[tuple[str, str]]) -> int:
    """Send answers as the page does.

    post (Callable): Sends some to `me/responses/bulk` with the person's key.
    answers (Iterable[Tuple[str, str]]): The server's id of a record, the label.
    RETURNS (int): How many were sent.
    """
    items, sent = [], 0
    for record, label in answers:
        items.append({"record_id": record, "values": {"label": {"value": label}}, "status": "submitted"})
        if len(items) == ANSWERS_PER_REQUEST:
            post(items)
            sent, items = sent + len(items), []
    if items:
        post(items)
    return sent + len(items)


def planted(rows: Sequence[Row], people: Sequence[Person], labels: Sequence[str], *, blind: float) -> Iterator[tuple[str, float]]:
    """What each measure would find on ever more rows like these.

    blind (float): Share of the rows that show no suggestion.
    YIELDS (Tuple[str, float]): Name, as in `measured`, and value.
    """
    for person in people:
        yield f"accuracy of {person.name}", person.right
        yield f"{person.name} copies", person.copies
    yield "accuracy of the suggestion", fmean(row.truth == row.suggestion for row in rows)
    arms = {shown: [_accepting(row, people, labels, shown=shown) for row in rows] for shown in (True, False)}
    yield "accepted, shown", fmean(arms[True])
    yield "accepted, blind", fmean(arms[False])
    yield "pull in points", fmean(arms[True]) - fmean(arms[False])
    yield "suggestion copied", people[0].copies
    for name, shares in (("blind rows", {False: 1.0}), ("all rows", {False: blind, True: 1 - blind})):
        yield from _agreement(name, rows, people, labels, shares)
    for low in range(10):
        kept = [place for place, row in enumerate(rows) if min(9, int(row.score * 10)) == low]
        for shown, title in ((True, "shown"), (False, "blind")):
            if len(kept) >= FEWEST:
                yield f"accepted, {title}, score from {low / 10:.1f}", fmean(arms[shown][place] for place in kept)


def _accepting(row: Row, people: Sequence[Person], labels: Sequence[str], *, shown: bool) -> float:
    return fmean(person.chances(row, labels, shown=shown)[row.suggestion] for person in people)


def _agreement(
    name: str, rows: Sequence[Row], people: Sequence[Person], labels: Sequence[str], shares: Mapping[bool, float]
) -> Iterator[tuple[str, float]]:
    """Of two people: percent, and the coefficients with their two kinds of chance."""
    alike, sides = 0.0, [dict.fromkeys(labels, 0.0) for _ in people]
    for row in rows:
        for shown, share in shares.items():
            one, two = (person.chances(row, labels, shown=shown) for person in people)
            alike += share * sum(one[label] * two[label] for label in labels) / len(rows)
            for side, chances in zip(sides, (one, two), strict=True):
                for label in labels:
                    side[label] += share * chances[label] / len(rows)
    pooled = sum((fmean(side[label] for side in sides)) ** 2 for label in labels)
    yield f"alike, {name}", alike
    yield f"Fleiss' kappa, {name}", (alike - pooled) / (1 - pooled)
    yield f"Krippendorff's alpha, {name}", (alike - pooled) / (1 - pooled)
    if name == "all rows":
        apart = sum(sides[0][label] * sides[1][label] for label in labels)
        yield "Cohen's kappa, all rows", (alike - apart) / (1 - apart)


def measured(found: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """RETURNS (Dict): The estimates of `agreement` under the names of `planted`."""
    estimates: dict[str, Mapping[str, Any]] = {}
    for person in found["people"]:
        estimates[f"accuracy of {person['name']}"] = person["accuracy"]
        estimates[f"{person['name']} copies"] = person["pull"]["copied"]
    about = found["suggestions"]
    estimates["accuracy of the suggestion"] = about["accuracy"]
    estimates |= {f"accepted, {arm}": about["pull"][arm] for arm in ("shown", "blind")}
    estimates |= {"pull in points": about["pull"]["difference"], "suggestion copied": about["pull"]["copied"]}
    for name, key in (("blind rows", "blind"), ("all rows", "all")):
        measures = found["agreement"][key]
        estimates |= {f"alike, {name}": measures["percent"], f"Fleiss' kappa, {name}": measures["fleiss"]}
        estimates[f"Krippendorff's alpha, {name}"] = measures["alpha"]
    estimates["Cohen's kappa, all rows"] = found["pairs"][0]["kappa"]
    for one in about["bins"]:
        estimates |= {f"accepted, {arm}, score from {one['low']:.1f}": one[arm] for arm in ("shown", "blind")}
    return estimates


def side_by_side(values: Iterable[tuple[str, float]], found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """RETURNS (List[dict]): Planted and measured, and whether the one lies in the interval of the other. What was not measured, or has
    no interval, is not inside.
    """
    estimates, rows = measured(found), []
    for name, value in values:
        one = estimates.get(name) or {"value": None, "low": None, "high": None, "n": 0}
        inside = one["low"] is not None and one["low"] - 5e-5 <= value <= one["high"] + 5e-5
        rows.append({"what": name, "planted": round(value, 4), **one, "inside": inside})
    return rows
