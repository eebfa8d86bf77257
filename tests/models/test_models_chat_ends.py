"""How a chat model's work may end otherwise than well: early, twice at once, in two threads, on a full disk, at its cap."""

import asyncio
import gc
import json
import random
import resource
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace

import pytest
from apart import ServerApart
from asking import ask, ask_once, chat, kinds, texts
from conftest import ROOT
from faulty import BROKEN, BUSY, DROP, HANG, OK, TRUNCATED, Fault, FaultServer, always, prompt_of

from spacy_synthesizrr.errors import RunFolderError, TeacherError
from spacy_synthesizrr.models.answers import ledger
from spacy_synthesizrr.models.answers.budget import Spent
from spacy_synthesizrr.models.answers.responses import Remembering, ResponseStore
from spacy_synthesizrr.models.scripted import make_scripted
from spacy_synthesizrr.prompts import Prompt

pytestmark = pytest.mark.usefixtures("quick")
ASKER = ROOT / "tests" / "servers" / "asker.py"
PATIENCE = 60.0  # seconds; a busy computer is slow, a hang is for ever


def nothing_left(model) -> bool:
    """Whether a model that is open holds no request, no permit, no reservation and no call."""
    scheduler = model._scheduler
    admission = scheduler.attempts.admission
    left = (admission.in_flight, admission._waiting, scheduler._open, scheduler._tasks, scheduler._flights)
    return not any(left) and admission.budget.reserved == Spent()


def comes_true(holds) -> bool:
    """Whether something comes true within the patience."""
    waiting = threading.Event()
    for _ in range(int(PATIENCE / 0.01)):
        if holds():
            return True
        waiting.wait(0.01)
    return False


