"""The command `publish`: what would go out, what stays, and that nothing goes out unasked."""

import json
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.cli import app
from spacy_synthesizrr.errors import PublishError, RunFolderError
from spacy_synthesizrr.jsonl import write_json
from spacy_synthesizrr.steps import export, publish
from spacy_synthesizrr.steps.publish import make_package, told


@pytest.fixture
def walked(walked):
    """The run, exported."""
    export.run(walked)
    return walked


def rows(package):
    return [json.loads(line) for line in (package.folder / "data/train.jsonl").read_text(encoding="utf-8").splitlines()]


def accepted(ctx):
    lines = ctx.folder.file("accepted.jsonl").read_text(encoding="utf-8").splitlines()
    return [Candidate.from_dict(json.loads(line)) for line in lines]


def test_rows_go_out_without_their_sources(walked):
    package = make_package(walked, "ann/tiny")
    found = rows(package)
    assert [(row["id"], row["text"], row["label"]) for row in found] == [(c.id, c.fields["text"], c.labels[0]) for c in accepted(walked)]
    assert all(list(row) == [name for name, _ in package.columns] for row in found)
    text = (package.folder / "data/train.jsonl").read_text() + (package.folder / "README.md").read_text()
    assert "Gazette" not in text and not {"passage", "seed", "passage_source"} & set(found[0])


def test_with_sources_passages_and_seeds_go_out_too(walked):
    package = make_package(walked, "ann/tiny", with_sources=True)
    found = rows(package)
    assert all(row["passage"] and row["seed"] and row["passage_source"].startswith("Gazette") for row in found)
    assert [name for name, _ in package.columns][-3:] == ["passage", "passage_source", "seed"]
    again = make_package(walked, "ann/tiny")
    assert "passage" not in rows(again)[0]


def test_what_goes_out_is_said_file_by_file(walked):
    package = make_package(walked, "ann/tiny")
    text = "\n".join(told(package))
    for name in ("README.md", "data/train.jsonl"):
        assert f"  {name}: {(package.folder / name).stat().st_size:,} bytes" in text
    assert "8 rows" in text and "  label: the label" in text
    assert "texts of passages and seeds" in text and "dev and test rows" in text
    assert "the teacher of this run only copies" in text
    assert {path.name for path in package.folder.rglob("*") if path.is_file()} == {"README.md", "train.jsonl"}


def test_the_card_names_the_file_and_the_columns(walked):
    card = (make_package(walked, "ann/tiny").folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\n") and "path: data/train.jsonl" in card
    assert "| label\\_source |" in card


def test_carried_fields_are_texts_of_others_and_stay(walked, monkeypatch):
    task = walked.task
    pair = task.model_copy(update={"fields": [*task.fields, task.fields[0].model_copy(update={"name": "premise", "generated": False})]})
    assert [spec.name for spec in pair.carried] == ["premise"]
    monkeypatch.setitem(walked.__dict__, "task", pair)
    package = make_package(walked, "ann/tiny")
    assert "premise" not in rows(package)[0]
    assert any("the fields premise" in what for what in package.left_out)


def test_a_field_with_a_name_of_ours_gets_another_column(walked, monkeypatch):
    task = walked.task
    named = task.model_copy(update={"fields": [task.fields[0].model_copy(update={"name": "label"})]})
    monkeypatch.setitem(walked.__dict__, "task", named)
    assert {"text_label", "label"} <= set(rows(make_package(walked, "ann/tiny"))[0])


@pytest.mark.parametrize("change", ["accepted.jsonl", "receipts/export.json"])
def test_rows_that_nobody_compared_with_test_are_not_published(walked, change):
    walked.folder.file(change).unlink()
    with pytest.raises(RunFolderError, match="synthesizrr export --run tiny"):
        make_package(walked, "ann/tiny")


def test_rows_that_give_a_test_row_away_stay(walked):
    first, *others = accepted(walked)
    hits = [{"id": first.id, "what": "main"}, {"id": others[0].id, "what": "random"}]
    walked.folder.file("gate.jsonl").write_text("".join(json.dumps(hit) + "\n" for hit in hits))
    receipt = walked.folder.receipt("export")
    receipt["outputs"]["gate.jsonl"]["bytes"] = walked.folder.file("gate.jsonl").stat().st_size
    write_json(walked.folder.receipt_path("export"), receipt)
    assert [row["id"] for row in rows(make_package(walked, "ann/tiny"))] == [one.id for one in others]


@pytest.mark.parametrize("name", ["news", "/news", "ann/", "ann/b/c"])
def test_a_repository_needs_two_names(walked, name):
    with pytest.raises(PublishError, match="Give USER/NAME"):
        publish.publish(walked, name, with_sources=False, dry_run=True, agreed=bool, say=print)


@pytest.mark.parametrize(("words", "answer", "sent"), [
    (["--dry-run"], "", False), (["--dry-run", "--yes"], "", False), ([], "n\n", False), ([], "y\n", True), (["--yes"], "", True),
])  # fmt: skip
def test_nothing_goes_out_unasked(walked, monkeypatch, words, answer, sent):
    gone = []
    monkeypatch.setattr(publish, "upload", lambda package: gone.append(package) or "https://hub/ann/tiny")
    done = CliRunner().invoke(app, ["publish", "--repo", "ann/tiny", "--run", "tiny", *words], input=answer)
    assert done.exit_code == 0, done.output
    assert bool(gone) is sent
    assert ("Nothing was sent" in done.output) is not sent
    assert done.output.index("data/train.jsonl") < done.output.index("Published" if sent else "Nothing was sent")


class Api:
    """A hub's library whose repository is public, or that refuses everything."""

    def __init__(self, refusal=None):
        self.refusal, self.sent = refusal, []

    def create_repo(self, name, **about):
        if self.refusal:
            raise self.refusal

    def repo_info(self, name, **about):
        return SimpleNamespace(private=False)

    def create_commit(self, *about, **more):
        self.sent.append(about)


def with_library(monkeypatch, api):
    errors = {name: type(name, (Exception,), {}) for name in ("HfHubHTTPError", "LocalTokenNotFoundError", "HFValidationError")}
    found = {"huggingface_hub": SimpleNamespace(HfApi=lambda **about: api), "huggingface_hub.errors": SimpleNamespace(**errors)}
    monkeypatch.setattr(publish, "require", lambda module, extra: found[module])
    return api


def test_nothing_is_sent_to_a_repository_that_is_public(walked, monkeypatch):
    api = with_library(monkeypatch, Api())
    with pytest.raises(PublishError, match=r"ann/tiny is public\. Nothing was sent"):
        publish.upload(make_package(walked, "ann/tiny"))
    assert api.sent == []


def test_what_the_hub_says_is_told_with_what_to_do(walked, monkeypatch):
    with_library(monkeypatch, Api(ConnectionError("nobody\nthere")))
    with pytest.raises(PublishError, match=r"did not take ann/tiny: nobody there Log in with `hf auth login`"):
        publish.upload(make_package(walked, "ann/tiny"))
