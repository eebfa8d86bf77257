"""Rows after review: who chose the labels, and what becomes of those that nobody looked at."""

import math
from collections import Counter

import pytest

from spacy_synthesizrr.candidates import ACCEPTED, Candidate, Event, Seed
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.jsonl import write_jsonl
from spacy_synthesizrr.students.reviewed import (
    HUMAN,
    LABEL_SCORE,
    LABEL_SOURCE,
    LEFT_OUT,
    REVIEWED,
    SUGGESTION,
    UNREVIEWED,
    label_score,
    label_source,
    main_rows,
    unreviewed,
)  # fmt: skip

SEED = Seed.make(["sport"], {"text": "A seed."})


def row(draw=0, *, source=None, score=None):
    planned = Candidate.plan(task="t", strategy="s", seed=SEED, passage_id=None, draw=draw, fields={"text": f"Text {draw}."})
    if score is not None:
        planned = planned.after(Event("curate", ACCEPTED, "", {LABEL_SCORE: score}))
    return planned if source is None else planned.after(Event("review", ACCEPTED, "", {LABEL_SOURCE: source}))


def test_the_newest_event_says_who_chose_the_labels():
    assert label_source(row(source=SUGGESTION).after(Event("review", ACCEPTED, "", {LABEL_SOURCE: HUMAN}))) == HUMAN


@pytest.mark.parametrize("score", [1.7, -0.1, math.nan, math.inf, True, "0.5", "high", [0.5]])
def test_what_is_no_share_is_no_score(score):
    assert label_score(row(score=score)) is None


def test_a_row_that_was_never_up_for_review_is_unreviewed():
    assert label_source(row()) == UNREVIEWED


@pytest.mark.parametrize(
    ("policy", "scores"),
    [("keep", [None, 0.0, 0.79, 0.8]), ("drop", []), ("score >= 0.8", [0.8]), ("score ≥ 0.79", [0.79, 0.8]), ("score>=1", [])],
)
def test_the_setting_says_which_unreviewed_rows_stay(policy, scores):
    rows = [row(draw, score=score) for draw, score in enumerate([None, 0.0, 0.79, 0.8])]
    assert [label_score(each) for each in rows if unreviewed(policy).keeps(each)] == scores


@pytest.mark.parametrize("text", ["", "score", "score > 0.5", "score >= 1.5", "score >= x", "Keep"])
def test_another_setting_is_refused_with_the_valid_ones(text):
    with pytest.raises(ConfigError, match="'keep', 'drop', or 'score >= X'"):
        unreviewed(text, path="configs/review.file.cfg")


def reviewed_by_file(ctx, policy):
    """The run as if it was set up with a review in a file."""
    from pathlib import Path

    path = Path("configs/review.mine.cfg")
    path.write_text(f'[review]\nbackend = "file"\n\n[export]\nunreviewed = "{policy}"\n')
    ctx.inputs["review"] = "mine"
    ctx.inputs["configs"]["review"] = {"path": path.as_posix(), "sha256": ""}
    rows = [row(0, source=HUMAN), row(1, source=UNREVIEWED, score=0.9), row(2, source=UNREVIEWED), row(3, source=SUGGESTION)]
    write_jsonl(ctx.folder.file(REVIEWED), (each.to_dict() for each in rows))
    return rows


def test_rows_without_a_decision_are_left_out_and_counted(walked):
    rows = reviewed_by_file(walked, "score >= 0.5")
    sources = Counter()
    assert [each.id for each in main_rows(walked, sources)] == [rows[0].id, rows[1].id, rows[3].id]
    assert +sources == {HUMAN: 1, UNREVIEWED: 1, SUGGESTION: 1, LEFT_OUT: 1}


def test_a_least_score_that_no_unreviewed_row_has_is_an_error_and_not_an_empty_set(walked):
    reviewed_by_file(walked, "score >= 0.5")
    rows = [row(0, source=HUMAN, score=0.9), row(1, source=UNREVIEWED), row(2, source=UNREVIEWED)]
    write_jsonl(walked.folder.file(REVIEWED), (each.to_dict() for each in rows))
    with pytest.raises(
        ConfigError, match=r"unreviewed = 'score >= 0.5', but nothing measured a score: none of the 2 rows .*'keep' or 'drop'"
    ):
        list(main_rows(walked, Counter()))


@pytest.mark.parametrize("policy", ["keep", "drop", "score >= 0"])
def test_other_settings_need_no_score(walked, policy):
    reviewed_by_file(walked, policy)
    write_jsonl(walked.folder.file(REVIEWED), [row(1, source=UNREVIEWED).to_dict()])
    assert len(list(main_rows(walked, Counter()))) == (policy != "drop")


def test_without_unreviewed_rows_nobody_misses_a_score(walked):
    reviewed_by_file(walked, "score >= 0.5")
    write_jsonl(walked.folder.file(REVIEWED), [row(0, source=HUMAN).to_dict()])
    assert len(list(main_rows(walked, Counter()))) == 1


def test_without_a_review_the_accepted_rows_are_the_main_ones(walked):
    sources = Counter()
    rows = list(main_rows(walked, sources))
    assert rows and sources == {UNREVIEWED: len(rows)}
