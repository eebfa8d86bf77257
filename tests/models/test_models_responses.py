"""Answers survive, and are never asked for twice."""

import contextlib
import multiprocessing
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
import tracemalloc

import pytest

from spacy_synthesizrr.errors import RunFolderError
from spacy_synthesizrr.models.answers.responses import Remembering, ResponseStore, request_hash
from spacy_synthesizrr.models.answers.sharing import InFlight
from spacy_synthesizrr.models.answers.streaming import streams
from spacy_synthesizrr.models.scripted import make_scripted
from spacy_synthesizrr.prompts import Answer, Failure, Prompt

ANSWER = Answer("text “x”", model="m", prompt_tokens=5, answer_tokens=2, finish="stop")


@pytest.fixture
def store(tmp_path):
    with ResponseStore(tmp_path / "deep" / "answers.sqlite") as opened:
        yield opened


def about(answer):
    return (str(answer), answer.model, answer.request, answer.prompt_tokens, answer.answer_tokens, answer.finish)


# ── request hash ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_plain_string_counts_as_one_user_message():
    assert request_hash("a", identity="m") == request_hash(Prompt("a"), identity="m")


def test_everything_that_an_answer_depends_on_is_in_the_hash():
    turns = ({"role": "user", "content": "a"}, {"role": "assistant", "content": "b"})
    hashes = [
        request_hash("a", identity="m"),
        request_hash("a ", identity="m"),
        request_hash("a", identity="m2"),
        request_hash(Prompt("a", draw=1), identity="m"),
        request_hash(Prompt("a", messages=({"role": "system", "content": "s"}, {"role": "user", "content": "a"})), identity="m"),
        request_hash(Prompt("a", messages=turns), identity="m"),
        request_hash(Prompt("a", messages=turns[::-1]), identity="m"),
        request_hash("a", identity="m", by_rule=True),
    ]
    assert len(set(hashes)) == len(hashes)


def test_what_only_rules_read_changes_nothing_for_an_llm():
    one, two = (Prompt("a", passage=passage, label="l", fields={"max_words": 3}, id=passage) for passage in "pq")
    assert request_hash(one, identity="m") == request_hash(two, identity="m")
    assert request_hash(one, identity="m", by_rule=True) != request_hash(two, identity="m", by_rule=True)


# ── store ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_comes_back_as_it_was(store):
    store.put("r", ANSWER)
    assert about(store.get("r")) == ("text “x”", "m", "r", 5, 2, "stop")


def test_an_unknown_request_has_no_answer(store):
    assert store.get("r") is None


def test_the_first_answer_stays(store):
    store.put("r", "one")
    assert store.put("r", "two") == "one"
    assert (store.get("r"), len(store)) == ("one", 1)


def test_a_second_opening_finds_the_answers(tmp_path):
    with ResponseStore(tmp_path / "a.sqlite") as first:
        first.put("r", ANSWER)
    with ResponseStore(tmp_path / "a.sqlite") as second:
        assert second.get("r") == str(ANSWER)


def test_a_pickled_store_opens_the_same_file(store):
    store.put("r", ANSWER)
    with pickle.loads(pickle.dumps(store)) as other:
        assert other.get("r") == str(ANSWER)


def test_a_closed_store_opens_again(store):
    store.put("r", ANSWER)
    store.close()
    assert len(store) == 1


def test_a_file_that_is_no_store_is_named_with_the_cure(tmp_path):
    path = tmp_path / "answers.sqlite"
    path.write_text("this is no database, however long it is " * 50, encoding="utf-8")
    with pytest.raises(RunFolderError, match="answers.sqlite.*Move the file away"):
        ResponseStore(path).get("r")


@pytest.mark.parametrize(("flush", "level"), [(True, 2), (False, 1)])  # 2 is FULL, 1 is NORMAL
def test_answers_that_cost_something_are_flushed_to_the_disk(store, flush, level):
    store.put("r", ANSWER, flush=flush)
    modes = [store._open().execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert modes == ["wal", level]


def _write(path, first):
    with ResponseStore(path) as store:
        for number in range(first, first + 40):
            store.put(f"r{number}", f"answer {number}")


def test_many_processes_write_one_file(store):
    store.put("before", "fork")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write, args=(store.path, first)) for first in (0, 20, 40)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert len(store) == 81 and store.get("r79") == "answer 79"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_opens_its_own_connection(store):
    store.put("parent", "p")
    child = os.fork()
    if child == 0:
        store.put("child", "c")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert (store.get("child"), store.get("parent")) == ("c", "p")


