"""The benchmark of clients: its server counts the truth, and a tiny run gives the right row."""

import json
import sys
from http.client import HTTPConnection
from types import SimpleNamespace

import pytest
from conftest import ROOT

MODULES = ("teacher", "table", "measured", "clients", "fake_server")
QUIET = {"median": 0.01}


@pytest.fixture(scope="module")
def benchmark():
    """Its modules, which import one another as scripts do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
        import teacher

        yield SimpleNamespace(**{name: sys.modules[name] for name in MODULES if name != "teacher"}, teacher=teacher)
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.fixture
def tiny(benchmark, tmp_path):
    """20 prompts, 8 in flight: the row of a client."""

    def run(name, **law):
        client = next(client for client in benchmark.clients.CLIENTS if client.name == name)
        case = benchmark.teacher.Case("tiny", {**QUIET, **law}, prompts=20, in_flight=8, limit=60)
        return benchmark.teacher.run_once(case, client, sys.executable, tmp_path)

    return run


def post(port, prompt):
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    body = json.dumps({"model": "fake", "messages": [{"role": "user", "content": prompt}]})
    connection.request("POST", "/v1/chat/completions", body)
    reply = connection.getresponse()
    text = reply.read()
    connection.close()
    return reply.status, text


def test_the_server_counts_requests_answers_and_what_was_paid_twice(benchmark):
    with benchmark.measured.fake_server({}) as (_, port):
        told = [post(port, prompt) for prompt in ("Prompt 1: a", "Prompt 2: b", "again, Prompt 1", "a trial")]
        seen = benchmark.measured.counts(port)
    assert [status for status, _ in told] == [200] * 4
    text = json.loads(told[0][1])["choices"][0]["message"]["content"]
    assert text == benchmark.fake_server.answer_to("Prompt 1") != benchmark.fake_server.answer_to("Prompt 2")
    names = ("requests", "other", "prompts", "paid", "paid_again", "given", "given_again", "peak")
    assert [seen[name] for name in names] == [3, 1, 2, 3, 1, 2, 1, 1]


def test_a_cut_answer_is_paid_and_a_refused_one_is_not(benchmark):
    with benchmark.measured.fake_server({"cut": 1.0}) as (_, port):
        status, text = post(port, "Prompt 1")
        cut = benchmark.measured.counts(port)
    with benchmark.measured.fake_server({"busy": 1.0}) as (_, port):
        refused, _ = post(port, "Prompt 1")
        busy = benchmark.measured.counts(port)
    assert (status, refused) == (200, 429)
    with pytest.raises(ValueError):
        json.loads(text)
    assert [(seen["requests"], seen["paid"], seen["given"]) for seen in (cut, busy)] == [(1, 1, 0), (1, 0, 0)]


def test_all_clients_meet_the_same_faults_as_often_as_asked(benchmark):
    law = benchmark.fake_server.Law(median=0.3, sigma=0.5, busy=0.05, broken=0.03, dropped=0.02, cut=0.02)
    drawn = [law.draw(f"Prompt {number}", 1) for number in range(4000)]
    assert drawn == [law.draw(f"Prompt {number}", 1) for number in range(4000)]
    shares = {kind: sum(one == kind for one, _ in drawn) / 4000 for kind in ("busy", "broken", "dropped", "cut")}
    assert shares == pytest.approx({"busy": 0.05, "broken": 0.03, "dropped": 0.02, "cut": 0.02}, abs=0.012)
    delays = sorted(delay for kind, delay in drawn if kind == "ok")
    assert delays[len(delays) // 2] == pytest.approx(0.3, rel=0.05)
    assert law.draw("Prompt 1", 1) != law.draw("Prompt 1", 2)


def test_a_setting_that_the_server_does_not_know_is_refused(benchmark):
    with pytest.raises(SystemExit, match="unknown settings.*medain"):
        benchmark.fake_server.read_law('{"medain": 1}')


@pytest.mark.parametrize("name", ["raw", "ours"])
def test_a_tiny_run_gives_a_right_row(tiny, name):
    row = tiny(name)
    assert (row["right"], row["wrong"], row["missing"], row["requests"], row["paid"]) == (20, 0, 0, 20, 20)
    assert row["peak"] == 8 and row["processes"] == 1 and row["rss_mb"] > 10
    assert row["wall"] > row["startup"] + row["steady"] > row["steady"] > 0
    assert row.get("kept") == (20 if name == "ours" else None)
    assert "ended" not in row


def test_a_kill_and_a_second_start_pay_what_was_in_flight_again(tiny):
    row = tiny("raw", median=0.2, tell_at=8)
    assert (row["right"], row["paid"] - row["paid_again"]) == (20, 20)
    assert 0 < row["paid_again"] <= 8 and row["in_flight"] <= 8


def test_only_the_text_that_the_server_gave_is_right(benchmark, tmp_path):
    task = benchmark.measured.Task(benchmark.clients.CLIENTS[0], "python", tmp_path / "p", 1, tmp_path, 1.0)
    right = benchmark.fake_server.answer_to("Prompt 0")
    lines = [[0, right], [1, right], [2, None], [3, "an error page"]]
    task.answers.write_text("".join(json.dumps(line) + "\n" for line in lines) + '[4, "cut by a k', encoding="utf-8")
    assert task.judged(6) == {"right": 1, "wrong": 2, "missing": 3}


def test_the_table_names_every_client_and_what_could_not_be_installed(benchmark):
    run = {"wall": 2.0, "steady": 1.0, "startup": 0.5, "cpu": 1.5, "rss_mb": 40, "processes": 1, "right": 20, "peak": 8, "server_cpu": 0.1}
    case = benchmark.teacher.Case("fast-64", QUIET, prompts=20)
    one, other = benchmark.clients.CLIENTS[:2]
    rows = {
        client.name: benchmark.teacher.summed(case, client, [{**run, "steady": seconds}], [run])
        for client, seconds in ((one, 1.0), (other, 1.02))
    }
    told = benchmark.table.table({"cases": {"fast-64": rows}, "missing": {"curator": "no wheel"}})
    assert f"| {other.name} | 2.0 | 1.02 | 1.020 |" in told
    assert "not measured: curator (no wheel)" in told
