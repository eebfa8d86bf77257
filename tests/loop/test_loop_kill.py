"""kill -9 in every phase of a round: the same command goes on, pays nothing twice, and ends with the same ledger."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from apart import ServerApart
from loop_project import loop_config, walk, write_project

PATIENCE = 180.0  # seconds; a busy computer is slow, a hang is for ever
TEACHER = """[teacher]
@llm_models = "synthesizrr.ChatCompletions.v1"
base_url = "{url}"
model = "m"

[teacher.requests]
max_in_flight = 1
"""
# what a killed loop has just written when it is killed: it is in the phase that comes then
PHASES = (
    "loop.json",
    "start/train.spacy",
    "start/receipts/predict.json",
    "loop-1/parents.jsonl",
    "loop-1/receipts/index.json",
    "loop-1/receipts/plan.json",
    "loop-1/receipts/synthesize.json",
    "loop-1/receipts/curate.json",
    "loop-1/receipts/export.json",
    "loop-1/receipts/train.json",
    "loop-1/errors.jsonl",
    "goldgen-1/receipts/plan.json",
    "goldgen-1/receipts/train.json",
    "start/evaluation.json",
    "goldgen-1/receipts/evaluate.json",
)


@pytest.fixture(scope="module")
def server():
    with ServerApart(seconds=0.05, words=20) as running:
        yield running


@pytest.fixture(scope="module")
def started(tmp_path_factory, server) -> Path:
    path = tmp_path_factory.mktemp("killed") / "project"
    write_project(path)
    (path / "configs/teacher.mine.cfg").write_text(TEACHER.format(url=server.url))
    walk(path, per_label=2, teacher="mine")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        loop_config(how="text", controls='["goldgen"]', max=4)
    return path


def start(project: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "spacy_synthesizrr", "loop", "--run", "news", "--loop", "test"]
    return subprocess.Popen(words, cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_killed_in_every_phase_it_ends_with_the_same_ledger_and_pays_once(started, server, tmp_path):
    whole, killed = (shutil.copytree(started, tmp_path / name) for name in ("whole", "killed"))
    ledger = Path("runs/news-test/ledger.json")
    before = server.counts()["paid"]
    assert start(whole).wait(PATIENCE) == 0
    price = server.counts()["paid"] - before
    kills = 0
    for phase in PHASES:
        if (killed / "runs/news-test" / phase).exists():
            continue  # the loop before was faster than the killer
        client, last = start(killed), time.monotonic() + PATIENCE
        while not (killed / "runs/news-test" / phase).exists() and client.poll() is None and time.monotonic() < last:
            time.sleep(0.01)
        client.kill()
        kills += client.wait(PATIENCE) == -signal.SIGKILL
    assert kills >= len(PHASES) - 4
    assert start(killed).wait(PATIENCE) == 0
    assert (killed / ledger).read_bytes() == (whole / ledger).read_bytes()
    in_flight = kills  # at most the one request that each kill may have caught
    assert price > 0 and server.counts()["paid"] - before - price <= price + in_flight