def ask_in_time(model, prompts) -> list:
    """What `ask` gives; a call that would wait for ever fails."""
    found = []
    thread = threading.Thread(target=lambda: found.append(ask(model, prompts)), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert found, "no answer came"
    return found[0]


def some_faults(seed=0):
    rng, faults = random.Random(seed), [*[BUSY] * 5, *[BROKEN] * 3, *[DROP] * 2, *[TRUNCATED] * 2, *[OK] * 88]
    return lambda number, body: rng.choice(faults)


# ── early ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_streams_that_are_closed_early_leave_no_request_permit_or_reservation_behind(store):
    with FaultServer(some_faults(), seconds=0.002) as server, chat(server, store, requests={"max_in_flight": 8}) as model:
        for number in range(30):
            answers = iter(model([text] for text in texts(40, start=7 * number)))
            for _ in range(number % 5):
                next(answers)
            answers.close()
        assert comes_true(lambda: nothing_left(model))
        assert ask_in_time(model, texts(300)) == [f"answer to {text}" for text in texts(300)]
        assert max(server.paid.values()) == 1


@pytest.mark.parametrize("end", [lambda answers: answers.close(), lambda answers: None])  # or it is forgotten
def test_what_was_not_sent_when_a_stream_ends_early_is_never_sent(store, end):
    first = replace(OK, seconds=0.5)  # until then the pool is full
    with FaultServer(lambda number, body: first if number == 0 else HANG) as server:
        with chat(server, store, requests={"max_in_flight": 4}) as model:
            answers = iter(model([text] for text in texts(50)))
            next(answers)
            assert comes_true(lambda: server.in_flight == 4)
            end(answers)
            del answers
            gc.collect()
            assert comes_true(lambda: not model._scheduler._flights and len(model._scheduler._tasks) == 4)
            server.let_go()
            assert comes_true(lambda: nothing_left(model))
        assert len(server.asked) == 5


def test_close_lets_what_is_in_flight_finish_and_sends_nothing_more(store):
    with FaultServer(seconds=0.3) as server, chat(server, store, requests={"max_in_flight": 4}) as model:
        told = []
        thread = threading.Thread(target=lambda: told.append(pytest.raises(TeacherError, ask, model, texts(50))))
        thread.start()
        assert comes_true(lambda: server.in_flight == 4)
        model.close()
        thread.join(PATIENCE)
        asked = len(server.asked)
        assert told and 4 <= asked < 50
        assert len(store) == sum(server.paid.values()) == asked


def test_prompts_that_raise_harm_no_later_call(store):
    def prompts():
        yield ["a"]
        yield ["b", "c"]
        raise ValueError("the corpus ended badly")

    with FaultServer(seconds=0.01) as server, chat(server, store) as model:
        with pytest.raises(ValueError, match="ended badly"):
            list(model(prompts()))
        assert ask_in_time(model, ["c", "b", "a"]) == ["answer to c", "answer to b", "answer to a"]
        assert comes_true(lambda: nothing_left(model))


def test_a_prompt_that_is_no_text_is_a_failure_and_harms_no_neighbour(store):
    with FaultServer() as server, chat(server, store) as model:
        [[good, bad], [fine]] = model([["good", "half \ud83d a pair"], ["fine"]])
        assert (good, bad, bad.kind, fine) == ("answer to good", "", "malformed", "answer to fine")
        assert comes_true(lambda: nothing_left(model))


def test_a_prompt_that_cannot_be_sent_harms_no_later_call(store):
    with FaultServer() as server, chat(server, store) as model:
        with pytest.raises(KeyError, match="content"):
            list(model([["a", Prompt("b", messages=[{"role": "user"}])]]))
        assert ask_in_time(model, ["a"]) == ["answer to a"]
        assert comes_true(lambda: nothing_left(model))


def test_what_was_taken_while_an_error_came_is_asked_by_the_next_call(store):
    mended = threading.Event()

    def prompts(model):
        yield ["a"]
        assert comes_true(lambda: all(flight.error for flight in model._scheduler._flights))
        yield ["b"]

    def plan(number, body):
        return Fault("status", 401, body={"error": {"message": "no such key"}}) if prompt_of(body) == "a" and not mended.is_set() else OK

    with FaultServer(plan) as server, chat(server, store) as model:
        held = iter(model([["x"], ["y"]]))
        next(held)
        with pytest.raises(TeacherError, match="no such key"):
            list(model(prompts(model)))
        model._scheduler._thread.call(asyncio.sleep(0)).result(PATIENCE)  # what was begun comes to its place
        mended.set()
        with pytest.raises(TeacherError, match="no such key"):
            list(held)
        assert comes_true(lambda: nothing_left(model))
        assert ask_in_time(model, ["b", "a"]) == ["answer to b", "answer to a"]


def test_a_hung_request_holds_back_neither_its_neighbours_nor_another_stream(store):
    with FaultServer(lambda number, body: HANG if prompt_of(body) == "hung" else OK) as server:
        with chat(server, store, requests={"max_in_flight": 4, "read_ahead": 8}) as model:
            held = iter(model([text] for text in ["hung", *texts(200)]))
            thread = threading.Thread(target=lambda: pytest.raises(TeacherError, next, held), daemon=True)
            thread.start()
            assert comes_true(lambda: sum(server.paid.values()) == 4 * 8 - 1)  # all that the window lets in
            assert ask_in_time(model, texts(50, start=500)) == [f"answer to {text}" for text in texts(50, start=500)]
            model.close(grace=0)
            thread.join(PATIENCE)
            assert not thread.is_alive()


# ── at once ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_that_comes_while_its_equal_is_taken_is_not_paid_twice(store):
    with FaultServer() as server, chat(server, store) as model:
        look = store.get
        seen = []

        def slowly(request):
            """The second look is as slow as can be: it misses the answer, which is there when it returns."""
            seen.append(request)
            found = look(request)
            if len(seen) == 2 and found is None:
                assert comes_true(lambda: model._scheduler.finished == 1)
            return found

        store.get = slowly
        assert ask_in_time(model, ["a", "a"]) == ["answer to a"] * 2
        assert server.paid == {"a": 1}


def test_threads_that_ask_one_model_at_once_share_one_pool_and_one_budget(store):
    begin = threading.Barrier(8)
    with FaultServer(seconds=0.005) as server, chat(server, store, requests={"max_in_flight": 6}) as model:
        found = [None] * 8

        def work(number):
            begin.wait()
            found[number] = ask(model, texts(60, start=20 * number))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert found == [[f"answer to {text}" for text in texts(60, start=20 * number)] for number in range(8)]
        assert server.peak <= 6
        assert (max(server.paid.values()), len(server.asked), model.status()["requests"]) == (1, 200, 200)
        assert comes_true(lambda: nothing_left(model))


def test_one_model_may_feed_itself_in_many_threads_with_faults(store):
    wrong = []

    def work(model, number):
        rng = random.Random(number)
        first = [f"first {rng.randrange(200)}" for _ in range(100)]
        second = model([f"second {answer}"] for [answer] in model([prompt] for prompt in first))
        for prompt, [answer] in zip(first, second, strict=True):
            if answer != f"answer to second answer to {prompt}":
                wrong.append((prompt, answer))
            if rng.random() < 0.1 and ask(model, [f"third {prompt}"]) != [f"answer to third {prompt}"]:
                wrong.append(prompt)

    with FaultServer(some_faults(), seconds=0.002) as server, chat(server, store, requests={"max_in_flight": 8}) as model:
        threads = [threading.Thread(target=work, args=(model, number)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in threads) and not wrong
        assert max(server.paid.values()) == 1
        assert comes_true(lambda: nothing_left(model))


def test_what_another_process_was_answered_meanwhile_is_not_asked_again(store):
    free = threading.Event()

    def plan(number, body):
        return Fault("hang") if prompt_of(body) == "first" and not free.is_set() else OK

    settings = {"max_in_flight": 1, "connect_timeout": 0.5, "read_timeout": 0.5, "max_retries": 500}
    with FaultServer(plan) as server, chat(server, store, requests=settings) as waiting:
        told = []
        thread = threading.Thread(target=lambda: told.extend(ask(waiting, ["first", *texts(8)])))
        thread.start()
        assert comes_true(lambda: len(getattr(waiting._scheduler, "_open", ())) == 9)  # looked for, not found, waiting for a permit
        with ResponseStore(store.path) as same:
            ask_once(server, same, texts(8))
        free.set()
        thread.join(PATIENCE)
        assert told == ["answer to first", *[f"answer to {text}" for text in texts(8)]]
        assert set(server.paid.values()) == {1}
        assert waiting.status()["new"]["requests"] == server.prompts.count("first")  # the others cost it nothing


def clients(server, path, count, number, **settings) -> list[dict]:
    """Clients in processes of their own, at the same time, with one store."""
    work = {"url": server.url, "store": str(path), "count": count, "settings": settings}
    command = [sys.executable, str(ASKER), json.dumps(work)]
    started = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(number)]
    done = [client.communicate(timeout=300) for client in started]
    assert [client.returncode for client in started] == [0] * number, done
    return [json.loads(out) for out, _ in done]


def test_processes_that_share_a_store_get_the_same_answers_and_keep_each_once(tmp_path):
    with ServerApart(seconds=0.02) as server:
        reports = clients(server, tmp_path / "answers.sqlite", 500, 3, requests={"max_in_flight": 8})
        counts = server.counts()
        again = clients(server, tmp_path / "answers.sqlite", 500, 1)
        assert server.counts()["paid"] == counts["paid"]
    assert [(report["answers"], report["wrong"], report["kept"]) for report in [*reports, *again]] == [(500, "", 500)] * 4
    assert (counts["distinct"], counts["most"] <= 3) == (500, True)
    assert sum(report["status"]["new"]["requests"] for report in reports) == counts["paid"]


# ── on a full disk ───────────────────────────────────────────────────────────────────────────────────────────────────


def answers_in(path) -> set[str]:
    """What a file holds, read without any code of ours."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {text for (text,) in connection.execute("SELECT text FROM answers")}


def test_a_full_disk_is_a_clear_error_and_no_answer_is_handed_on_that_is_not_kept(tmp_path):
    path, told = tmp_path / "answers.sqlite", tmp_path / "told"
    with ServerApart(seconds=0.005) as server:
        work = {"url": server.url, "store": str(path), "count": 3000, "settings": {"requests": {"max_in_flight": 16}}}

        def full():
            resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))  # no file may grow beyond, as on a disk that is full

        command = [sys.executable, str(ASKER), json.dumps({**work, "told": str(told)})]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, preexec_fn=full, timeout=300)
        assert done.returncode == 1
        assert "RunFolderError" in done.stderr and "Make room on the disk" in done.stderr and "not kept" in done.stderr
        handed_on, kept = told.read_text().splitlines(), answers_in(path)
        assert 0 < len(handed_on) and set(handed_on) <= kept
        assert server.wait(quiet=1)["paid"] - len(kept) <= 16
        report = json.loads(subprocess.run([*command[:2], json.dumps(work)], cwd=ROOT, capture_output=True, check=True, timeout=300).stdout)
        assert (report["answers"], report["wrong"], report["kept"]) == (3000, "", 3000)
        assert server.counts()["paid"] - 3000 <= 16


LIMITED = """
import resource, sys
from spacy_synthesizrr.errors import RunFolderError
from spacy_synthesizrr.models.answers.responses import Remembering, ResponseStore
from spacy_synthesizrr.models.scripted import make_scripted

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    list(Remembering(make_scripted(), ResponseStore(sys.argv[1]))([f"prompt {number}"] for number in range(2000)))
except RunFolderError as error:
    sys.exit(f"clear: {error}")
"""


@pytest.mark.parametrize("size", [0, 4_096, 30_000, 33_000, 60_000, 200_000])
def test_a_disk_that_is_full_at_any_moment_is_told_in_one_sentence(tmp_path, size):
    done = subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path / "a.sqlite"), str(size)], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(f"clear: {tmp_path / 'a.sqlite'} cannot be used now")


@pytest.mark.parametrize("asked_by", [lambda store: ask(Remembering(make_scripted(), store), ["a"]), lambda store: store.put("a", "b")])
def test_a_file_that_broke_while_it_was_used_is_named_with_the_cure(store, asked_by):
    store.put("x", "y")
    store.close()
    for path in store.path.parent.glob("answers.sqlite*"):
        path.write_bytes(b"not a database" * 1000)
    with pytest.raises(RunFolderError, match="cannot be opened as a store of answers.*Move the file away"):
        asked_by(store)


def test_a_file_that_cannot_be_read_any_more_is_named_with_the_cure(store, monkeypatch):
    def broken():
        raise sqlite3.DatabaseError("database disk image is malformed")

    store.put("x", "y")
    monkeypatch.setattr(store._reader, "_open", broken)
    with pytest.raises(RunFolderError, match="malformed.*Move the file away"):
        store.get("x")


# ── at its cap ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_max_requests_is_never_exceeded_whatever_goes_wrong(store):
    def plan(number, body):
        return Fault(finish="length") if number % 5 == 0 else DROP if number % 7 == 0 else OK

    with FaultServer(plan, seconds=0.002) as server:
        for cap in (40, 41, 90):
            settings = {"budget": {"max_requests": cap}, "requests": {"max_in_flight": 32, "max_retries": 5}}
            answers = ask_once(server, store, texts(400), **settings)
            assert len(server.asked) == cap
            assert kinds(answers)["answer"] == len(store) < cap
            assert kinds(answers)["budget"] >= 400 - cap


def test_max_requests_holds_over_threads(store):
    with FaultServer(seconds=0.002) as server, chat(server, store, budget={"max_requests": 50}) as model:
        found = []
        threads = [threading.Thread(target=lambda n=n: found.extend(ask(model, texts(40, start=40 * n)))) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert (len(server.asked), kinds(found)) == (50, {"answer": 50, "budget": 110})


@pytest.mark.parametrize("answer_tokens", [1, 20, 40])
def test_reserved_tokens_never_let_the_sum_exceed_the_cap(store, answer_tokens):
    cap = 2_000
    with FaultServer(always(Fault(tokens=(10, answer_tokens))), seconds=0.002) as server:
        settings = {"parameters": {"max_tokens": 41}, "budget": {"max_tokens": cap}, "requests": {"max_in_flight": 32}}
        ask_once(server, store, texts(400), **settings)
        spent = len(server.asked) * (10 + answer_tokens)
        assert cap - 200 <= spent <= cap  # nearly all of it: what was reserved and not used comes back
        with chat(server, store) as model:
            assert ledger.spent(store, "run", model.account).answer_tokens == len(server.asked) * answer_tokens
