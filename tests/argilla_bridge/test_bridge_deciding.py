import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argilla_bridge.rounds.deciding import corrected, decide, newest, winners
from argilla_bridge.rows import DISCARDED, DRAFT, FIX, KEEP, REJECT, SUBMITTED, Suggestion, Vote
from argilla_bridge.settings import ReviewSettings

SETTINGS = ReviewSettings()
SPORT = Suggestion(("sport",), 0.8)


def says(user, *labels, **more):
    return Vote("r1", user, SUBMITTED, labels, **more)


def away(user, **more):
    return Vote("r1", user, SUBMITTED, verdict=REJECT, **more)


LABELS = st.sampled_from(["sport", "science", "cooking"])
ANY_VOTE = st.builds(
    Vote,
    row_id=st.just("r1"),
    user=st.sampled_from(["ann", "bob", "cleo", "dan"]),
    status=st.sampled_from([SUBMITTED, SUBMITTED, SUBMITTED, DRAFT, DISCARDED]),
    labels=st.lists(LABELS, unique=True, max_size=2).map(tuple),
    verdict=st.sampled_from(["", KEEP, FIX, REJECT]),
    text=st.sampled_from(["", "A better text.", "Another text."]),
    reason=st.sampled_from(["", "not clear"]),
    updated_at=st.sampled_from(["", "2026-01-01T10:00:00", "2026-01-01T12:00:00+00:00", "2026-01-01T12:00:00Z"]),
    dataset=st.sampled_from(["main", "overlap", "adjudication"]),
)
VOTES = st.lists(ANY_VOTE, max_size=6)
ANY_SETTINGS = st.builds(
    ReviewSettings,
    min_submitted=st.sampled_from([1, 3]),
    ties=st.sampled_from(["adjudicate", "suggestion", "drop"]),
    mode=st.sampled_from(["fast", "careful"]),
)
ANY_SUGGESTION = st.one_of(st.none(), st.lists(LABELS, unique=True, min_size=1, max_size=2).map(lambda labels: Suggestion(tuple(labels))))


def test_nobody_said_anything():
    assert decide([], SPORT, SETTINGS).outcome == "unreviewed"


def test_a_draft_is_no_vote():
    assert decide([Vote("r1", "ann", DRAFT, ("science",))], SPORT, SETTINGS).source == "unreviewed"


def test_one_vote_decides():
    found = decide([says("ann", "science")], SPORT, SETTINGS)
    assert (found.outcome, found.labels, found.source, found.votes, found.agreement) == ("accepted", ("science",), "human", 1, 1.0)


def test_the_majority_decides():
    found = decide([says("ann", "science"), says("bob", "sport"), says("cleo", "science")], SPORT, SETTINGS)
    assert (found.labels, found.votes, found.agreement) == (("science",), 3, pytest.approx(2 / 3))


def test_the_most_frequent_answer_decides_without_a_majority():
    votes = [says("ann", "science"), says("bob", "science"), says("cleo", "sport"), says("dan", "cooking"), away("eve")]
    assert decide(votes, None, SETTINGS).labels == ("science",)


def test_only_the_newest_vote_of_a_person_counts():
    votes = [says("ann", "sport", updated_at="2026-01-01T10:00:00"), says("ann", "science", updated_at="2026-01-01T09:30:00+00:00")]
    assert decide(votes, None, SETTINGS).labels == ("sport",)
    assert decide(votes, None, SETTINGS).votes == 1


def test_a_draft_does_not_take_back_what_was_submitted():
    votes = [says("ann", "sport", updated_at="2026-01-01"), Vote("r1", "ann", DRAFT, ("science",), updated_at="2026-01-02")]
    assert decide(votes, None, SETTINGS).labels == ("sport",)


def test_a_discard_turns_the_row_away():
    found = decide([Vote("r1", "ann", DISCARDED)], SPORT, SETTINGS)
    assert (found.outcome, found.reason, found.labels) == ("rejected", "rejected_by_reviewers", ())


def test_unusable_is_told_apart_from_a_discard():
    assert decide([away("ann")], SPORT, SETTINGS).reason == "unusable"
    assert decide([away("ann")], SPORT, ReviewSettings(mode="careful")).reason == "rejected_by_reviewers"


def test_rejects_are_one_of_the_answers():
    votes = [away("ann"), Vote("r1", "bob", DISCARDED), says("cleo", "sport")]
    found = decide(votes, SPORT, SETTINGS)
    assert (found.outcome, found.agreement) == ("rejected", pytest.approx(2 / 3))


