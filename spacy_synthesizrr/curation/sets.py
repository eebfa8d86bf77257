"""Set filters: they see the finished set and only take away."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.curation.chain import build_filter
from spacy_synthesizrr.curation.verdicts import SetFilter, Verdict
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.jsonl import read_jsonl

if TYPE_CHECKING:
    from spacy_synthesizrr.lookup import Lookup

SET_FILTERS = "set_filters"


@dataclass(frozen=True)
class Rows:
    """The candidates of a file without some of them; can be read again and again, and keeps none in memory."""

    path: Path
    without: Container[str] = ()

    def __iter__(self) -> Iterator[Candidate]:
        return (row for row in read_jsonl(self.path, Candidate.from_dict) if row.id not in self.without)


def read_set_filters(config: Mapping[str, Any], *, path: Path | str = "") -> dict[str, SetFilter]:
    """Build the set filters of a config in the order of their sections [set_filters.*]; none is fine.

    RAISES (ConfigError): When a section names or describes a filter that cannot be built.
    """
    sections = config.get(SET_FILTERS) or {}
    if not isinstance(sections, dict):
        raise ConfigError(f"{path}: '{SET_FILTERS}' must be a section (was: {sections!r}).")
    return {name: build_filter(sections, name, kind=SET_FILTERS, path=path) for name in sections}


def taken_away(path: Path, filters: Mapping[str, SetFilter], lookup: Lookup) -> dict[str, tuple[str, Verdict]]:
    """Run set filters one after the other; each sees what the ones before it left.

    path (Path): The finished set, a JSONL file of candidates.
    RETURNS (dict): For each candidate that has to go: the filter's name and its verdict. About 300 bytes each are kept.
    RAISES (ConfigError): When a filter judges a candidate that it was not shown.
    """
    gone: dict[str, tuple[str, Verdict]] = {}
    for name, judge in filters.items():
        found = {candidate_id: (name, verdict) for candidate_id, verdict in judge(Rows(path, gone), lookup) if not verdict.accepted}
        unknown = found.keys() - {row.id for row in Rows(path, gone) if row.id in found}
        if unknown:
            raise ConfigError(
                f"The set filter '{name}' judged {len(unknown)} candidates that are not in the set, such as {sorted(unknown)[0]}."
            )
        gone = gone | found
    return gone