def test_many_threads_share_one_store(store):
    threads = [threading.Thread(target=lambda n=n: [store.put(f"{n}-{i}", "x") for i in range(10)]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store) == 80


KILLED = """
import os, signal, sys
from spacy_synthesizrr.models.answers.responses import Remembering, ResponseStore
from spacy_synthesizrr.models.scripted import make_scripted

store = ResponseStore(sys.argv[1])
for number, answers in enumerate(Remembering(make_scripted(), store)([f"prompt {i}"] for i in range(1000))):
    print(number, flush=True)
    if number == 24:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_every_answer_that_was_handed_on_survives_a_kill(store):
    done = subprocess.run([sys.executable, "-c", KILLED, str(store.path)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(done.stdout.split()) == 25
    teacher = make_scripted()
    answers = list(Remembering(teacher, store)([f"prompt {i}"] for i in range(30)))
    assert len(answers) == 30
    assert [str(prompt) for prompt in teacher.history] == [f"prompt {i}" for i in range(25, 30)]
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


# ── Remembering ──────────────────────────────────────────────────────────────────────────────────────────────────────


def ask(model, *groups):
    return [list(group) for group in model(iter(groups))]


def test_only_what_is_not_known_is_asked(store):
    ask(Remembering(make_scripted(template="{prompt}!"), store), ["a", "b"])
    teacher = make_scripted(template="{prompt}!")
    assert ask(Remembering(teacher, store), ["b", "c", "a"], ["a"], [], ["d"]) == [["b!", "c!", "a!"], ["a!"], [], ["d!"]]
    assert teacher.history == ["c", "d"]


def test_a_remembered_answer_has_its_cost_and_request(store):
    class Costly:
        def __call__(self, prompts):
            yield from ([ANSWER for _ in group] for group in prompts)

    [[new]] = ask(Remembering(Costly(), store, "costly"), ["a"])
    [[old]] = ask(Remembering(Costly(), store, "costly"), ["a"])
    assert about(new) == about(old) == (str(ANSWER), "m", request_hash("a", identity="costly"), 5, 2, "stop")


def test_another_identity_shares_nothing(store):
    teacher = make_scripted()
    ask(Remembering(teacher, store, "one"), ["a"])
    ask(Remembering(teacher, store, "two"), ["a"])
    assert teacher.calls == 2


def test_failures_are_not_kept(store):
    assert isinstance(ask(Remembering(make_scripted(fail={"every": 1}), store), ["a"])[0][0], Failure)
    assert len(store) == 0


@pytest.mark.parametrize(
    ("answers", "kinds"),
    [
        ([["x"]], ["ok", "missing"]),
        (["x"], ["ok", "missing"]),
        ([], ["missing", "missing"]),
        ([[" ", {"error": 1}]], ["ok", "malformed"]),
        ([['{"error": {"message": "quota"}}', "x"]], ["server_error", "ok"]),
        ([["x", "y", "z"], ["more"]], ["ok", "ok"]),
    ],
)
def test_a_model_that_breaks_its_contract_gives_failures(store, answers, kinds):
    def model(prompts):
        list(prompts)
        return answers

    [given] = ask(Remembering(model, store), ["a", "b"])
    assert [getattr(answer, "kind", "ok") for answer in given] == kinds


class Together:
    """A model as spacy-llm's REST models are: it takes every prompt, asks one after the other, and returns one list."""

    def __init__(self, fail_at=0):
        self.asked, self.fail_at = [], fail_at

    def __call__(self, prompts):
        return [[self.answer(prompt) for prompt in group] for group in prompts]

    def answer(self, prompt):
        self.asked.append(str(prompt))
        if len(self.asked) == self.fail_at:
            raise ConnectionError("the line is down")
        return f"{prompt}!"


def test_what_a_model_that_does_not_stream_answered_is_kept_when_it_breaks(store):
    teacher = Together(fail_at=36)
    with pytest.raises(ConnectionError):
        ask(Remembering(teacher, store), *[[str(number)] for number in range(100)])
    assert (len(teacher.asked), len(store)) == (36, 35)
    again = Together()
    assert ask(Remembering(again, store), *[[str(number)] for number in range(40)])[39] == ["39!"]
    assert again.asked == ["35", "36", "37", "38", "39"]


def test_a_model_that_does_not_stream_is_not_called_for_nothing(store):
    calls = []

    def model(prompts):
        calls.append(list(prompts))
        return [[f"{prompt}!" for prompt in group] for group in calls[-1]]

    around = Remembering(model, store)
    assert streams(around)
    assert ask(around, ["a", "b"], [], ["b"], ["c"]) == [["a!", "b!"], [], ["b!"], ["c!"]]
    assert calls == [[["a", "b"]], [["c"]]]


def test_a_blank_answer_was_paid_for_and_is_kept(store):
    blank = Answer(" ", model="m", prompt_tokens=9, answer_tokens=1, finish="stop")
    teacher = Eager(lambda prompt: blank)
    for _ in range(2):
        [[given]] = ask(Remembering(teacher, store, "m"), ["a"])
        assert about(given) == (" ", "m", request_hash("a", identity="m"), 9, 1, "stop")
    assert teacher.asked == ["a"]


class Eager:
    """A model that streams and takes every prompt before it gives the first answer, as a concurrent one may."""

    def __init__(self, answer):
        self.asked, self.answer = [], answer

    def __call__(self, prompts):
        groups = [list(group) for group in prompts]
        self.asked += [str(prompt) for group in groups for prompt in group]
        yield from ([self.answer(prompt) for prompt in group] for group in groups)


def test_equal_requests_in_flight_are_asked_once(store):
    teacher = Eager(lambda prompt: Answer(f"{prompt}{len(store)}"))
    found = ask(Remembering(teacher, store), ["a", "b", "a"], ["a"], [Prompt("a", draw=1)], ["b", "c"])
    assert found == [["a0", "b0", "a0"], ["a0"], ["a2"], ["b0", "c3"]]
    assert teacher.asked == ["a", "b", "a", "c"]


def test_equal_requests_in_flight_share_a_failure_which_is_not_kept(store):
    teacher = Eager(lambda prompt: Failure("timeout", "slow"))
    [[one], [two]] = ask(Remembering(teacher, store), ["a"], ["a"])
    assert (one.kind, two.kind, len(store), teacher.asked) == ("timeout", "timeout", 0, ["a"])


def test_nothing_stays_in_flight(store):
    flight = InFlight()
    flight.sharers["r"] = 0
    assert flight.join("r")
    flight.land("r", ANSWER)
    assert flight.share("r") == ANSWER
    assert (flight.sharers, flight.results) == ({}, {})


def test_it_looks_like_the_model_inside(store):
    teacher = make_scripted()
    around = Remembering(teacher, store)
    assert (around.copies, around.writes_without_passage, around.context_length, around.identity) == (False, True, None, teacher.identity)


def test_answers_come_while_prompts_are_still_to_come(store):
    taken = []

    def prompts():
        for number in range(100):
            taken.append(number)
            yield [str(number)]

    answers = iter(Remembering(make_scripted(), store)(prompts()))
    next(answers)
    assert len(taken) <= 2


def test_memory_stays_flat_when_everything_is_known(store):
    def peak(rows):
        store.close()
        tracemalloc.start()
        for _ in Remembering(make_scripted(), store)(["a" * 500] for _ in range(rows)):
            pass
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak(50)
    assert peak(4000) < 1.2 * peak(400) + 20_000


def test_many_threads_may_make_one_file_at_once(tmp_path):
    def put(number):
        with ResponseStore(path) as opened:
            opened.put(f"r{number}", "a")

    for round_ in range(20):
        path = tmp_path / f"{round_}.sqlite"
        threads = [threading.Thread(target=put, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with ResponseStore(path) as opened:
            assert len(opened) == 4


def test_a_transaction_is_whole_or_not_at_all(store):
    store.put("a", "1")
    with pytest.raises(ValueError), store.transaction() as connection:
        connection.execute("DELETE FROM answers")
        raise ValueError
    assert store.get("a") == "1"


def test_a_new_file_is_for_its_owner_only_and_an_old_one_stays_as_it_is(tmp_path):
    for name in ("new", "old"):
        path = tmp_path / name
        if name == "old":
            path.touch(0o644)
            path.chmod(0o644)
        with ResponseStore(path) as opened:
            opened.put("a", "1")
            assert path.stat().st_mode & 0o777 == (0o600 if name == "new" else 0o644)
