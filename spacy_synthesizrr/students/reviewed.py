"""Rows after review: who chose each row's labels, and what becomes of the rows that nobody looked at."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.configs import Settings, section
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.jsonl import read_json, read_jsonl

REVIEWED = "review/reviewed.jsonl"  # the bridge's `pull` writes it: accepted rows with what people decided
PULLED = "review/pulled.json"  # and what came of the votes
REVIEW = "review"  # step of the event that says who chose the labels
HUMAN, SUGGESTION, UNREVIEWED = "human", "suggestion", "unreviewed"
LABEL_SOURCE = "label_source"  # key in the detail of that event
# key in the detail of an event: how sure somebody is of the labels, in [0, 1]; `synthesizrr.VerifyLabels.v1` writes it in `curate`
LABEL_SCORE = "label_score"
LEFT_OUT = "left out"
AT_LEAST = re.compile(r"^score\s*(?:>=|≥)\s*([01](?:\.\d+)?|\.\d+)$")


class ExportSettings(Settings):
    """The section [export] of configs/review.NAME.cfg.

    unreviewed (str): What becomes of rows without a decision: "keep", "drop", or "score >= X" keeps those with at least such a
        `LABEL_SCORE`, which the set filter `synthesizrr.VerifyLabels.v1` writes.
    """

    unreviewed: str = "keep"


@dataclass(frozen=True)
class Unreviewed:
    """Which rows without a decision stay.

    least (float | None): Least score of a row that stays; None lets none stay.
    """

    least: float | None

    def keeps(self, candidate: Candidate) -> bool:
        """RETURNS (bool): Whether the row stays. A row without a score never reaches a least score above 0."""
        if self.least is None:
            return False
        return self.least <= 0 or (label_score(candidate) or 0.0) >= self.least


def unreviewed(text: str, *, path: Path | str = "") -> Unreviewed:
    """Read the setting `unreviewed`.

    RAISES (ConfigError): When it is none of the three.
    """
    if text in ("keep", "drop"):
        return Unreviewed(0.0 if text == "keep" else None)
    if match := AT_LEAST.match(text.strip()):
        if float(match[1]) <= 1:
            return Unreviewed(float(match[1]))
    raise ConfigError(f"{path}: [export] 'unreviewed' is '{text}'. Valid: 'keep', 'drop', or 'score >= X' with X from 0 to 1.")


def label_source(candidate: Candidate) -> str:
    """RETURNS (str): Who chose the labels: `HUMAN`, `SUGGESTION` (a tie that the suggestion broke) or `UNREVIEWED`."""
    return str(_newest(candidate, LABEL_SOURCE, UNREVIEWED))


def label_score(candidate: Candidate) -> float | None:
    """RETURNS (float | None): How sure curation is of the labels, in [0, 1], by the newest event that says so; None where nothing
    measured it, or where that is no such number.
    """
    found = _newest(candidate, LABEL_SCORE, None)
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not 0 <= found <= 1:
        return None
    return float(found)


def _newest(candidate: Candidate, key: str, default: object) -> object:
    return next((event.detail[key] for event in reversed(candidate.events) if key in event.detail), default)


def main_rows(ctx: Context, sources: Counter[str]) -> Iterator[Candidate]:
    """Stream the rows of the main arm: the accepted ones, after review where there is one.

    sources (Counter[str]): Counts rows by who chose their labels, and those `LEFT_OUT`.
    RAISES (ConfigError): At the end, when unreviewed rows were to stay by their score and none has one.
    """
    if not ctx.reviewed:
        yield from _counted(read_jsonl(ctx.folder.file("accepted.jsonl"), Candidate.from_dict), sources)
        return
    path = ctx.config_path("review")
    policy = unreviewed(section(ctx.config("review"), "export", ExportSettings, path=path).unreviewed, path=path)
    scored = unscored = 0
    for candidate in _counted(read_jsonl(ctx.folder.file(REVIEWED), Candidate.from_dict), sources):
        if label_source(candidate) != UNREVIEWED:
            yield candidate
            continue
        scored, unscored = (scored, unscored + 1) if label_score(candidate) is None else (scored + 1, unscored)
        if policy.keeps(candidate):
            yield candidate
        else:
            sources[UNREVIEWED] -= 1
            sources[LEFT_OUT] += 1
    if policy.least and unscored and not scored:  # or all of them would go, and nobody would know why
        raise ConfigError(
            f"{path}: [export] unreviewed = 'score >= {policy.least:g}', but nothing measured a score: none of the {unscored:,} rows that "
            f"nobody reviewed has '{LABEL_SCORE}' in an event. Set it to 'keep' or 'drop'; or let "
            "synthesizrr.VerifyLabels.v1 write this score: a section under [set_filters] of configs/curate.cfg."
        )


def _counted(rows: Iterable[Candidate], sources: Counter[str]) -> Iterator[Candidate]:
    for candidate in rows:
        sources[label_source(candidate)] += 1
        yield candidate


def turned_away(ctx: Context) -> dict[str, int]:
    """RETURNS (Dict[str, int]): Rows that curation accepted and people did not, by reason; open ties are among them."""
    return dict(read_json(ctx.folder.file(PULLED))["reasons"]) if ctx.reviewed else {}


def told(sources: Mapping[str, int]) -> str:
    """RETURNS (str): One line for people."""
    return ", ".join(f"{sources.get(name, 0)} {name}" for name in (HUMAN, SUGGESTION, UNREVIEWED, LEFT_OUT))
