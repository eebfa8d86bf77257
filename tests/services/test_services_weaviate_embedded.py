"""A Weaviate of our own: found on disk, started, shared, stopped; and what is told where there is none."""

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import httpx
import pytest

from services.fixtures import refuse
from services.letters import Letters, passages
from services.processes import ServiceError
from services.weaviate import VERSION, install_weaviate
from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.jsonl import read_json
from spacy_synthesizrr.stores.base import Query
from spacy_synthesizrr.stores.weaviate.embedded import ABOUT, binaries
from spacy_synthesizrr.stores.weaviate.making import make_weaviate_store

TESTS = Path(__file__).parents[1]
ROOM = {"DISK_USE_WARNING_PERCENTAGE": "98", "DISK_USE_READONLY_PERCENTAGE": "99"}


def file_name(version):
    """The client's rule."""
    return f"weaviate-{version}-{hashlib.sha256(version.encode()).hexdigest()}"


@pytest.fixture(scope="module")
def binary_path(tmp_path_factory):
    """A folder with the binary under the name by which the client looks for it."""
    try:
        program = install_weaviate()
    except ServiceError as error:
        program, reason = None, str(error)
    if program is None:
        refuse(reason)
    folder = tmp_path_factory.mktemp("binaries")
    (folder / file_name(VERSION)).symlink_to(program)
    return folder


@pytest.fixture(autouse=True)
def no_address(monkeypatch):
    for name in ("WEAVIATE_URL", "WEAVIATE_API_KEY", "WEAVIATE_GRPC_PORT"):
        monkeypatch.delenv(name, raising=False)


def embedded(folder, binary_path, key="embedded"):
    return make_weaviate_store(str(folder), key, embedded={"binary_path": str(binary_path), "environment": ROOM})


def about(folder):
    return read_json(folder / "weaviate" / "server" / ABOUT)


def ended(pid):
    """Whether a process has ended: it is not there, or only its exit code waits to be read."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_what_one_step_writes_the_next_one_finds(binary_path, tmp_path, monkeypatch):
    monkeypatch.setenv("WEAVIATE_API_KEY", "of another server")
    store = embedded(tmp_path, binary_path)
    assert store.index(passages(100), Letters()).written
    hits = store.search([Query("harbour")], 5)
    store.close()
    again = embedded(tmp_path, binary_path)
    assert again.complete()
    assert again.search([Query("harbour")], 5) == hits
    assert again.location == "embedded Weaviate, collection Synthesizrr_embedded"
    again.close()


def test_the_stores_of_a_process_share_a_server_and_the_last_one_stops_it(binary_path, tmp_path):
    one, other = (embedded(tmp_path, binary_path, key) for key in ("one", "other"))
    assert not one.complete()
    assert not other.complete()
    pid = about(tmp_path)["pid"]
    one.close()
    assert not other.complete()
    assert not ended(pid)
    other.close()
    assert ended(pid)


def test_another_process_is_told_that_the_data_is_in_use(binary_path, tmp_path):
    store = embedded(tmp_path, binary_path)
    store.complete()
    script = """
        import sys
        from spacy_synthesizrr.errors import StoreError
        from spacy_synthesizrr.stores.weaviate.making import make_weaviate_store
        try:
            make_weaviate_store(sys.argv[1], embedded={"binary_path": sys.argv[2]}).complete()
        except StoreError as error:
            print(error)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path), str(binary_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    store.close()
    assert "Another process runs the embedded Weaviate" in done.stdout, done.stderr
    assert "start a server and set WEAVIATE_URL" in done.stdout


KILLED = """
    import os, signal, sys
    sys.path.insert(0, sys.argv[3])
    from services.letters import Letters, passages
    from spacy_synthesizrr.stores.weaviate.making import make_weaviate_store
    store = make_weaviate_store(sys.argv[1], "embedded", embedded={"binary_path": sys.argv[2]})
    store.index(passages(100), Letters())
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="reads /proc")
def test_a_server_that_a_killed_process_left_behind_is_used_and_stopped(binary_path, tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path), str(binary_path), str(TESTS)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120, env={**os.environ, **ROOM})
    assert done.returncode == -signal.SIGKILL
    left = about(tmp_path)["pid"]
    assert not ended(left)
    store = embedded(tmp_path, binary_path)
    assert store.complete()
    assert about(tmp_path)["pid"] == left
    store.close()
    assert ended(left)


def test_a_server_that_ended_with_its_process_is_started_again(binary_path, tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path), str(binary_path), str(TESTS)]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120, env={**os.environ, **ROOM})
    left = about(tmp_path)["pid"]
    os.kill(left, signal.SIGKILL)
    last = time.monotonic() + 30
    while not ended(left):
        assert time.monotonic() < last
        time.sleep(0.05)
    store = embedded(tmp_path, binary_path)
    assert store.complete()
    assert len(store.search([Query("harbour")], 100)[0]) == 100
    store.close()


def test_it_listens_on_this_machine_alone_and_sends_nothing_home(binary_path, tmp_path):
    store = embedded(tmp_path, binary_path)
    store.complete()
    running = about(tmp_path)
    env = dict(
        part.split("=", 1) for part in Path(f"/proc/{running['pid']}/environ").read_text().split("\0") if "=" in part
    )  # fmt: skip
    assert env["DISABLE_TELEMETRY"] == "true"
    assert env["ENABLE_MODULES"] == ""
    assert httpx.get(f"http://127.0.0.1:{running['port']}/v1/nodes", trust_env=False).json()["nodes"][0]["name"] == running["node"]
    store.close()


def test_without_a_binary_three_ways_out_are_shown(tmp_path, monkeypatch):
    from urllib.error import URLError
    from urllib.request import urlretrieve

    def offline(url, *more):
        raise URLError("Network is unreachable")

    monkeypatch.setattr(f"{urlretrieve.__module__}.urlretrieve", offline)
    store = make_weaviate_store(str(tmp_path), embedded={"binary_path": str(tmp_path / "nothing"), "version": "1.37.9"})
    with pytest.raises(StoreError) as caught:
        store.complete()
    said = str(caught.value)
    assert said.startswith("The embedded Weaviate 1.37.9 cannot be started (<urlopen error Network is unreachable>)")
    for way in (
        "let this machine reach github.com once",
        file_name("v1.37.9"),
        "set WEAVIATE_URL",
        "Weaviate Cloud",
        "--vars.store memory",
    ):
        assert way in said


def test_a_program_that_does_not_start_is_told(tmp_path):
    program = tmp_path / file_name("v1.37.9")
    program.write_text("#!/bin/sh\nexit 3\n")
    store = make_weaviate_store(str(tmp_path / "index"), embedded={"binary_path": str(tmp_path), "version": "1.37.9"})
    with pytest.raises(StoreError, match="cannot be started"):
        store.complete()


def test_the_newest_binary_is_taken_and_other_names_are_left_alone(tmp_path):
    for version in ("v1.9.2", "v1.37.9", "v1.4.0"):
        (tmp_path / file_name(version)).touch()
    (tmp_path / "weaviate-v1.40.0-0000").touch()
    (tmp_path / f"weaviate-v1.50.0-{'0' * 64}").touch()
    assert list(binaries(tmp_path)) == ["1.4.0", "1.9.2", "1.37.9"]
