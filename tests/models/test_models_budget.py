"""A cap holds before it is exceeded; what was spent is known to the next process."""

import asyncio
import json
import random
import time

import pytest
from asking import ask_once, chat, kinds, texts
from faulty import BUSY, OK, Fault, FaultServer

from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.models.answers import ledger
from spacy_synthesizrr.models.answers.budget import Budget, Price, Spent, Total, make_budget
from spacy_synthesizrr.models.answers.responses import ResponseStore
from spacy_synthesizrr.models.chat.admission import Admission, OverBudget
from spacy_synthesizrr.models.chat.pace import Pace

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


def test_a_guess_reserves_a_token_per_byte_where_it_could_break_a_cap():
    budget = Budget(max_tokens=10**6, answer_limit=5)
    assert budget.reservation(1000) == budget.most(1000) == Spent(1, 1032, 5)
    budget.learn(1000, 200)
    assert (budget.reservation(1000), budget.most(1000)) == (Spent(1, 251, 5), Spent(1, 1032, 5))


@pytest.mark.parametrize("local", [True, False])
def test_a_cap_on_money_wants_a_price_also_on_this_machine(local):
    caps = {"max_cost": 1.0}
    with pytest.raises(ConfigError, match=r"\[teacher\.price\] input_per_million") as error:
        make_budget(caps, {}, answer_limit=5, local=local, name="x")
    assert ("set both to 0" in str(error.value)) == local
    free = {"input_per_million": 0, "output_per_million": 0}
    assert make_budget(caps, free, answer_limit=5, local=local, name="x").price == Price(0, 0)


class Bytes(FaultServer):
    """Counts a token for every byte of the whole request, and 30 of its template; answers are nearly as long as they may be."""

    @staticmethod
    def completion(body, fault):
        whole = FaultServer.completion(body, fault)
        whole["usage"] = {"prompt_tokens": len(json.dumps(body, ensure_ascii=False).encode()) + 30, "completion_tokens": 9}
        return whole


@pytest.mark.parametrize("budget", [{"max_tokens": 10_000}, {"max_cost": 10_000.0}])
def test_a_cap_holds_for_the_densest_text_from_the_first_request_on(store, budget):
    price = {"input_per_million": 1_000_000.0, "output_per_million": 1_000_000.0}
    prompts = [f"{number} " + "7" * 1000 for number in range(40)]
    with Bytes(seconds=0.02) as server, chat(server, store, budget=budget, price=price, **SHORT) as model:
        answers = [answer for [answer] in model([text] for text in prompts)]
        assert 10_000 - 1200 <= model.status()["tokens"] <= 10_000
    assert kinds(answers) == {"answer": 8, "budget": 32}


