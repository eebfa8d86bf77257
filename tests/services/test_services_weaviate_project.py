"""The whole way on a real Weaviate: `spacy project run all . --vars.store weaviate` on the demo task."""

import os

import pytest
from conftest import Project, make_project

from services.weaviate import Weaviate
from services.weaviate_stores import store_on

RUN = "on_weaviate"
OPTIONS = {"run": RUN, "store": "weaviate"}


@pytest.fixture(scope="module")
def environment(weaviate: Weaviate):
    """What a person sets to reach the server."""
    set_here = {"WEAVIATE_URL": weaviate.url, "WEAVIATE_GRPC_PORT": str(weaviate.grpc_port)}
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("WEAVIATE_API_KEY", raising=False)
        for name, value in set_here.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def walked(weaviate: Weaviate, environment, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The demo, run once with the config that users get."""
    project = make_project(tmp_path_factory.mktemp("on_weaviate") / "project")
    done = project.run(**OPTIONS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stderr
    return project


def rows_of(project: Project, run: str, name: str):
    """Everything of some rows but similarities, whose last digit may be another one."""
    rows = project.rows(run, name)
    return [{key: value for key, value in row.items() if key not in ("similarity", "margin", "events", "request")} for row in rows]


def test_the_accepted_rows_are_those_of_the_store_in_process(walked, demo):
    assert rows_of(walked, RUN, "accepted.jsonl") == rows_of(demo, "news_demo", "accepted.jsonl")


def test_the_plan_is_that_of_exact_search(walked, demo):
    """HNSW missed nothing in so small a corpus."""
    found, exact = (rows_of(project, run, "planned.jsonl") for project, run in ((walked, RUN), (demo, "news_demo")))
    assert found == exact
    for row, other in zip(walked.rows(RUN, "planned.jsonl"), demo.rows("news_demo", "planned.jsonl"), strict=True):
        assert row["similarity"] == pytest.approx(other["similarity"], abs=2e-6)


def test_the_collection_holds_the_corpus(walked, weaviate):
    about = walked.json(RUN, "index.json")
    assert about["store"] == f"{weaviate.url}, collection Synthesizrr_{about['key']}"
    store = store_on(weaviate, walked.path / "index", about["key"])
    assert store.complete()
    assert store.count() == about["passages"]
    store.close()


def test_running_again_does_nothing(walked):
    before = {path: path.stat().st_mtime_ns for path in walked.file(RUN, "receipts").iterdir()}
    done = walked.run(**OPTIONS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path: path.stat().st_mtime_ns for path in walked.file(RUN, "receipts").iterdir()} == before


def test_another_run_shares_the_index(walked, weaviate):
    for step in ("prepare", "index"):
        done = walked.run(command=step, run="second", store="weaviate", per_label=3)
        assert done.returncode == 0, done.stdout + done.stderr
    assert walked.json("second", "index.json") == walked.json(RUN, "index.json")


@pytest.mark.parametrize(("search", "most"), [("vector", 1.0), ("keyword", float("inf"))])
def test_the_other_searches_plan_too(walked, search, most):
    path = walked.path / "configs" / "strategy.synthesizrr.cfg"
    text = path.read_text(encoding="utf-8")
    assert 'search = "hybrid"' in text
    (path.parent / f"strategy.{search}.cfg").write_text(text.replace('search = "hybrid"', f'search = "{search}"'), encoding="utf-8")
    for step in ("prepare", "index", "rationales", "plan"):
        done = walked.run(command=step, run=search, store="weaviate", strategy=search, per_label=3)
        assert done.returncode == 0, done.stdout + done.stderr
    similarities = [row["similarity"] for row in walked.rows(search, "planned.jsonl")]
    assert similarities
    assert all(0 <= value <= most for value in similarities)


def test_a_key_that_is_refused_is_one_line_without_the_key(walked, monkeypatch):
    monkeypatch.setenv("WEAVIATE_API_KEY", "wrong-5ad0-key")
    done = walked.command("spacy_synthesizrr", "index", "--run", RUN)
    assert done.returncode == 2
    assert "refuses the key in WEAVIATE_API_KEY" in done.stderr
    assert "Traceback" not in done.stderr
    assert "wrong-5ad0-key" not in done.stdout + done.stderr


def test_a_server_that_is_gone_is_one_line_and_forgets_nothing(walked, monkeypatch):
    monkeypatch.setitem(os.environ, "WEAVIATE_URL", "http://127.0.0.1:9")
    done = walked.command("spacy_synthesizrr", "plan", "--run", RUN)
    receipt = walked.file(RUN, "receipts/index.json")
    if done.returncode == 0:  # nothing changed, so nobody asked
        walked.file(RUN, "receipts/plan.json").unlink()
        done = walked.command("spacy_synthesizrr", "plan", "--run", RUN)
    assert done.returncode == 2
    assert "No Weaviate answers at http://127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr
    assert receipt.is_file()
