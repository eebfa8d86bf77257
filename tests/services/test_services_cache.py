"""The cache of installed things: built once, whole or not at all."""

import threading

import pytest

from services.cache import installed
from services.processes import ServiceError, run


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNTHESIZRR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Build:
    """Writes one file, and counts."""

    def __init__(self, text="done"):
        self.text, self.count = text, 0

    def __call__(self, folder, log):
        self.count += 1
        assert not [*folder.iterdir()]
        (folder / "file").write_text(self.text)


def get(build, *recipe):
    return installed("thing", build, recipe=recipe, files=["file"])


def test_a_thing_is_built_once(cache):
    build = Build()
    assert get(build) == get(build)
    assert build.count == 1
    assert (get(build) / "file").read_text() == "done"
    assert get(build).parent == cache


def test_another_recipe_is_another_thing():
    assert get(Build("a"), "v1") != get(Build("b"), "v2")
    assert (get(Build(), "v1") / "file").read_text() == "a"


def test_what_was_left_half_built_is_built_again(cache):
    def killed(folder, log):
        (folder / "file").write_text("hal")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(killed)
    assert not [path for path in cache.iterdir() if path.is_dir() and not path.name.endswith(".half")]
    assert (get(Build()) / "file").read_text() == "done"


def test_a_thing_that_lost_a_file_is_built_again():
    folder = get(Build())
    (folder / "file").unlink()
    (folder / "left").write_text("x")
    assert (get(Build("new")) / "file").read_text() == "new"
    assert not (folder / "left").exists()


def test_a_build_that_makes_nothing_is_refused():
    with pytest.raises(ServiceError, match="made no file"):
        get(lambda folder, log: None)


def test_a_build_that_fails_shows_its_log_and_leaves_nothing_that_counts():
    with pytest.raises(ServiceError, match="exit code 3.*\n.*no such luck"):
        get(lambda folder, log: run(["sh", "-c", "echo no such luck; exit 3"], log=log, seconds=60))
    assert (get(Build()) / "file").read_text() == "done"


def test_sessions_that_want_the_same_thing_wait_for_one_another():
    started, go = threading.Event(), threading.Event()

    def slow(folder, log):
        started.set()
        assert go.wait(60)
        build(folder, log)

    build, found = Build(), []
    threads = [threading.Thread(target=lambda: found.append(get(slow))) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert started.wait(60)
    go.set()
    for thread in threads:
        thread.join()
    assert len({*found}) == build.count == 1


def test_a_cache_that_cannot_be_written_says_so(tmp_path, monkeypatch):
    (tmp_path / "taken").write_text("")
    monkeypatch.setenv("SYNTHESIZRR_CACHE", str(tmp_path / "taken"))
    with pytest.raises(ServiceError, match="SYNTHESIZRR_CACHE"):
        get(Build())