def test_a_cap_holds_when_the_text_gets_denser(store):
    prompts = ["word " * 200 + str(number) for number in range(6)] + ["7" * 1000 + str(number) for number in range(20)]

    def dense(number, body):
        text = body["messages"][0]["content"]
        return Fault(tokens=(len(text) // (1 if text.startswith("7") else 10), 10))

    with FaultServer(dense, seconds=0.01) as server:
        with chat(server, store, budget={"max_tokens": 6000}, requests={"max_in_flight": 8}, **SHORT) as model:
            list(model([text] for text in prompts))
            assert 4000 <= model.status()["tokens"] <= 6000


def test_one_prompt_too_large_for_the_cap_fails_alone(store):
    with FaultServer() as server, chat(server, store, budget={"max_tokens": 20_000}, **SHORT) as model:
        large, *small = [answer for [answer] in model([text] for text in ["x" * 50_000, *texts(20)])]
        assert large.kind == "budget" and "this request alone could take 50,1" in large.detail
        assert kinds(small) == {"answer": 20}
        assert model.status()["reached"] == ""


def test_a_cap_that_is_far_away_slows_nothing_down():
    async def admitted(cap):
        admission = Admission(Pace(64, random.Random(0)), Budget(max_tokens=cap, answer_limit=500))
        tasks = [asyncio.create_task(admission.acquire(number, 5000)) for number in range(64)]
        await asyncio.sleep(0)
        count = admission.in_flight
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return count

    assert asyncio.run(admitted(2_000_000)) == 64
    assert asyncio.run(admitted(100_000)) == 18  # a near one lets as many go as it can bear in any case


def test_what_others_spend_meanwhile_counts():
    budget = Budget(Price(1.0, 1.0), max_requests=10, max_cost=100.0, answer_limit=0).starting(Total(2, 10, 10, cost=5.0))
    budget.settle(Spent(), Spent(1, 0, 0))
    assert budget.exceeded_by(Spent(7)) == "" and budget.exceeded_by(Spent(8)).startswith("max_requests = 10 (3 sent")
    budget.others(Total(6, 10, 10, cost=95.0, unpriced=Spent(1, 2_000_000, 1_000_000)))
    assert budget.exceeded_by(Spent(3)) == "" and budget.exceeded_by(Spent(4)).startswith("max_requests = 10 (7 sent")
    assert budget.exceeded_by(Spent(1, 2_000_000, 0)) == ""
    assert budget.exceeded_by(Spent(1, 2_100_000, 0)).startswith("max_cost = 100 (98.0000 spent")


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


def test_a_run_spends_on_all_its_models_and_one_made_anew_begins_with_nothing(store):
    with FaultServer() as server:
        ask_once(server, store, texts(3), scope="news/0a0a0a", price=PRICE)
        ask_once(server, store, texts(2), scope="news/0a0a0a", model="other")
        found = ledger.spent(store, "news/0a0a0a")
        assert (found.requests, found.tokens, found.cost, found.unpriced.requests) == (5, 75, 60.0, 0)
        assert ledger.spent(store, "news/0b0b0b").requests == 0
        assert {row["scope"] for row in ledger.accounts(store)} == {"news"}
        ask_once(server, store, texts(1, 10), scope="news/0b0b0b")
    assert {row["scope"] for row in ledger.accounts(store)} == {"news (0a0a0a)", "news (0b0b0b)"}


def test_caps_hold_over_all_models_of_a_run(store):
    with FaultServer() as server:
        ask_once(server, store, texts(4), budget={"max_requests": 6})
        assert kinds(ask_once(server, store, texts(4), model="other", budget={"max_requests": 6})) == {"answer": 2, "budget": 2}


def test_caps_hold_over_models_that_run_at_once(store):
    options = {"budget": {"max_requests": 12}, "requests": {"max_in_flight": 2}}
    with FaultServer(seconds=0.02) as server, chat(server, store, **options) as one, chat(server, store, **options) as two:
        turns = [iter(model([text] for text in texts(40, start))) for model, start in ((one, 0), (two, 100))]
        answers = [next(turn)[0] for _ in range(40) for turn in turns]
        assert 12 <= sum(server.paid.values()) <= 12 + 2  # what the other had in flight
    assert kinds(answers)["answer"] == sum(server.paid.values())


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


def test_runs_on_one_account_know_what_they_asked_themselves(tmp_path):
    with ResponseStore(tmp_path / "answers.sqlite") as store:
        ledger.prepare(store)
        with store.transaction(flush=False) as connection:
            for stage in ("grid/a: synthesize main", "grid/b: synthesize main", "grid/b: judge main"):
                purpose = ledger.Purpose("grid/0a0a", "model", stage)
                ledger.write(connection, [ledger.Entry(Spent(2, 10, 5), cost=1.0)], identity="m", purpose=purpose)
        assert [ledger.spent(store, "grid/0a0a", begin=begin).requests for begin in ("", "grid/a: ", "grid/b: ", "grid/c: ")] == [
            6,
            2,
            4,
            0,
        ]
        own = ledger.stages(store, "grid/0a0a", begin="grid/b: ")
        assert [(one["stage"], one["cost"]) for one in own] == [("judge main", 1.0), ("synthesize main", 1.0)]
