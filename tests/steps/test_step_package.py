"""What is taken home: speed, card, and a package that plain spaCy uses where this project is not installed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import spacy
from plain_spacy import plain_python, plain_site
from spacy.training import Corpus
from student_run import StudentRun
from typer.testing import CliRunner

from spacy_synthesizrr.cli import app
from spacy_synthesizrr.errors import InputError, MissingExtraError, RunFolderError
from spacy_synthesizrr.steps import evaluate, export, package, train
from spacy_synthesizrr.students.takehome import packaging
from spacy_synthesizrr.students.takehome.packaging import Wanted

TEXTS = ["The coach and the striker won the match.", "The bank sold its shares."]
READ = """
import sys, importlib.util, spacy
from spacy.tokens import DocBin
assert importlib.util.find_spec("spacy_synthesizrr") is None
nlp = spacy.load(sys.argv[1])
for doc in DocBin().from_disk(sys.argv[2]).get_docs(nlp.vocab):
    print(doc.cats["sport"], doc.cats["business"])
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A run that has been evaluated; tests only read it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        run = StudentRun.make(tmp_path_factory.mktemp("packaged"))
        monkeypatch.setattr("spacy_synthesizrr.stores.opening.open_store", lambda ctx: run.store)
        run.accept(8)
        ctx = run.ready()
        for step in (export, train, evaluate):
            step.run(ctx)
    return run


@pytest.fixture(scope="module")
def made(done, tmp_path_factory):
    """Its package."""
    return package.package(done.ready(), Wanted(tmp_path_factory.mktemp("dist"), version="1.2", license="MIT"))


def test_evaluate_leaves_speed_and_card_that_its_receipt_does_not_hold(done):
    found = done.json("takehome.json")
    assert found["speed"]["texts"] == "test" and found["speed"]["docs_per_second"] > 0
    assert found["teacher"]["measured"] is None
    assert done.folder.file("card.md").read_text(encoding="utf-8").startswith("# news\\_test\n")
    assert list(done.folder.receipt("evaluate")["outputs"]) == ["evaluation.json", "answers.jsonl"]


def test_no_path_of_this_machine_is_in_card_or_package(done, made):
    texts = [done.folder.file("card.md"), *(path for path in made.wheel.parents[1].rglob("*") if path.suffix in (".json", ".md", ".cfg"))]
    assert len(texts) > 4
    assert not [path for path in texts if str(done.path) in path.read_text(encoding="utf-8")]


