"""Rows that say, but for a few words, what seeds, accepted rows or earlier rounds say."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.candidates import ACCEPTED, Candidate, Event, Seed
from spacy_synthesizrr.configs import read_config
from spacy_synthesizrr.curation.chain import read_row_filters
from spacy_synthesizrr.curation.near_duplicates import NearDuplicate, earlier_files, make_near_duplicate
from spacy_synthesizrr.curation.verdicts import ACCEPT, FilterInputs, SwitchedOff, Verdict
from spacy_synthesizrr.errors import ConfigError, InputError
from spacy_synthesizrr.jsonl import write_jsonl
from spacy_synthesizrr.taskfile import read_task

ROOT = Path(__file__).parents[2]
PAIR = read_task(ROOT / "tests" / "fixtures" / "pair")
ROW = Candidate.plan(task="t", strategy="s", seed=Seed.make(["sport"], {"text": "a"}), passage_id="p")
TEXT = "The harbour club will play its cup match against the visitors on Sunday."
NEAR = "The harbour club will play its cup match against the visitors on Monday."
FAR = "The visitors lost their cup match against a club from the harbour."


def ask(judge, text, id="first", **changes):
    """Judge a row and let it be remembered when it is accepted."""
    candidate = replace(ROW, id=id, fields={**changes.pop("fields", {}), "text": text}, **changes)
    verdict = judge(candidate, text, "")
    if verdict.accepted:
        judge.remember(candidate, text)
    return verdict


def test_of_two_near_rows_the_later_goes_and_names_the_other():
    judge = NearDuplicate()
    assert ask(judge, TEXT) == ACCEPT
    similarity = {"neighbour": "first", "neighbour_similarity": 0.8333}
    assert ask(judge, NEAR, "second") == Verdict(False, "near_duplicate", 0.8333, similarity)


def test_rows_on_one_matter_in_other_words_stay():
    judge = NearDuplicate()
    ask(judge, TEXT)
    assert ask(judge, FAR, "second") == ACCEPT


def test_row_that_was_not_remembered_blocks_nothing():
    judge = NearDuplicate()
    candidate = replace(ROW, fields={"text": TEXT})
    assert judge(candidate, TEXT, "") == judge(candidate, TEXT, "") == ACCEPT


def test_row_that_another_filter_mended_is_remembered_as_it_is_now():
    judge = NearDuplicate()
    candidate = replace(ROW, fields={"text": FAR})
    assert judge(candidate, FAR, "") == ACCEPT
    judge.remember(candidate, TEXT)
    assert ask(judge, NEAR, "second").reason == "near_duplicate"
    assert ask(judge, FAR, "third") == ACCEPT


def test_one_hypothesis_may_stand_with_two_premises():
    judge = NearDuplicate(["premise"])
    assert ask(judge, TEXT, fields={"premise": "It rains."}) == ACCEPT
    assert ask(judge, NEAR, "second", fields={"premise": "It is dry."}) == ACCEPT
    assert ask(judge, NEAR, "third", fields={"premise": "it RAINS"}).reason == "near_duplicate"


def test_texts_under_other_labels_can_be_left_in_peace():
    assert ask(_after(NearDuplicate()), NEAR, "second", labels=("politics",)).reason == "near_duplicate"
    assert ask(_after(NearDuplicate(same_label=True)), NEAR, "second", labels=("politics",)) == ACCEPT


def _after(judge):
    ask(judge, TEXT)
    return judge


def test_seeds_of_the_run_count_unless_told_otherwise():
    inputs = FilterInputs(PAIR, ("Something else stands here.", TEXT))
    verdict = ask(make_near_duplicate()(inputs), NEAR)
    assert (verdict.reason, verdict.detail["neighbour"]) == ("near_seed", "seed 1")
    assert ask(make_near_duplicate(seeds=False)(inputs), NEAR) == ACCEPT


def test_rows_of_earlier_rounds_count(tmp_path):
    earlier = replace(ROW, id="old").after(Event("synthesize", ACCEPTED), fields={"hypothesis": TEXT})
    write_jsonl(tmp_path / "accepted.jsonl", [earlier.to_dict()])
    write_jsonl(tmp_path / "plain.jsonl", [{"hypothesis": FAR}])
    judge = make_near_duplicate(earlier=[str(tmp_path / name) for name in ("accepted.jsonl", "plain.jsonl")])(FilterInputs(PAIR))
    assert ask(judge, NEAR).detail["neighbour"] == "old"
    assert ask(judge, FAR).detail["neighbour"] == f"{tmp_path / 'plain.jsonl'}:1"
    assert ask(judge, FAR).reason == "near_earlier"


def test_earlier_rows_that_are_not_there_are_an_error(tmp_path):
    with pytest.raises(ConfigError, match="there is no file .*gone.jsonl"):
        make_near_duplicate(earlier=[str(tmp_path / "gone.jsonl")])(FilterInputs(PAIR))
    write_jsonl(tmp_path / "other.jsonl", [{"body": "x"}])
    with pytest.raises((ConfigError, InputError), match="hypothesis"):
        make_near_duplicate(earlier=[str(tmp_path / "other.jsonl")])(FilterInputs(PAIR))


def test_teacher_that_only_copies_and_the_config_switch_it_off():
    assert isinstance(make_near_duplicate()(FilterInputs(PAIR, copies=True)), SwitchedOff)
    assert isinstance(make_near_duplicate(enabled=False)(FilterInputs(PAIR)), SwitchedOff)


@pytest.mark.parametrize("options", [{"threshold": 0}, {"threshold": 1.1}, {"ngram": 0}])
def test_values_out_of_range_are_refused(options):
    with pytest.raises(ConfigError, match="NearDuplicate: "):
        make_near_duplicate(**options)


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=6).map(" ".join), max_size=20))
def test_replay_gives_the_same_verdicts(texts):
    first, second = NearDuplicate(ngram=2), NearDuplicate(ngram=2)
    assert [ask(first, text, str(n)) for n, text in enumerate(texts)] == [ask(second, text, str(n)) for n, text in enumerate(texts)]


def test_shipped_config_has_it_on():
    config = read_config(ROOT / "configs" / "curate.cfg")
    judge, _ = read_row_filters(config, PAIR, [TEXT], copies=False)
    assert judge(replace(ROW, fields={"hypothesis": NEAR}), NEAR, "").reason == "near_seed"


def test_files_of_earlier_rows_are_known_so_that_a_run_rests_on_them():
    shipped = read_config(ROOT / "configs" / "curate.cfg")
    assert earlier_files(shipped) == earlier_files({}) == []
    shipped["row_filters"]["near_duplicate"]["earlier"] = ["b.jsonl", "a.jsonl"]
    assert earlier_files(shipped) == ["a.jsonl", "b.jsonl"]
