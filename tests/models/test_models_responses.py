"""Answers survive, and are never asked for twice."""

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
from spacy_synthesizrr.models.responses import Remembering, ResponseStore, request_hash
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
from spacy_synthesizrr.models.responses import Remembering, ResponseStore
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
    assert sqlite3.connect(store.path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


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
        ([[" ", {"error": 1}]], ["empty", "malformed"]),
        ([["x", "y", "z"], ["more"]], ["ok", "ok"]),
    ],
)
def test_a_model_that_breaks_its_contract_gives_failures(store, answers, kinds):
    def model(prompts):
        list(prompts)
        return answers

    [given] = ask(Remembering(model, store), ["a", "b"])
    assert [getattr(answer, "kind", "ok") for answer in given] == kinds


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
