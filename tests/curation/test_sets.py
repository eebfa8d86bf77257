"""Set filters see the finished set and only take away."""

import pytest
from spacy.util import registry

from spacy_synthesizrr.candidates import ACCEPTED, Candidate, Event, Seed
from spacy_synthesizrr.curation.sets import Rows, read_set_filters, taken_away
from spacy_synthesizrr.curation.verdicts import ACCEPT, Verdict, reject
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.jsonl import write_jsonl


def write_rows(path, texts):
    seed = Seed.make(["sport"], {"text": "seed"})
    rows = [Candidate.plan(task="t", strategy="s", seed=seed, passage_id=f"p{number}") for number in range(len(texts))]
    done = [row.after(Event("synthesize", ACCEPTED), fields={"text": text}) for row, text in zip(rows, texts, strict=True)]
    write_jsonl(path, (row.to_dict() for row in done))
    return {text: row.id for row, text in zip(done, texts, strict=True)}


def shortest(rows, lookup):
    """Needs two looks at the set: how short is the shortest, and which are as short."""
    least = min(len(row.fields["text"]) for row in rows)
    yield from ((row.id, reject("shortest", least) if len(row.fields["text"]) == least else ACCEPT) for row in rows)


def test_set_filter_can_read_the_set_twice_and_takes_away(tmp_path):
    ids = write_rows(tmp_path / "rows.jsonl", ["aa", "b", "ccc"])
    away = taken_away(tmp_path / "rows.jsonl", {"short": shortest}, None)
    assert away == {ids["b"]: ("short", Verdict(False, "shortest", 1))}


def test_second_filter_sees_what_the_first_left(tmp_path):
    ids = write_rows(tmp_path / "rows.jsonl", ["aa", "b", "ccc"])
    away = taken_away(tmp_path / "rows.jsonl", {"one": shortest, "two": shortest}, None)
    assert {candidate_id: name for candidate_id, (name, _) in away.items()} == {ids["b"]: "one", ids["aa"]: "two"}


def test_no_filters_take_nothing_away(tmp_path):
    write_rows(tmp_path / "rows.jsonl", ["aa"])
    assert taken_away(tmp_path / "rows.jsonl", {}, None) == {}


def test_filter_that_judges_a_row_it_was_not_shown_is_refused(tmp_path):
    write_rows(tmp_path / "rows.jsonl", ["aa"])
    with pytest.raises(ConfigError, match="The set filter 'wild' judged 1 candidates that are not in the set, such as nobody"):
        taken_away(tmp_path / "rows.jsonl", {"wild": lambda rows, lookup: iter([("nobody", reject("x"))])}, None)


def test_rows_leave_out_some(tmp_path):
    ids = write_rows(tmp_path / "rows.jsonl", ["aa", "b"])
    assert [row.id for row in Rows(tmp_path / "rows.jsonl", {ids["b"]})] == [ids["aa"]]


def test_set_filters_are_read_in_the_order_of_their_sections():
    registry.misc.register("test.Shortest.v1", func=lambda: shortest)
    block = {"@misc": "test.Shortest.v1"}
    assert list(read_set_filters({"set_filters": {"b": dict(block), "a": dict(block)}})) == ["b", "a"]


@pytest.mark.parametrize("config", [{}, {"set_filters": {}}])
def test_no_section_means_no_set_filters(config):
    assert read_set_filters(config) == {}


def test_set_filters_that_are_no_section_are_a_config_error():
    with pytest.raises(ConfigError, match="x.cfg: 'set_filters' must be a section"):
        read_set_filters({"set_filters": 3}, path="x.cfg")
