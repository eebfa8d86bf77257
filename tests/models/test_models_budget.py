"""A cap holds before it is exceeded; what was spent is known to the next process."""

import asyncio
import random
import time

import pytest
from asking import ask_once, chat, kinds, texts
from faults import BUSY, OK, Fault, FaultServer

from spacy_synthesizrr.models import ledger
from spacy_synthesizrr.models.admission import Admission, OverBudget
from spacy_synthesizrr.models.budget import Budget, Price, Spent, make_budget
from spacy_synthesizrr.models.pace import Pace

PRICE = {"input_per_million": 1_000_000.0, "output_per_million": 2_000_000.0}  # 1 and 2 per token
SHORT = {"parameters": {"max_tokens": 10}}


def test_an_unknown_price_stays_unknown():
    assert Price(1.0, None).cost(10, 10) is None
    assert Price(0.0, 0.0).cost(10, 10) == 0.0
    assert make_budget({}, {}, answer_limit=None, local=False, name="x").price.cost(1, 1) is None


def test_a_given_price_holds_for_a_local_server_too():
    assert make_budget({}, PRICE, answer_limit=None, local=True, name="x").price.cost(1, 1) == 3.0


def test_prompt_tokens_are_guessed_from_what_was_seen():
    budget = Budget(answer_limit=5)
    first = budget.reservation(1000).prompt_tokens
    budget.learn(1000, 200)
    assert (first, budget.reservation(1000).prompt_tokens) == (501, 251)
    budget.learn(1000, 400)
    budget.learn(1000, 100)
    assert budget.reservation(1000) == Spent(1, 501, 5)


@pytest.mark.parametrize(
    ("budget", "at_most"),
    [({"max_requests": 10}, 10), ({"max_tokens": 300}, 20), ({"max_cost": 200.0}, 10)],  # an answer has 10 + 5 tokens and costs 20
)
def test_cap_stops_before_exceeding_and_resumes(store, budget, at_most):
    with FaultServer() as server:
        answers = ask_once(server, store, texts(50), budget=budget, price=PRICE, requests={"max_in_flight": 4}, **SHORT)
        paid = sum(server.paid.values())
        assert kinds(answers) == {"answer": paid, "budget": 50 - paid}
        assert at_most // 3 <= paid <= at_most
        assert kinds(answers[:paid]) == {"answer": paid}
        again = ask_once(server, store, texts(50), budget=budget, price=PRICE, requests={"max_in_flight": 4}, **SHORT)
        assert at_most // 3 <= sum(server.paid.values()) <= at_most
        assert kinds(again)["budget"] == 50 - sum(server.paid.values())
        more = {key: 1000 * value for key, value in budget.items()}
        assert kinds(ask_once(server, store, texts(50), budget=more, price=PRICE, **SHORT)) == {"answer": 50}
    assert max(server.paid.values()) == 1


def test_the_failure_says_which_cap(store):
    with FaultServer() as server, chat(server, store, budget={"max_requests": 1}) as model:
        _, failed = [answer for [answer] in model([["a"], ["b"]])]
        assert "max_requests = 1" in failed.detail
        assert model.status()["reached"].startswith("max_requests = 1")


def test_what_is_in_flight_finishes_when_the_cap_is_reached(store):
    with FaultServer(seconds=0.1) as server:
        answers = ask_once(server, store, texts(20), budget={"max_requests": 6}, requests={"max_in_flight": 6})
    assert kinds(answers) == {"answer": 6, "budget": 14}


def test_a_cap_of_nothing_asks_nothing(store):
    with FaultServer() as server:
        assert kinds(ask_once(server, store, texts(3), budget={"max_requests": 0})) == {"budget": 3}
        assert not server.asked


@pytest.mark.usefixtures("quick")
def test_refusals_are_not_counted_as_spent_but_paid_failures_are(store):
    with FaultServer(lambda number, body: (BUSY, Fault(finish="length"), OK)[min(number, 2)]) as server:
        with chat(server, store, requests={"max_in_flight": 1}) as model:
            list(model([["a"], ["b"]]))
            assert model.status()["requests"] == 2
        assert len(server.asked) == 3


def test_every_run_has_an_account_of_its_own(store):
    with FaultServer() as server:
        ask_once(server, store, texts(3), scope="one")
        ask_once(server, store, texts(5), scope="two")
        with chat(server, store) as model:
            account = model.account
    assert [ledger.spent(store, scope, account).requests for scope in ("one", "two", "three")] == [3, 2, 0]
    assert [(row["scope"], row["prompt_tokens"], row["answer_tokens"]) for row in ledger.accounts(store)] == [
        ("one", 30, 15),
        ("two", 20, 10),
    ]


def test_requests_per_minute_are_kept(store):
    with FaultServer() as server:
        with chat(server, store, requests={"requests_per_minute": 1200}) as model:  # a burst of 100, then 20 a second
            started = time.monotonic()
            answers = [answer for [answer] in model([text] for text in texts(110))]
        assert kinds(answers) == {"answer": 110}
        assert time.monotonic() - started >= 0.4


async def _race(cancelled):
    admission = Admission(Pace(2, random.Random(0)), Budget(max_requests=100))
    tasks = [asyncio.create_task(admission.acquire(number, 10)) for number in range(10)]
    await asyncio.sleep(0)
    for number in cancelled:
        tasks[number].cancel()
    done = await asyncio.gather(*tasks[:2], return_exceptions=True)
    for permit in done:
        if not isinstance(permit, BaseException):
            admission.release(permit, Spent(1, 1, 1))
    for task in tasks[2:]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    given = [task for task in tasks[2:] if not task.cancelled()]
    for task in given:
        admission.release(task.result(), Spent())
    return admission


@pytest.mark.parametrize("cancelled", [[], [0], [1], [0, 1], [5, 6]])
def test_no_permit_leak(cancelled):
    admission = asyncio.run(_race(cancelled))
    assert (admission.in_flight, admission.budget.reserved) == (0, Spent())


def test_the_oldest_prompt_goes_first_also_as_a_retry():
    async def order():
        admission = Admission(Pace(1, random.Random(0)), Budget())
        first = await admission.acquire(5, 1)
        went = []

        async def go(number):
            permit = await admission.acquire(number, 1)
            went.append(number)
            admission.release(permit, Spent())

        tasks = [asyncio.create_task(go(number)) for number in (9, 7, 2)]
        await asyncio.sleep(0)
        admission.release(first, Spent())
        await asyncio.gather(*tasks)
        return went

    assert asyncio.run(order()) == [2, 7, 9]


def test_a_reservation_waits_for_what_is_in_flight_and_fails_only_without():
    async def story():
        admission = Admission(Pace(4, random.Random(0)), Budget(max_requests=1))
        permit = await admission.acquire(0, 1)
        waiting = asyncio.create_task(admission.acquire(1, 1))
        await asyncio.sleep(0)
        waits = not waiting.done()
        admission.release(permit, Spent())  # it cost nothing after all
        second = await waiting
        admission.release(second, Spent(1))
        with pytest.raises(OverBudget, match="max_requests = 1"):
            await admission.acquire(2, 1)
        return waits

    assert asyncio.run(story())
