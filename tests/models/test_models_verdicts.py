"""Who is to blame: one prompt, the moment, or the whole set-up."""

import pytest

from spacy_synthesizrr.errors import TeacherError
from spacy_synthesizrr.models.chat.replies import Result
from spacy_synthesizrr.models.chat.verdicts import AWAY, BRAKE, FIRST_BAD, LOST, LOST_CONNECTIONS, Tries, Verdicts
from spacy_synthesizrr.prompts import Answer, Failure

ANSWERED = Result(Answer("fine"), "answered", paid=True)


def verdicts(answered=False, most=4, max_retries=8):
    return Verdicts("teacher", "http://h/v1", answered=answered, most=most, max_retries=max_retries)


def failed(verdict, kind="refused", **more):
    return Result(Failure(kind, "said so"), verdict, **more)


def tries_of(result, judge=None, now=0.0):
    """How often one prompt is asked again when it always comes to the same."""
    judge, tries, count = judge or verdicts(), Tries(), 0
    while judge.again(result, tries, now):
        count += 1
        assert count < 100
    return count


@pytest.mark.parametrize("verdict", ["setup", "suspect"])
def test_a_wrong_set_up_ends_everything_at_the_first_request(verdict):
    with pytest.raises(TeacherError, match="said so. Do this."):
        verdicts().judge(failed(verdict, cure="Do this."))


def test_one_prompt_that_a_gateway_dislikes_harms_no_other_once_something_was_answered():
    judge = verdicts()
    judge.judge(ANSWERED)
    for _ in range(5 * BRAKE):
        judge.judge(failed("suspect"))
        judge.judge(ANSWERED)


def test_an_answer_of_an_earlier_run_counts():
    judge = verdicts(answered=True)
    for _ in range(FIRST_BAD + 1):
        judge.judge(failed("unaccepted"))
    judge.judge(failed("suspect"))


def test_suspects_alone_end_it_in_the_end():
    judge = verdicts(answered=True)
    with pytest.raises(TeacherError):
        for _ in range(BRAKE):
            judge.judge(failed("suspect"))


def test_requests_that_are_never_accepted_end_it_soon():
    judge = verdicts()
    for _ in range(FIRST_BAD - 1):
        judge.judge(failed("unaccepted"))
    with pytest.raises(TeacherError, match="No request was accepted"):
        judge.judge(failed("unaccepted"))


def test_lost_connections_and_refused_requests_are_counted_apart():
    judge = verdicts()
    for _ in range(LOST_CONNECTIONS):
        judge.judge(failed("unreachable", "server_error"))
    for _ in range(FIRST_BAD - 1):
        judge.judge(failed("unaccepted"))


def test_a_server_that_was_never_there_is_named_soon():
    judge = verdicts()
    with pytest.raises(TeacherError):
        for _ in range(LOST_CONNECTIONS + 1):
            judge.judge(failed("unreachable", "server_error"))


def test_a_server_that_goes_away_is_waited_for_without_spending_retries():
    judge, tries = verdicts(), Tries()
    judge.judge(ANSWERED)
    away = failed("unreachable", "server_error")
    assert all(judge.again(away, tries, now=float(second)) for second in range(int(AWAY)))
    assert not judge.again(away, tries, now=AWAY) and tries.total == 0
    judge.judge(ANSWERED)
    assert judge.again(away, tries, now=2 * AWAY)  # it came back in between


@pytest.mark.parametrize(
    ("result", "retries"),
    [
        (failed("load", "rate_limited"), 8),
        (failed("fault", "server_error"), 8),
        (failed("fault", "server_error", paid=True), LOST),
        (failed("load", "timeout", paid=True), 2),
        (failed("fault", "malformed", paid=True), 3),
        (failed("fault", "empty", paid=True), 1),
        (failed("prompt", "truncated", paid=True), 0),
        (failed("prompt", "refused"), 0),
        (failed("suspect", "refused"), 0),
        (failed("unaccepted", "refused"), 0),
    ],
)
def test_what_may_have_been_paid_is_asked_again_less_often(result, retries):
    assert tries_of(result) == retries


def test_the_config_can_ask_for_fewer_retries():
    assert tries_of(failed("load", "rate_limited"), verdicts(max_retries=2)) == 2


def test_prompts_that_all_fail_after_their_retries_pull_the_brake():
    judge = verdicts(answered=True)
    for _ in range(BRAKE - 1):
        judge.ended(Failure("server_error", "internal error"))
    with pytest.raises(TeacherError, match=r"no answer to 20 prompts in a row \(server_error 20\): internal error"):
        judge.ended(Failure("server_error", "internal error"))


def test_an_answer_in_between_releases_the_brake():
    judge = verdicts()
    for _ in range(3 * BRAKE):
        judge.ended(Failure("server_error", "x"))
        judge.judge(ANSWERED)


def test_a_stretch_of_refused_prompts_is_no_reason_to_stop_once_something_was_answered():
    judge = verdicts(answered=True)
    for _ in range(3 * BRAKE):
        judge.ended(Failure("refused", "no"))


def test_prompts_that_are_all_too_long_from_the_start_are():
    judge = verdicts()
    with pytest.raises(TeacherError, match="too_long"):
        for _ in range(BRAKE):
            judge.ended(Failure("too_long", "8500 tokens"))


def test_a_server_that_asks_to_come_back_tomorrow_is_not_waited_for():
    with pytest.raises(TeacherError, match="come back in 24.0 hours"):
        verdicts(answered=True).judge(failed("load", "rate_limited", wait=86_400.0))