def test_the_wheel_says_what_it_is(done, made):
    assert made.wheel.name == "en_news_test-1.2-py3-none-any.whl"
    meta = json.loads((made.wheel.parents[1] / "meta.json").read_text(encoding="utf-8"))
    chosen = done.json("evaluation.json")["chosen"]
    assert (meta["name"], meta["version"], meta["license"]) == ("news_test", "1.2", "MIT")
    assert meta["performance"]["cats_micro_f"] == pytest.approx(chosen["score"])
    assert meta["performance"]["cats_f_per_type"].keys() == {"sport", "business"}
    assert [name.split(">")[0] for name in meta["requirements"]] == ["spacy"]


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """A run of a multi-label task, named as no package may be, with dev rows enough to choose thresholds."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        run = StudentRun.make(tmp_path_factory.mktemp("several"), k_seeds=1)
        monkeypatch.setattr("spacy_synthesizrr.stores.opening.open_store", lambda ctx: run.store)
        run.task.write_text("exclusive: false\n" + run.task.read_text().replace("News.Test", "7.odd-x"))
        run.accept(3)
        run.labelled("dev", 30, first=200)
        ctx = run.ready()
        for step in (export, train, evaluate):
            step.run(ctx)
    return run


def test_scores_at_thresholds_of_its_own_do_not_have_spacys_names(several, tmp_path):
    chosen = several.json("evaluation.json")["chosen"]
    assert set(chosen["thresholds"].values()) != {0.5}
    made = package.package(several.ready(), Wanted(tmp_path))
    assert made.name == "en_odd_x"
    meta = json.loads((made.wheel.parents[1] / "meta.json").read_text(encoding="utf-8"))
    found = meta["performance"]
    assert found["micro_f_at_thresholds"] == pytest.approx(chosen["score"])
    assert found["f_per_label_at_thresholds"].keys() == {"sport", "business"}
    assert not found.keys() & spacys_scores(several).keys()
    assert "`spacy evaluate` gives other scores than these" in several.folder.file("card.md").read_text(encoding="utf-8")


def test_scores_at_the_threshold_that_spacy_takes_have_its_names(several):
    evaluation = several.json("evaluation.json")
    evaluation["chosen"]["thresholds"] = {"sport": 0.5, "business": 0.5}
    assert package.performance(evaluation, threshold=0.5).keys() & spacys_scores(several).keys() == set(package.SPACYS.values())
    assert not package.performance(evaluation, threshold=0.4).keys() & spacys_scores(several).keys()


def test_a_student_without_test_rows_has_no_performance():
    assert package.performance({"chosen": None}, threshold=0.5) == {}


def spacys_scores(run):
    nlp = spacy.load(run.folder.file("student"))
    return nlp.evaluate(list(Corpus(run.folder.file("test.spacy"))(nlp)))


@pytest.mark.parametrize(("name", "made"), [("7.odd-x", "odd_x"), ("News.Test", "news_test"), ("__9", "student"), ("a1", "a1")])
def test_any_name_has_a_nearest_one_that_a_package_may_have(name, made):
    assert packaging.package_name(name) == made


def test_the_readme_is_the_card_and_loads_the_package(made):
    readme = (made.wheel.parents[1] / "README.md").read_text(encoding="utf-8")
    assert readme.startswith("# news\\_test\n")
    assert 'nlp = spacy.load("en_news_test")' in readme and 'spacy.load("student")' not in readme


def test_the_student_of_the_run_stays_as_it_is(done, made):
    assert not done.folder.file("student/README.md").exists()
    assert train.run(done.ready()) is False


def test_installed_beside_plain_spacy_it_is_applied_to_a_file(done, made, tmp_path):
    site, target = plain_site(tmp_path / "site"), tmp_path / "target"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--target", str(target), str(made.wheel)], check=True, capture_output=True)
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS), encoding="utf-8")
    plain_python(site, "-m", "spacy", "apply", made.name, tmp_path / "texts.jsonl", tmp_path / "out.spacy", more=(target,))
    printed = plain_python(site, "-c", READ, made.name, tmp_path / "out.spacy", more=(target,))
    nlp = spacy.load(done.folder.file("student"))
    expected = [nlp(text).cats[label] for text in TEXTS for label in ("sport", "business")]
    assert [float(word) for word in printed.split()] == pytest.approx(expected, abs=1e-6)


def test_a_package_is_replaced_only_by_force(done, tmp_path):
    folder = tmp_path / "en_news_test-0.1.0"
    folder.mkdir()
    with pytest.raises(InputError, match="already. Choose another --version, or replace it with --force"):
        package.package(done.ready(), Wanted(tmp_path))
    with pytest.raises(InputError, match="no package of a pipeline, so it is not removed"):
        package.package(done.ready(), Wanted(tmp_path, force=True))


@pytest.mark.parametrize(("wanted", "said"), [
    ({"name": "My News"}, "'My News' cannot be the name of a package.*Try --name my_news"),
    ({"name": "../up"}, "Try --name up"), ({"name": "a__b"}, "Try --name a_b"), ({"version": "one"}, "'one' is no version"),
])  # fmt: skip
def test_names_and_versions_that_no_package_may_have_are_refused(done, tmp_path, wanted, said):
    with pytest.raises(InputError, match=said):
        package.package(done.ready(), Wanted(tmp_path / "dist", **wanted))
    assert not (tmp_path / "dist").exists()


def test_tools_that_are_missing_are_named(done, tmp_path, monkeypatch):
    monkeypatch.setattr(packaging, "TOOLS", ("setuptools", "no-such-tool"))
    with pytest.raises(MissingExtraError, match=r"'no-such-tool'.*spacy-synthesizrr\[package\]"):
        package.package(done.ready(), Wanted(tmp_path))


def test_a_model_made_of_our_parts_requires_this_package(tmp_path):
    (tmp_path / "config.cfg").write_text(
        '[nlp]\nlang = "en"\n\n[components]\n\n[components.textcat]\n\n[components.textcat.model]\n@architectures = "synthesizrr.Any.v1"\n'
    )
    (needs,) = packaging.requirements(tmp_path, {})
    assert needs.startswith("spacy-synthesizrr[transformers]>=")


def test_a_run_that_was_not_evaluated_is_refused(done, tmp_path):
    run = done.copy(tmp_path)
    run.folder.receipt_path("evaluate").unlink()
    with pytest.raises(RunFolderError, match="Run the step 'evaluate': synthesizrr evaluate --run r"):
        package.package(run.ready(), Wanted(tmp_path / "dist"))


def test_a_card_that_is_gone_says_how_to_get_it_again(done, tmp_path):
    run = done.copy(tmp_path)
    run.folder.file("card.md").unlink()
    with pytest.raises(RunFolderError, match="delete receipts/evaluate.json of this run first: card.md is gone"):
        package.package(run.ready(), Wanted(tmp_path / "dist"))


def test_the_command_says_how_to_install_and_use_it(done, tmp_path):
    done.ready()
    said = CliRunner().invoke(app, ["package", "--run", str(done.folder.path), "--out", str(tmp_path), "--name", "other"])
    assert said.exit_code == 0, said.output
    assert f"pip install {tmp_path}/en_other-0.1.0/dist/en_other-0.1.0-py3-none-any.whl" in said.output
    assert "python -m spacy apply en_other texts.jsonl out.spacy" in said.output
