"""Labels brought to shares: by leaving rows out, or by weights."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.candidates import ACCEPTED, Candidate, Event, Seed
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.curation.verdicts import SwitchedOff
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.jsonl import write_jsonl
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.receipts import RunFolder
from spacy_synthesizrr.set_filters.distribution import given_shares, make_match_distribution, rows_for, weights_for
from spacy_synthesizrr.set_filters.running import Rows, SetInputs
from spacy_synthesizrr.taskfile import read_task

TASK = """
name: t
labels: {a: {verbalization: about a}, b: {verbalization: about b}}
prompt: {instruction: "Write {verbalization}."}
"""


def inputs(path, *, a=6, b=2, scores=None, train=()):
    (path / "task.yml").write_text(TASK + ("train: {path: train.jsonl}\n" if train else ""))
    write_jsonl(path / "train.jsonl", [{"text": f"text {number}", "label": label} for number, label in enumerate(train)])
    rows = []
    for number, label in enumerate("a" * a + "b" * b):
        planned = Candidate.plan(task="t", strategy="s", seed=Seed.make([label], {"text": "seed"}), passage_id=f"p{number}")
        detail = {} if scores is None else {"label_score": scores[number]}
        rows.append(planned.after(Event("curate", ACCEPTED, "", detail), fields={"text": f"row {number}"}).to_dict())
    write_jsonl(path / "rows.jsonl", rows)
    ctx = Context(RunFolder(path / "run"), {"settings": {"seed": 0, "lang": "en"}})
    return SetInputs(ctx, "main", path, Lookup(read_task(path / "task.yml"), None, []))


def judge(found, **settings):
    made = make_match_distribution(**settings).bind(found)
    rows = Rows(found.folder / "rows.jsonl")
    return list(zip([row.labels[0] for row in rows], made(rows), strict=True)), made.told()


def kept(verdicts):
    return dict(Counter(label for label, verdict in verdicts if verdict.accepted))


def test_balanced_by_leaving_rows_out(tmp_path):
    verdicts, told = judge(inputs(tmp_path))
    assert kept(verdicts) == {"a": 2, "b": 2} == told["after"]
    assert {verdict.reason for _, verdict in verdicts} == {"", "distribution"}


def test_the_rows_with_the_lowest_scores_go_first(tmp_path):
    verdicts, _ = judge(inputs(tmp_path, scores=[0.1, 0.9, 0.5, 0.8, 0.2, 0.3, 0.4, 0.6]))
    assert [verdict.accepted for _, verdict in verdicts] == [False, True, False, True, False, False, True, True]


def test_without_scores_the_seed_chooses_and_the_order_of_rows_does_not(tmp_path):
    found = inputs(tmp_path)
    first, _ = judge(found)
    rows = [row.to_dict() for row in Rows(tmp_path / "rows.jsonl")]
    stays = {row["id"] for row, (_, verdict) in zip(rows, first, strict=True) if verdict.accepted}
    write_jsonl(tmp_path / "rows.jsonl", rows[::-1])
    again, _ = judge(found)
    assert stays == {row["id"] for row, (_, verdict) in zip(rows[::-1], again, strict=True) if verdict.accepted}


def test_to_the_shares_of_gold_train_rows(tmp_path):
    verdicts, told = judge(inputs(tmp_path, a=6, b=6, train="aab"), to="train")
    assert kept(verdicts) == {"a": 6, "b": 3}
    assert told["shares"] == {"a": pytest.approx(2 / 3), "b": pytest.approx(1 / 3)}


def test_without_train_rows_there_is_nothing_to_match(tmp_path):
    found = make_match_distribution(to="train").bind(inputs(tmp_path))
    assert isinstance(found, SwitchedOff) and "no gold train rows" in found.reason


def test_given_shares_of_which_one_may_be_nothing(tmp_path):
    assert kept(judge(inputs(tmp_path), to={"a": 1.0, "b": 0.0})[0]) == {"a": 6}


def test_weights_keep_all_rows_and_are_one_on_average(tmp_path):
    verdicts, _ = judge(inputs(tmp_path), how="weights")
    weights = {label: verdict.weight for label, verdict in verdicts}
    assert kept(verdicts) == {"a": 6, "b": 2}
    assert weights == {"a": pytest.approx(8 / 12, abs=1e-5), "b": pytest.approx(2.0)}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"to": "balance"}, "Did you mean 'balanced'"),
        ({"to": {"a": 0.5}}, "add up to 1"),
        ({"how": "weight"}, "Did you mean 'weights'"),
    ],
)
def test_wrong_settings_are_config_errors(settings, message):
    with pytest.raises(ConfigError, match=message):
        make_match_distribution(**settings)


def test_an_unknown_label_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="there is no label 'c'"):
        make_match_distribution(to={"a": 0.5, "c": 0.5}).bind(inputs(tmp_path))


def test_a_label_without_a_share_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="no share is given for 'b'. Give each a share; 0 leaves its rows out"):
        make_match_distribution(to={"a": 1.0}).bind(inputs(tmp_path))


def test_label_sets_are_known_in_any_order_and_spelling(tmp_path):
    (tmp_path / "task.yml").write_text(TASK + "exclusive: false\n")
    task = read_task(tmp_path / "task.yml")
    assert given_shares({"b+a": 0.5, "b": 0.5}, task) == {"a + b": 0.5, "b": 0.5}
    with pytest.raises(ConfigError, match="there is no label 'c'"):
        given_shares({"a + c": 1.0}, task)
    with pytest.raises(ConfigError, match="is there twice"):
        given_shares({"b+a": 0.5, "a + b": 0.5}, task)


def test_a_label_set_that_rows_have_needs_a_share(tmp_path):
    found = inputs(tmp_path)
    (tmp_path / "task.yml").write_text(TASK + "exclusive: false\n")
    found = replace(found, lookup=Lookup(read_task(tmp_path / "task.yml"), None, []))
    with pytest.raises(ConfigError, match="no share is given for 'a', 'b'"):
        judge(found, to={"a + b": 1.0})


@pytest.mark.parametrize("how", ["drop", "weights"])
def test_where_train_rows_have_none_of_the_labels_all_rows_stay_and_that_is_said(tmp_path, how):
    verdicts, told = judge(inputs(tmp_path, a=3, b=0, train="bb"), to="train", how=how)
    assert kept(verdicts) == {"a": 3} and "all rows stay" in told["why"] and told["said"].endswith("all rows stay.")
    assert {verdict.weight for _, verdict in verdicts} == ({1.0} if how == "weights" else {None})


def test_a_label_that_train_rows_lack_is_left_out_and_that_is_said(tmp_path):
    verdicts, told = judge(inputs(tmp_path, a=3, b=2, train="aa"), to="train")
    assert kept(verdicts) == {"a": 3} and told["said"] == "Distribution of labels: 'b' has a share of 0 (2 rows)."


def test_a_small_share_keeps_a_row():
    assert rows_for({"a": 60, "b": 50}, {"a": 0.995, "b": 0.005}) == {"a": 60, "b": 1}


@given(st.dictionaries(st.sampled_from("abcd"), st.tuples(st.integers(1, 500), st.floats(0.05, 1)), min_size=1))
def test_as_many_rows_as_there_can_be_with_these_shares(given_):
    counts = {key: count for key, (count, _) in given_.items()}
    whole = sum(share for _, share in given_.values())
    shares = {key: share / whole for key, (_, share) in given_.items()}
    wanted = rows_for(counts, shares)
    assert all(wanted[key] <= counts[key] for key in counts)
    assert any(wanted[key] == counts[key] for key in counts)
    most = min(counts[key] / shares[key] for key in counts)
    assert all(abs(wanted[key] - max(1, shares[key] * most)) <= 0.5 + 1e-9 for key in counts)
    weights = weights_for(counts, shares)
    assert sum(weights[key] * counts[key] for key in counts) == pytest.approx(sum(counts.values()), rel=1e-3)