@pytest.mark.parametrize(("ties", "outcome", "source", "reason"), [
    ("adjudicate", "tie", "human", "tie"), ("suggestion", "accepted", "suggestion", ""), ("drop", "rejected", "human", "tie"),
])  # fmt: skip
def test_a_tie_is_broken_as_the_settings_say(ties, outcome, source, reason):
    found = decide([says("ann", "science"), says("bob", "sport")], SPORT, ReviewSettings(ties=ties))
    assert (found.outcome, found.source, found.reason, found.agreement) == (outcome, source, reason, 0.5)


def test_a_suggestion_that_nobody_chose_breaks_no_tie():
    votes = [says("ann", "science"), says("bob", "cooking")]
    assert decide(votes, SPORT, ReviewSettings(ties="suggestion")).outcome == "tie"


def test_a_vote_of_adjudication_wins_outright():
    votes = [says("ann", "science"), says("bob", "science"), says("cleo", "sport", dataset="adjudication")]
    found = decide(votes, None, SETTINGS)
    assert (found.labels, found.votes, found.agreement) == (("sport",), 3, pytest.approx(1 / 3))


def test_the_vote_of_a_judge_replaces_the_one_given_before():
    votes = [says("ann", "science", updated_at="2026-01-01"), says("ann", "sport", dataset="adjudication", updated_at="2026-01-02")]
    assert decide(votes, None, SETTINGS).agreement == 1.0


def test_label_sets_win_as_they_are():
    votes = [says("ann", "a", "b"), says("bob", "b", "a"), says("cleo", "a")]
    assert decide(votes, None, SETTINGS).labels == ("a", "b")


def test_where_no_label_set_wins_each_label_needs_more_than_half():
    votes = [says("ann", "a", "b"), says("bob", "a"), says("cleo", "a", "c")]
    found = decide(votes, None, SETTINGS)
    assert (found.labels, found.agreement) == (("a",), pytest.approx((1 + 2 / 3 + 2 / 3) / 3))


def test_labels_that_win_together_are_agreed_on_as_far_as_each_of_them_is():
    votes = [says("ann", "a", "b"), says("bob", "b", "c"), says("cleo", "a", "c")]
    found = decide(votes, None, SETTINGS)
    assert (found.labels, found.agreement) == (("a", "b", "c"), pytest.approx(2 / 3))
    assert decide([*votes, away("dan"), says("eve", "a", "b")], None, SETTINGS).agreement == pytest.approx((3 + 3 + 2) / 15)


def test_rejects_count_against_single_labels():
    votes = [says("ann", "a", "b"), says("bob", "a"), away("cleo"), away("dan")]
    assert decide(votes, None, SETTINGS).outcome == "rejected"


def test_no_label_at_all_is_an_answer_of_its_own():
    nothing = Vote("r1", "ann", SUBMITTED, verdict=KEEP)
    found = decide([nothing], SPORT, ReviewSettings(mode="careful"))
    assert (found.outcome, found.labels, found.source, found.reason) == ("accepted", (), "human", "")
    assert decide([nothing, away("bob")], SPORT, SETTINGS).outcome == "tie"
    assert decide([nothing, away("bob"), says("cleo", "sport"), replace(nothing, user="dan")], None, SETTINGS).labels == ()


def test_a_fix_without_a_text_decides_nothing():
    vote = Vote("r1", "ann", SUBMITTED, ("sport",), FIX)
    assert decide([vote], SPORT, SETTINGS).outcome == "unreviewed"
    assert decide([replace(vote, text=" ")], SPORT, SETTINGS).outcome == "unreviewed"
    assert decide([replace(vote, text="Better.")], SPORT, SETTINGS).text == "Better."


def test_what_a_judge_says_elsewhere_later_does_not_unsay_it():
    votes = [says("ann", "sport", updated_at="2026-01-03"), says("bob", "science", updated_at="2026-01-01")]
    judge = says("ann", "science", dataset="adjudication", updated_at="2026-01-02")
    found = decide([*votes, judge], None, SETTINGS)
    assert (found.outcome, found.labels, found.votes, found.agreement) == ("accepted", ("science",), 2, 1.0)


def test_of_two_judges_the_newer_one_decides():
    votes = [says("ann", "sport"), says("bob", "science")]
    one = says("cleo", "sport", dataset="adjudication", updated_at="2026-01-01")
    two = says("dan", "science", dataset="adjudication", updated_at="2026-01-02")
    assert decide([*votes, one, two], None, SETTINGS).labels == ("science",)


