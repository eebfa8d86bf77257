"""Rows after review: who chose the labels, and what becomes of those that nobody looked at."""

from collections import Counter

import pytest

from spacy_synthesizrr.candidates import ACCEPTED, Candidate, Event, Seed
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.jsonl import write_jsonl
from spacy_synthesizrr.students.reviewed import (
    HUMAN, LABEL_SCORE, LABEL_SOURCE, LEFT_OUT, REVIEWED, SUGGESTION, UNREVIEWED, label_score, label_source, main_rows, unreviewed,
)  # fmt: skip

SEED = Seed.make(["sport"], {"text": "A seed."})


def row(draw=0, *, source=None, score=None):
    planned = Candidate.plan(task="t", strategy="s", seed=SEED, passage_id=None, draw=draw, fields={"text": f"Text {draw}."})
    if score is not None:
        planned = planned.after(Event("curate", ACCEPTED, "", {LABEL_SCORE: score}))
    return planned if source is None else planned.after(Event("review", ACCEPTED, "", {LABEL_SOURCE: source}))


def test_the_newest_event_says_who_chose_the_labels():
    assert label_source(row(source=SUGGESTION).after(Event("review", ACCEPTED, "", {LABEL_SOURCE: HUMAN}))) == HUMAN


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


def test_without_a_review_the_accepted_rows_are_the_main_ones(walked):
    sources = Counter()
    rows = list(main_rows(walked, sources))
    assert rows and sources == {UNREVIEWED: len(rows)}
