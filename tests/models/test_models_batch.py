"""The batch model: what it writes, what it takes in, and that nothing is asked or counted twice."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import random
import shutil
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest
import spacy
from asking import ask, ask_once, texts
from faulty import FaultServer
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from offline import answer_all, answered, broken, completion, echo, expired, garbled, prompt_of, rows, said, write

from spacy_synthesizrr.errors import ConfigError, RunFolderError, TeacherError
from spacy_synthesizrr.models.answers import archive, ledger
from spacy_synthesizrr.models.answers.responses import ResponseStore
from spacy_synthesizrr.models.batch import answers as batch_answers
from spacy_synthesizrr.models.batch import exchange as batch_exchange
from spacy_synthesizrr.models.batch import files as batch_files
from spacy_synthesizrr.models.batch import model as batch_model
from spacy_synthesizrr.models.batch.files import custom_id, line_of, request_of, split_id
from spacy_synthesizrr.models.batch.index import Index
from spacy_synthesizrr.models.batch.model import make_batch
from spacy_synthesizrr.models.chat.wire import request_body
from spacy_synthesizrr.prompts import Answer, Failure, Prompt

HERE = "http://127.0.0.1:8000/v1"
KEY = "an-api-key-that-must-not-leak"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "batch"


def batch(folder, **given_settings):
    """A model with a folder of its own."""
    return make_batch(given_settings.pop("model", "m"), given_settings.pop("base_url", HERE), folder=str(folder), **given_settings)


def once(folder, prompts, **given_settings):
    """Ask with a new model, as a new process would."""
    made = batch(folder, **given_settings)
    found = ask(made, prompts)
    made.close()
    return found


def kinds(found):
    return [getattr(item, "kind", "answer") for item in found]


def files(folder):
    return sorted(path.name for path in folder.glob("[!.]*.jsonl*"))


def all_rows(folder):
    return [row for path in sorted(folder.glob("requests-*.jsonl")) for row in rows(path)]


def spent(folder):
    with ResponseStore(folder / "answers.sqlite") as store:
        found = ledger.accounts(store)
        return tuple(sum(row[name] for row in found) for name in ("requests", "prompt_tokens", "answer_tokens"))


def news(folder, **given_settings):
    """What a model tells about the files of answers."""
    told = []
    made = batch(folder, **given_settings)
    try:
        made.take_in(told.append)
    finally:
        made.close()
    return told


# ── what is written ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_line_is_what_batch_services_read(folder):
    prompt = Prompt("Write.", messages=[{"role": "user", "content": "Write."}], draw=2)
    how = {"system": "be brief", "parameters": {"seed": 7, "max_tokens": 9}, "extra_body": {"top_k": 4}}
    made = batch(folder, **how)
    [found] = ask(made, [prompt])
    path = folder / "requests-0001.jsonl"
    assert (found.kind, found.detail, str(found)) == ("missing", f"waits in {path}", "")
    [row] = rows(path)
    body = json.loads(request_body(prompt, model="m", system="be brief", parameters=how["parameters"], extra=how["extra_body"]))
    assert row == {"custom_id": made.shape.hash_of(prompt), "method": "POST", "url": "/v1/chat/completions", "body": body}
    assert body["seed"] == 9 and found.request == row["custom_id"]


@given(st.text(st.characters(blacklist_categories=["Cs"])), st.integers(1, 999_999))
def test_every_prompt_is_one_line_for_every_reader_of_lines(text, attempt):
    body = request_body(text, model="m")
    line = line_of(custom_id("0" * 32, attempt), body).decode()
    assert line.splitlines() == [line.removesuffix("\n")]
    assert json.loads(line)["body"] == json.loads(body)
    assert request_of(line.encode()) == ("0" * 32, attempt, len(body))


@pytest.mark.parametrize(
    "name", ["", "x", "0" * 31, "0" * 32 + "-0", "0" * 32 + "-", "0" * 32 + "-1234567", "0" * 32 + "\n", None, 3, ["0"]]
)
def test_a_custom_id_of_somebody_else_is_none_of_ours(name):
    assert split_id(name) is None


def test_waiting_requests_are_written_once(folder):
    once(folder, texts(5))
    assert kinds(once(folder, texts(8))) == ["missing"] * 8
    assert [len(rows(folder / name)) for name in files(folder)] == [5, 3]
    ids = [row["custom_id"] for row in all_rows(folder)]
    assert len(set(ids)) == 8


def test_equal_prompts_share_a_request_and_draws_do_not(folder):
    once(folder, ["same", "same", Prompt("same", draw=1)])
    assert len(all_rows(folder)) == 2


def test_files_keep_the_limits_of_a_provider(folder):
    once(folder, texts(10), max_requests_per_file=4)
    assert [len(rows(folder / name)) for name in files(folder)] == [4, 4, 2]


def test_files_keep_the_limit_of_bytes(folder):
    once(folder, ["x" * 1000, "y" * 1000, "z" * 1000], max_bytes_per_file=2600)
    assert [len(rows(folder / name)) for name in files(folder)] == [2, 1]
    assert all((folder / name).stat().st_size <= 2600 for name in files(folder))


def test_what_does_not_fit_any_file_is_a_failure_and_not_written(folder):
    assert kinds(once(folder, ["short", "x" * 1000, "also short"], max_bytes_per_file=600)) == ["missing", "too_long", "missing"]
    assert [prompt_of(row) for row in all_rows(folder)] == ["short", "also short"]


def test_nothing_appears_before_the_call_ends(folder):
    taking = iter(batch(folder)([text] for text in texts(3)))
    next(taking)
    assert files(folder) == []
    list(taking)
    assert files(folder) == ["requests-0001.jsonl"]
    assert not list(folder.glob(".*.part"))


def test_the_file_is_there_when_the_last_answer_comes_out(folder):
    taking = iter(batch(folder)([text] for text in texts(3)))
    for _ in range(3):
        next(taking)
    assert len(rows(folder / "requests-0001.jsonl")) == 3


def test_prompts_that_were_told_to_wait_are_written_when_the_caller_leaves_early(folder):
    taking = iter(batch(folder)([text] for text in texts(10)))
    next(taking)
    taking.close()
    assert [prompt_of(row) for row in all_rows(folder)] == ["prompt 0"]


def test_an_error_of_the_caller_loses_nothing_that_was_told_to_wait(folder):
    def failing():
        yield ["a"]
        yield ["b"]
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(batch(folder)(failing()))
    assert [prompt_of(row) for row in all_rows(folder)] == ["a", "b"]


def test_a_full_disk_leaves_nothing_half_done(folder, monkeypatch):
    put = batch_files.Draft.put

    def full(draft, line):
        if draft.requests == 2:
            raise OSError(28, "No space left on device")
        put(draft, line)

    monkeypatch.setattr(batch_files.Draft, "put", full)
    with pytest.raises(OSError, match="No space"):
        once(folder, texts(5))
    assert files(folder) == [] and not list(folder.glob(".*.part"))
    monkeypatch.undo()
    once(folder, texts(5))
    assert [row["custom_id"][32:] for row in all_rows(folder)] == [""] * 5


def test_two_models_that_hold_write_one_file(folder):
    one, two = batch(folder), batch(folder)
    one.hold()
    two.follow(one)
    ask(one, ["a", "b"])
    ask(two, ["b", "c"])
    two.close()
    assert files(folder) == []
    lines = one.release()
    assert [prompt_of(row) for row in all_rows(folder)] == ["a", "b", "c"]
    assert f"{folder / 'requests-0001.jsonl'}: 3 new requests" in lines[0]


def test_what_is_dropped_was_never_written(folder):
    made = batch(folder)
    made.hold()
    ask(made, texts(3))
    made.drop()
    assert files(folder) == []
    once(folder, texts(3))
    assert [row["custom_id"][32:] for row in all_rows(folder)] == [""] * 3


def test_a_second_writer_is_told_and_not_mixed_in(folder, monkeypatch):
    monkeypatch.setattr(batch_exchange, "LOCK_WAIT", 0.05)
    once(folder, ["a"])
    with FileLock(folder / ".answers.sqlite.lock"), pytest.raises(RunFolderError, match="Something else is writing requests"):
        once(folder, ["b"])
    assert len(all_rows(folder)) == 1
    once(folder, ["b"])
    assert len(all_rows(folder)) == 2


# ── what comes back ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_answers_in_any_order_end_the_waiting(folder):
    once(folder, texts(20))
    answer_all(folder)
    found = once(folder, texts(20))
    assert [str(item) for item in found] == [echo(text) for text in texts(20)]
    assert isinstance(found[0], Answer)
    assert (found[0].model, found[0].prompt_tokens, found[0].answer_tokens, found[0].finish) == ("m", 10, 5, "stop")
    assert files(folder) == ["answers.jsonl", "requests-0001.jsonl"]
    assert spent(folder) == (20, 200, 100)


def test_answers_may_come_in_parts_from_several_files_and_twice(folder):
    once(folder, texts(6))
    asked = all_rows(folder)
    write(folder / "part.jsonl", map(answered, asked[:2]))
    assert kinds(once(folder, texts(6))) == ["answer"] * 2 + ["missing"] * 4
    (folder / "more.jsonl.gz").write_bytes(gzip.compress("\n".join(map(answered, asked[1:5])).encode()))
    write(folder / "batch_1_output.jsonl", [*map(answered, asked[4:]), *map(answered, asked[4:]), ""])
    assert kinds(once(folder, texts(6))) == ["answer"] * 6
    assert spent(folder)[0] == 6


def test_only_requests_files_themselves_are_not_read_as_answers(folder):
    once(folder, ["a"])
    [row] = all_rows(folder)
    shutil.copy(folder / "requests-0001.jsonl", folder / "requests-0001 copy.jsonl")
    write(folder / "requests-0001.answers.jsonl", [answered(row)])
    (folder / "notes.txt").write_text("no answer")
    (folder / "deep.jsonl").mkdir()
    told = news(folder)
    assert told == [
        f"{folder / 'requests-0001 copy.jsonl'}: 0 answers taken in, 1 lines skipped",
        f"{folder / 'requests-0001 copy.jsonl'}:1: this line has neither a response nor an error; skipped",
        f"{folder / 'requests-0001.answers.jsonl'}: 1 answers taken in",
    ]


def test_reading_a_file_again_changes_nothing(folder):
    once(folder, texts(4))
    asked = all_rows(folder)
    path = write(
        folder / "answers.jsonl", [answered(asked[0]), broken(asked[1]), said(asked[2]["custom_id"], completion("", tokens=(3, 0)))]
    )
    once(folder, texts(4))
    before = spent(folder), len(all_rows(folder))
    assert before[0] == (2, 13, 5)
    path.rename(folder / "renamed.jsonl")
    assert news(folder) == [f"{folder / 'renamed.jsonl'}: 0 answers taken in, 3 known before"]
    os.utime(folder / "renamed.jsonl", ns=(1, 1))
    assert kinds(once(folder, texts(4))) == ["answer"] + ["missing"] * 3
    assert (spent(folder), len(all_rows(folder))) == before
    assert news(folder) == []


def test_an_error_is_asked_again_in_the_next_file(folder):
    once(folder, texts(3))
    first = all_rows(folder)
    write(folder / "answers.jsonl", [answered(first[0]), broken(first[1])])
    assert kinds(once(folder, texts(3))) == ["answer", "missing", "missing"]
    again = rows(folder / "requests-0002.jsonl")
    assert [(row["custom_id"], row["body"]) for row in again] == [(first[1]["custom_id"] + "-2", first[1]["body"])]
    write(folder / "answers.jsonl", [answered(first[0]), broken(first[1]), answered(first[2]), answered(again[0])])
    assert [str(item) for item in once(folder, texts(3))] == [echo(text) for text in texts(3)]


def test_an_error_that_does_not_pass_ends_as_a_failure(folder):
    for trip in range(3):
        once(folder, ["a"], max_retries=2)
        [row] = rows(folder / f"requests-{trip + 1:04d}.jsonl")
        write(folder / f"errors-{trip}.jsonl", [broken(row)])
    [found] = once(folder, ["a"], max_retries=2)
    assert (found.kind, found.detail) == ("server_error", "status 500: internal error (asked 3 times)")
    assert len(all_rows(folder)) == 3
    assert kinds(once(folder, ["a"], max_retries=3)) == ["missing"]


def test_a_late_good_answer_to_an_attempt_that_failed_counts(folder):
    once(folder, ["a"])
    [row] = all_rows(folder)
    write(folder / "one.jsonl", [broken(row)])
    once(folder, ["a"])
    write(folder / "two.jsonl", [answered(row)])
    assert once(folder, ["a"]) == [echo("a")]


OPENAI_BAD = {"error": {"message": "no such parameter", "type": "invalid_request_error"}}
FATES = {
    "truncated": (completion("half", finish="length"), 200, "truncated", 1),
    "truncated though it says stop": (completion("half", tokens=(10, 50)), 200, "truncated", 1),
    "empty": (completion(" "), 200, "empty", 2),
    "filtered": (completion("", finish="content_filter"), 200, "refused", 1),
    "declined": (completion("", refusal="no"), 200, "refused", 1),
    "no completion": ({"object": "list"}, 200, "malformed", 3),
    "rate limit": ({"error": {"message": "slow down"}}, 429, "rate_limited", 3),
    "too long": ({"error": {"message": "maximum context length is 10 tokens"}}, 400, "too_long", 1),
    "bad request": (OPENAI_BAD, 400, "refused", 1),
    "half of a surrogate pair": (completion("a\ud800"), 200, "malformed", 3),
    "no body": (None, 502, "server_error", 3),
}


@pytest.mark.parametrize("fate", FATES)
def test_every_kind_of_error_is_read_as_from_a_server(folder, fate):
    body, status, kind, attempts = FATES[fate]
    found = []
    for trip in range(5):
        found = once(folder, ["a", "b"], parameters={"max_tokens": 50})
        asked = [row for row in all_rows(folder) if prompt_of(row) == "a"]
        good = [answered(row) for row in all_rows(folder) if prompt_of(row) == "b"]
        write(folder / f"answers-{trip}.jsonl", [*good, *(said(row["custom_id"], body, status) for row in asked)])
    assert (kinds(found), len(asked)) == ([kind, "answer"], attempts)


ERRORS = {
    "as text": ("engine died", 400, "refused"),
    "vLLM": ({"error": {"message": "prompt is too long", "type": "BadRequestError", "code": 400}}, 400, "too_long"),
    "older vLLM": ({"object": "error", "message": "engine died", "code": 500}, 500, "server_error"),
    "without a status": ({"code": "server_error", "message": "engine died"}, None, "server_error"),
}


@pytest.mark.parametrize("form", ERRORS)
def test_errors_beside_the_response_are_read(folder, form):
    error, status, kind = ERRORS[form]
    once(folder, ["a", "b"], max_retries=0)
    one, two = all_rows(folder)
    response = None if status is None else {"status_code": status, "request_id": "r", "body": None}
    write(folder / "a.jsonl", [json.dumps({"custom_id": one["custom_id"], "response": response, "error": error}), answered(two)])
    assert kinds(once(folder, ["a", "b"], max_retries=0)) == [kind, "answer"]


def test_short_forms_that_scripts_write_are_read(folder):
    once(folder, ["a", "b", "c"])
    [one, two, three] = [row["custom_id"] for row in all_rows(folder)]
    lines = [{"custom_id": one, "response": {"body": completion("x")}}, {"custom_id": two, "response": completion("y")}]
    write(folder / "a.jsonl", map(json.dumps, [*lines, {"custom_id": three, "response": {"body": json.dumps(completion("z"))}}]))
    assert once(folder, ["a", "b", "c"]) == ["x", "y", "z"]


def test_requests_that_were_not_executed_are_written_again_for_ever(folder):
    for trip in range(5):
        assert kinds(once(folder, ["a"], max_retries=0)) == ["missing"]
        write(folder / f"errors-{trip}.jsonl", map(expired, rows(folder / f"requests-{trip + 1:04d}.jsonl")))
    assert spent(folder) == (0, 0, 0)


def test_bad_lines_are_told_with_their_place_and_the_others_are_read(folder):
    once(folder, ["a"])
    [row] = all_rows(folder)
    path = folder / "answers.jsonl"
    bad = [b"not json", b"[1]", b'{"id": 3}', b"\xff\xfe\xfa", b"{" * 100_000, json.dumps(row).encode(), b"\x00", b""]
    path.write_bytes(b"\n".join([*bad, answered(row).encode(), b'{"custom_id": "' + row["custom_id"].encode()]))
    told = news(folder)
    assert told[0] == f"{path}: 1 answers taken in, 8 lines skipped"
    assert told[1] == f"{path}:1: this line is no JSON, or is cut off; skipped"
    assert told[4].startswith(f"{path}:4: this line cannot be read (not_utf8") and told[6] == "… and 3 more such lines"
    assert once(folder, ["a"]) == [echo("a")]


def test_a_cut_line_counts_as_an_error_but_not_while_the_file_may_still_grow(folder):
    once(folder, ["a", "b"])
    one, two = all_rows(folder)
    path = folder / "answers.jsonl"
    path.write_text(garbled(one))
    assert news(folder)[0] == f"{path}: 0 answers taken in, 1 lines skipped"
    path.write_text(answered(one) + "\n" + garbled(two) + "\n")
    told = news(folder)
    assert told == [
        f"{path}: 1 answers taken in, 1 errors (malformed 1)",
        f"{path}:2: this line is no JSON; it counts as a malformed answer",
    ]
    assert kinds(once(folder, ["a", "b"])) == ["answer", "missing"]
    assert [row["custom_id"] for row in rows(folder / "requests-0002.jsonl")] == [two["custom_id"] + "-2"]


def test_answers_to_unknown_requests_are_told_every_time_and_taken_once_they_are_known(folder):
    other = folder.with_name("other")
    once(other, ["a"])
    [row] = all_rows(other)
    path = write(folder / "x.jsonl", [answered(row)]) if folder.mkdir() is None else None
    for _ in range(2):
        assert news(folder) == [
            f"{path}: 0 answers taken in, 1 of requests that were not written here",
            f"{path}:1: no request with the custom_id '{row['custom_id']}' was written here",
        ]
    once(folder, ["a"])
    assert once(folder, ["a"]) == [echo("a")]


def test_a_server_that_miscounts_does_not_stop_the_others(folder):
    once(folder, ["a", "b"])
    one, two = all_rows(folder)
    huge = completion("x", tokens=(10**30, -4))
    huge["model"] = "m\ud800"
    write(folder / "answers.jsonl", [said(one["custom_id"], huge), answered(two)])
    found = once(folder, ["a", "b"])
    assert (found[0], found[0].prompt_tokens, found[0].answer_tokens, found[0].model) == ("x", None, None, "m?")
    assert found[1] == echo("b")


def test_removing_a_requests_file_sets_its_requests_free(folder):
    once(folder, texts(3))
    first = all_rows(folder)
    write(folder / "answers.jsonl", [answered(first[0])])
    once(folder, texts(3))
    (folder / "requests-0001.jsonl").unlink()
    once(folder, texts(3))
    again = rows(folder / "requests-0002.jsonl")
    assert [row["custom_id"] for row in again] == [row["custom_id"] + "-2" for row in first[1:]]
    write(folder / "late.jsonl", [answered(first[1]), broken(first[2])])
    assert kinds(once(folder, texts(3))) == ["answer", "answer", "missing"]
    assert len(files(folder)) == 3


def test_a_file_is_not_written_for_requests_that_another_process_has_just_written(folder, monkeypatch):
    made = batch(folder)
    real = Index.state

    def late(index, request):
        state = real(index, request)
        if not state.waits and not requested:
            requested.append(request)
            once(folder, ["a"])
        return state

    requested = []
    monkeypatch.setattr(Index, "state", late)
    assert kinds(ask(made, ["a"])) == ["missing"]
    assert files(folder) == ["requests-0001.jsonl"] and not list(folder.glob(".*.part"))


def test_without_the_store_the_files_say_what_waits_and_what_was_answered(folder):
    once(folder, texts(3))
    write(folder / "answers.jsonl", map(answered, all_rows(folder)[:2]))
    once(folder, texts(3))
    for path in folder.glob("answers.sqlite*"):
        path.unlink()
    assert kinds(once(folder, texts(3))) == ["answer", "answer", "missing"]
    assert files(folder) == ["answers.jsonl", "requests-0001.jsonl"]
    assert spent(folder)[0] == 2


def test_pruned_answers_are_asked_again(folder):
    once(folder, ["a"])
    answer_all(folder)
    once(folder, ["a"])
    with ResponseStore(folder / "answers.sqlite") as store:
        archive.prune(store, name="m")
    assert kinds(once(folder, ["a"])) == ["missing"]
    assert all_rows(folder)[-1]["custom_id"].endswith("-2")


@pytest.mark.parametrize("status", [401, 402])
def test_answers_that_say_no_request_can_succeed_stop_at_once_and_are_asked_again(folder, status):
    once(folder, texts(2))
    one, two = all_rows(folder)
    write(folder / "answers.jsonl", [answered(one), said(two["custom_id"], {"error": {"message": "it is so"}}, status)])
    with pytest.raises(TeacherError, match=rf"answers.jsonl:2: status {status}: it is so\. \w+"):
        once(folder, texts(2))
    assert kinds(once(folder, texts(2), max_retries=0)) == ["answer", "missing"]
    assert len(files(folder)) == 3


def test_a_refusal_that_may_concern_all_stops_only_where_nothing_was_answered(folder):
    once(folder, texts(2))
    one, two = all_rows(folder)
    gone = {"error": {"message": "no such model"}}
    write(folder / "answers.jsonl", [said(two["custom_id"], gone, 404)])
    with pytest.raises(TeacherError, match=r"answers.jsonl:1: status 404: no such model\. Check base_url .* and the name of the model"):
        once(folder, texts(2))
    assert kinds(once(folder, texts(2))) == ["missing"] * 2
    write(folder / "more.jsonl", [answered(one), said(two["custom_id"] + "-2", gone, 404)])
    assert kinds(once(folder, texts(2))) == ["answer", "refused"]


def test_many_refusals_that_may_concern_all_stop_in_spite_of_answers(folder):
    once(folder, texts(30))
    first, *others = all_rows(folder)
    write(folder / "answers.jsonl", [answered(first), *(said(row["custom_id"], {"error": "revoked"}, 403) for row in others)])
    with pytest.raises(TeacherError, match="status 403: revoked.*key"):
        once(folder, texts(30))
    assert kinds(once(folder, texts(30))) == ["answer"] + ["missing"] * 29


def test_when_every_request_is_refused_the_set_up_is_wrong_and_not_the_prompts(folder):
    once(folder, texts(6))
    write(folder / "errors.jsonl", (said(row["custom_id"], OPENAI_BAD, 400) for row in all_rows(folder)))
    with pytest.raises(TeacherError, match="No request was accepted, 6 were refused"):
        once(folder, texts(6))
    assert kinds(once(folder, texts(6))) == ["missing"] * 6


# ── money ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cap_on_requests_counts_what_waits_and_what_was_answered(folder):
    caps = {"budget": {"max_requests": 3}}
    assert kinds(once(folder, texts(5), **caps)) == ["missing"] * 3 + ["budget"] * 2
    assert kinds(once(folder, texts(5), **caps)) == ["missing"] * 3 + ["budget"] * 2
    answer_all(folder)
    assert kinds(once(folder, texts(5), **caps)) == ["answer"] * 3 + ["budget"] * 2
    assert len(all_rows(folder)) == 3
    assert kinds(once(folder, texts(5), budget={"max_requests": 4})) == ["answer"] * 3 + ["missing", "budget"]


def test_a_cap_on_tokens_holds_back_the_most_until_answers_say_what_it_was(folder):
    caps = {"budget": {"max_tokens": 1000}, "parameters": {"max_tokens": 100}}
    trips = []
    while (new := kinds(once(folder, texts(99), **caps)).count("missing")) and len(trips) < 50:
        trips.append(new)
        answer_all(folder)
    assert trips[0] < 1000 / 100 and len(trips) > 3
    assert 750 < sum(spent(folder)[1:]) <= 1000
    assert sum(trips) == spent(folder)[0] == len(all_rows(folder))


def test_a_cap_on_money_uses_the_price_of_a_batch(folder):
    price = {"input_per_million": 0.0, "output_per_million": 1_000_000.0}
    caps = {"price": price, "parameters": {"max_tokens": 10}, "base_url": "https://example.com/v1"}
    made = batch(folder, budget={"max_cost": 25.0}, **caps)
    made.hold()
    assert kinds(ask(made, texts(5))) == ["missing"] * 2 + ["budget"] * 3
    lines = made.release()
    assert "2 new requests" in lines[0] and "at most 20 answer tokens, at most 20.0000 to pay" in lines[0]
    assert lines[1].startswith("3 requests are not written: max_cost = 25")
    answer_all(folder)
    assert kinds(once(folder, texts(5), budget={"max_cost": 25.0}, **caps)) == ["answer"] * 2 + ["missing"] + ["budget"] * 2
    with ResponseStore(folder / "answers.sqlite") as store:
        assert sum(row["cost"] for row in ledger.accounts(store)) == 10.0


def test_a_request_that_no_account_could_bear_fails_alone(folder):
    caps = {"budget": {"max_tokens": 1000}, "parameters": {"max_tokens": 100}}
    assert kinds(once(folder, ["a", "x" * 2000, "b"], **caps)) == ["missing", "too_long", "missing"]


def test_paid_errors_cost_what_was_counted_or_what_was_reserved_once(folder):
    once(folder, texts(3), parameters={"max_tokens": 50})
    one, two, three = all_rows(folder)
    unknown = completion("half", finish="length")
    del unknown["usage"]
    lines = [said(one["custom_id"], completion("half", finish="length", tokens=(7, 50))), said(two["custom_id"], unknown), broken(three)]
    write(folder / "answers.jsonl", lines)
    once(folder, texts(3), parameters={"max_tokens": 50})
    requests, prompt_tokens, answer_tokens = spent(folder)
    assert (requests, answer_tokens) == (2, 100)
    assert 7 < prompt_tokens < 7 + len(json.dumps(two["body"]))


def test_the_ledger_keeps_stage_round_and_label(tmp_path):
    with ResponseStore(tmp_path / "answers.sqlite") as store:
        made = make_batch("m", HERE)
        made.remember(store, scope="run", stage="synthesize main", round=2)
        ask(made, [Prompt("a", key="sport")])
        answer_all(tmp_path / "batch")
        assert ask(made, [Prompt("a", key="sport")]) == [echo("a")]
        [row] = ledger.accounts(store)
    assert [row[name] for name in ("scope", "stage", "round", "label", "requests", "cost")] == [
        "run",
        "synthesize main",
        2,
        "sport",
        1,
        0.0,
    ]
    assert row["account"] == "m at http://127.0.0.1/v1/chat/completions"


# ── one memory with the chat model ───────────────────────────────────────────────────────────────────────────────────

SHAPE = {"system": "be brief", "parameters": {"temperature": 0.5, "seed": 1}}


def test_what_a_chat_server_answered_is_not_written(tmp_path):
    with FaultServer() as server, ResponseStore(tmp_path / "answers.sqlite") as store:
        ask_once(server, store, texts(3), **SHAPE)
        made = make_batch("m", server.url, **SHAPE)
        made.remember(store, scope="run")
        assert kinds(ask(made, texts(4))) == ["answer"] * 3 + ["missing"]
    assert len(all_rows(tmp_path / "batch")) == 1


def test_what_a_batch_answered_is_not_asked_of_a_chat_server(tmp_path):
    with FaultServer() as server, ResponseStore(tmp_path / "answers.sqlite") as store:
        made = make_batch("m", server.url, **SHAPE)
        made.remember(store, scope="run")
        ask(made, texts(3))
        answer_all(tmp_path / "batch", lambda prompt: "by batch")
        ask(made, [])
        assert ask_once(server, store, texts(4), **SHAPE) == ["by batch"] * 3 + ["answer to prompt 3"]
        assert server.prompts == ["prompt 3"]
        assert server.asked[0] == {**all_rows(tmp_path / "batch")[0]["body"], "messages": server.asked[0]["messages"]}


def test_runs_with_one_store_find_each_others_answers_and_do_not_ask_twice(tmp_path):
    shared = str(tmp_path / "shared" / "answers.sqlite")
    once(tmp_path / "one", ["a"], responses=shared)
    [found] = once(tmp_path / "two", ["a"], responses=shared)
    assert found.detail == f"waits in {(tmp_path / 'one' / 'requests-0001.jsonl').resolve()}"
    answer_all(tmp_path / "one")
    assert once(tmp_path / "two", ["a"], responses=shared) == [echo("a")]
    assert not (tmp_path / "two").exists()


# ── laws ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

FATE = {"good": answered, "broken": broken, "expired": expired, "garbled": garbled, "lost": None}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_comes_back_every_prompt_ends_with_its_answer_and_every_answer_is_counted_once(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("law") / "batch"
    prompts = texts(data.draw(st.integers(1, 8)))
    sent, good = Counter(), set()
    for trip in range(6):
        found = once(folder, prompts, max_retries=9, max_requests_per_file=data.draw(st.integers(1, 9)))
        assert all(item == echo(prompt) if prompt in good else item.kind == "missing" for item, prompt in zip(found, prompts, strict=True))
        new = [row for row in all_rows(folder) if not sent[row["custom_id"]]]
        sent.update(row["custom_id"] for row in new)
        fates = {row["custom_id"]: "good" if trip > 2 else data.draw(st.sampled_from(sorted(FATE))) for row in new}
        lines = [FATE[fates[row["custom_id"]]](row) for row in new if FATE[fates[row["custom_id"]]]]
        lines = data.draw(st.permutations(lines + data.draw(st.lists(st.sampled_from(lines), max_size=3)) if lines else lines))
        cut = data.draw(st.integers(0, len(lines)))
        write(folder / f"a{trip}.jsonl", lines[:cut])
        write(folder / f"b{trip}.jsonl", lines[cut:])
        good |= {prompt_of(row) for row in new if fates[row["custom_id"]] == "good"}
        for path in folder.glob("requests-*.jsonl") if data.draw(st.booleans()) or trip == 2 else ():
            path.unlink()  # nobody waits for what is lost
    assert [str(item) for item in once(folder, prompts, max_retries=9)] == [echo(prompt) for prompt in prompts]
    assert max(sent.values()) == 1
    with ResponseStore(folder / "answers.sqlite") as store:
        rows_of = store.transaction
        with rows_of() as connection:
            outcomes = Counter(name for (name,) in connection.execute("SELECT outcome FROM batch_requests"))
    assert spent(folder)[0] == outcomes["answer"] + outcomes["malformed"]


def test_memory_is_flat_in_the_number_of_prompts(tmp_path):
    def peak(count, folder):
        prompts = ([f"{number} " + "long " * 200] for number in range(count))
        tracemalloc.start()
        for _ in batch(folder)(prompts):
            pass
        answer_all_flat(folder)
        for _ in batch(folder)([f"{number} " + "long " * 200] for number in range(count)):
            pass
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    def answer_all_flat(folder):
        with (folder / "requests-0001.jsonl").open() as lines, (folder / "a.jsonl").open("w") as out:
            for line in lines:
                out.write(answered(json.loads(line)) + "\n")

    peak(50, tmp_path / "warm")
    assert peak(1500, tmp_path / "many") < 1.3 * peak(300, tmp_path / "few") + 200_000


# ── kills ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def killed_at(place, count, work):
    """Do some work in a child process that dies, as by kill -9, when it comes to a place for the n-th time."""
    owner, name = place
    child = os.fork()
    if child == 0:
        try:
            real, calls = getattr(owner, name), iter(range(1, count + 1))

            def dying(*args, **more):
                if next(calls) == count:
                    os._exit(9)
                return real(*args, **more)

            setattr(owner, name, dying)
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_kill_while_a_file_is_read_in_again_forgets_none_of_its_requests(folder, monkeypatch):
    once(folder, texts(8))
    for path in folder.glob("answers.sqlite*"):
        path.unlink()
    assert killed_at((batch_exchange, "request_of"), 4, lambda: once(folder, texts(8))) == 9
    assert kinds(once(folder, texts(8))) == ["missing"] * 8
    assert len(all_rows(folder)) == 8


PLACES = {
    "before the first line": ((batch_files.Draft, "put"), 1),
    "between lines": ((batch_files.Draft, "put"), 4),
    "before the file appears": ((batch_files.Draft, "publish"), 1),
    "after the file appeared": ((Index, "publish"), 1),
    "before the second file appears": ((batch_files.Draft, "publish"), 2),
    "while a file is entered": ((Index, "add_file"), 2),
    "before answers are written": ((ledger, "write"), 1),
    "between two commits of answers": ((ledger, "write"), 2),
    "after the answers, before the file is noted": ((Index, "note_read"), 1),
    "when answers are judged": ((batch_model, "check"), 1),
}


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("place", PLACES)
def test_a_kill_at_any_point_loses_nothing_and_asks_nothing_twice(folder, monkeypatch, place):
    monkeypatch.setattr(batch_answers, "CHUNK", 3)
    where, count = PLACES[place]
    made = {"max_requests_per_file": 5, "max_retries": 5}
    answers_only = where[0] in (ledger, batch_model) or where[1] == "note_read"
    codes = []
    if not answers_only:
        codes.append(killed_at(where, count, lambda: once(folder, texts(8), **made)))
    once(folder, texts(8), **made)
    lines = [broken(row) if number == 2 else answered(row) for number, row in enumerate(all_rows(folder))]
    assert len(lines) == 8
    write(folder / "answers.jsonl", lines)
    if answers_only:
        codes.append(killed_at(where, count, lambda: [once(folder, texts(8), **made) for _ in range(2)]))
    found = once(folder, texts(8), **made)
    assert codes == [9]
    assert kinds(found).count("answer") == 7
    assert spent(folder) == (7, 70, 35)
    assert len(all_rows(folder)) == 9 and len({row["custom_id"] for row in all_rows(folder)}) == 9
    assert not list(folder.glob(".*.part"))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_processes_that_read_the_same_answers_count_them_once(folder, monkeypatch):
    monkeypatch.setattr(batch_answers, "CHUNK", 2)
    once(folder, texts(100))
    answer_all(folder)
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if kinds(once(folder, texts(100))) == ["answer"] * 100 else 2)
            finally:
                os._exit(1)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
    assert spent(folder) == (100, 1000, 500)


# ── spaCy ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def pipeline(folder, factory="llm_synthesizrr"):
    nlp = spacy.blank("en")
    model = {"@llm_models": "synthesizrr.Batch.v1", "model": "m", "base_url": HERE, "folder": str(folder)}
    nlp.add_pipe(factory, name="asker", config={"task": {"@llm_tasks": "spacy.TextCat.v3", "labels": ["sport", "science"]}, "model": model})
    return nlp


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("factory", ["llm", "llm_synthesizrr"])
def test_a_pipeline_writes_its_prompts_and_reads_its_answers_later(folder, factory):
    docs = list(pipeline(folder, factory).pipe(["A cup final.", "A new planet."]))
    assert [doc.cats for doc in docs] == [{"sport": 0.0, "science": 0.0}] * 2
    answer_all(folder, lambda prompt: "sport" if "cup final" in prompt else "science")
    docs = list(pipeline(folder, factory).pipe(["A cup final.", "A new planet."]))
    assert [max(doc.cats, key=doc.cats.get) for doc in docs] == ["sport", "science"]
    assert files(folder) == ["answers.jsonl", "requests-0001.jsonl"]


def test_one_model_sees_answers_that_came_meanwhile(folder):
    made = batch(folder)
    ask(made, ["a"])
    answer_all(folder)
    assert ask(made, ["a"]) == [echo("a")]
    made.close()


def test_more_than_one_process_is_refused(folder):
    with pytest.raises(ValueError, match="n_process = 1"):
        list(pipeline(folder).pipe(["a", "b"], n_process=2))
    assert files(folder) == []


def test_it_can_be_pickled_also_after_use(folder):
    made = batch(folder, system="s")
    ask(made, ["a"])
    copy = pickle.loads(pickle.dumps(made))
    assert copy.identity == made.identity
    assert kinds(ask(copy, ["a", "b"])) == ["missing"] * 2


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────────────────────

WRONG = {
    "model is empty": {"model": " "},
    "say whose answers": {"base_url": None},
    "looks like a secret": {"extra_body": {"api_key": KEY}},
    "holds a user name or a password": {"base_url": f"https://me:{KEY}@example.com/v1"},
    "carries the secret": {"base_url": f"https://example.com/v1?api-key={KEY}"},
    "may not set 'stream'": {"parameters": {"stream": True}},
    "max_retries = -1": {"max_retries": -1},
    "extra = nan": {"extra": float("nan")},
    "max_requests_per_file = 0": {"max_requests_per_file": 0},
    "max_bytes_per_file = True": {"max_bytes_per_file": True},
    "url = 'v1'": {"url": "v1"},
    "price is unknown": {"budget": {"max_cost": 1.0}, "base_url": "https://example.com/v1", "parameters": {"max_tokens": 5}},
    "how long one answer can be": {"budget": {"max_tokens": 10}},
}


@pytest.mark.parametrize("text", WRONG)
def test_what_cannot_work_is_refused_at_once(folder, text):
    with pytest.raises(ConfigError, match=f"synthesizrr.Batch.v1.*{text}") as caught:
        batch(folder, **WRONG[text])
    assert KEY not in str(caught.value) and not folder.exists()


def test_without_a_place_for_files_the_first_prompt_says_so():
    with pytest.raises(TeacherError, match='folder = "batch"'):
        ask(make_batch("m", HERE), ["a"])


def test_a_model_without_a_server_has_a_name_of_its_own(folder):
    made = batch(folder, base_url=None, endpoint_identity="vllm offline")
    ask(made, ["a"])
    assert made.account == "m at vllm offline"
    assert made.price.known is False and made.endpoint is None


def test_no_secret_of_the_environment_gets_into_a_file(folder, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    once(folder, texts(2))
    assert KEY not in (folder / "requests-0001.jsonl").read_text()
    assert (folder / "answers.sqlite").stat().st_mode & 0o777 == 0o600


def test_a_failure_has_no_text_and_knows_its_request(folder):
    [found] = once(folder, ["a"])
    assert isinstance(found, Failure) and str(found) == "" and found.request == all_rows(folder)[0]["custom_id"]


def test_the_order_of_files_does_not_matter(folder):
    once(folder, texts(30))
    lines = [answered(row) for row in all_rows(folder)]
    random.Random(1).shuffle(lines)
    for number in range(10):
        write(folder / f"z{number}.jsonl", lines[number::10])
    assert once(folder, texts(30)) == [echo(text) for text in texts(30)]
    assert not [path for path in Path(folder).iterdir() if path.suffix == ".part"]