def test_of_two_judges_without_a_time_the_one_decides_with_whom_most_people_agree():
    judges = [says("cleo", "sport", dataset="adjudication"), says("dan", "science", dataset="adjudication")]
    assert decide([*judges, says("ann", "sport")], None, SETTINGS).labels == ("sport",)
    assert decide([*judges, says("ann", "sport"), says("bob", "science")], None, SETTINGS).outcome == "tie"


@pytest.mark.parametrize("ties", ["adjudicate", "suggestion", "drop"])
def test_people_who_disagree_wait_for_those_who_are_still_to_answer(ties):
    settings = ReviewSettings(min_submitted=1, overlap_submitted=3, ties=ties)
    two = [says("ann", "sport", dataset="overlap"), says("bob", "science", dataset="overlap")]
    found = decide(two, SPORT, settings)
    assert (found.outcome, found.source, found.votes, found.reason) == ("waiting", "unreviewed", 2, "")
    assert decide([*two, says("cleo", "cooking", dataset="overlap")], None, settings).outcome != "waiting"
    assert decide([*two, says("cleo", "sport", dataset="overlap")], None, settings).labels == ("sport",)
    assert decide([replace(vote, dataset="main") for vote in two], None, settings).outcome != "waiting"


def test_a_correction_needs_half_of_those_who_agree_on_the_label():
    plain, better = says("ann", "sport"), says("bob", "sport", text=" A better text. ")
    assert decide([plain, better], None, SETTINGS).text == "A better text."
    assert decide([plain, replace(plain, user="cleo"), better], None, SETTINGS).text == ""


def test_a_correction_by_somebody_with_another_label_does_not_count():
    votes = [says("ann", "sport"), says("bob", "sport"), says("cleo", "science", text="About stars.")]
    assert decide(votes, None, SETTINGS).text == ""


def test_of_different_corrections_the_most_frequent_wins_then_the_newest():
    one, two = says("ann", "sport", text="One.", updated_at="2026-01-01"), says("bob", "sport", text="Two.", updated_at="2026-01-02")
    assert corrected([one, two]) == "Two."
    assert corrected([one, replace(one, user="cleo"), two]) == "One."


def test_reasons_are_kept_once():
    votes = [away("ann", reason="spam "), away("bob", reason="spam"), away("cleo", reason="ads")]
    assert decide(votes, None, SETTINGS).reasons == ("ads", "spam")


@given(VOTES, ANY_SUGGESTION, ANY_SETTINGS, st.randoms(use_true_random=False))
def test_the_order_of_votes_does_not_matter(votes, suggestion, settings, random):
    mixed = [*votes]
    random.shuffle(mixed)
    assert decide(mixed, suggestion, settings) == decide(votes, suggestion, settings)


@given(VOTES, ANY_SUGGESTION, ANY_SETTINGS)
def test_the_same_vote_twice_changes_nothing(votes, suggestion, settings):
    assert decide(votes + votes, suggestion, settings) == decide(votes, suggestion, settings)


@given(VOTES, ANY_SUGGESTION, ANY_SETTINGS)
def test_drafts_never_matter(votes, suggestion, settings):
    assert decide([vote for vote in votes if vote.status != DRAFT], suggestion, settings) == decide(votes, suggestion, settings)


@given(VOTES, ANY_SUGGESTION, ANY_SETTINGS)
def test_a_decision_hangs_together(votes, suggestion, settings):
    found = decide(votes, suggestion, settings)
    assert found.outcome == "accepted" or not found.labels
    assert (found.outcome in ("rejected", "tie")) == bool(found.reason)
    assert (found.votes == 0) == (found.agreement is None) == (found.outcome == "unreviewed")
    assert (found.source == "unreviewed") == (found.outcome in ("unreviewed", "waiting"))
    assert found.votes == len(newest(votes))
    said = {label for vote in votes for label in vote.labels} | set(suggestion.labels if suggestion else ())
    assert set(found.labels) <= said
    assert not found.text or found.text in {vote.text for vote in votes}
    if settings.ties != "adjudicate" and not suggestion:
        assert found.outcome != "tie" or settings.ties == "suggestion"


@given(VOTES, LABELS)
def test_one_more_vote_for_the_winner_does_not_unseat_it(votes, label):
    votes = [replace(vote, dataset="main", labels=vote.labels[:1] or (label,)) for vote in votes]
    before = decide(votes, None, SETTINGS)
    if before.outcome == "accepted":
        assert decide([*votes, says("zoe", *before.labels)], None, SETTINGS).labels == before.labels


@given(st.lists(st.frozensets(LABELS, max_size=2), min_size=1, max_size=7))
def test_winners_are_symmetric_in_the_answers(answers):
    for mixed in itertools.islice(itertools.permutations(answers), 6):
        assert winners(mixed) == winners(answers)
