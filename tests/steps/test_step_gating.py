"""The contamination gate between `export` and `train`."""

from __future__ import annotations

import json

import numpy as np
import pytest
from student_run import FixedPassages, StudentRun, sentence

from spacy_synthesizrr.errors import ConfigError, StudentError
from spacy_synthesizrr.jsonl import write_jsonl
from spacy_synthesizrr.steps import export, train
from spacy_synthesizrr.steps.gating import check_gate

SETS = ["dev.spacy", "test.spacy", "train.spacy"]


@pytest.fixture
def made(tmp_path, monkeypatch):
    run = StudentRun.make(tmp_path)
    monkeypatch.setattr("spacy_synthesizrr.stores.opening.open_store", lambda ctx: run.store)
    run.accept(8)
    run.accept(2, arm="random")
    return run


def leaking(made, *, share="0.1"):
    """Two of 16 main rows, and one of the passages, say what test rows say."""
    rows = [
        {"text": text, "label": label} for text, label in ((sentence("sport", 1), "sport"), (sentence("business", 3).upper(), "business"))
    ]
    write_jsonl(made.path / "test.jsonl", rows)
    (made.path / "curate.cfg").write_text(f"[row_filters]\n\n[gate]\nmax_share = {share}\n")
    return made.ready()


def hits(made):
    return [json.loads(line) for line in made.folder.file("gate.jsonl").read_text().splitlines()]


def test_clean_rows_pass_and_are_vouched_for(made):
    ctx = made.ready()
    export.run(ctx)
    gate = made.json("gate.json")
    assert gate["arms"]["main"] == {"rows": 16, "equal": 0, "ngram": 0, "similarity": 0} and gate["share"] == 0
    assert set(gate["files"]) == {*SETS, *(f"controls/{arm}/train.spacy" for arm in ("seed-only", "retrieve-only", "random"))}
    assert gate["compared_with"] == 20 and hits(made) == []
    check_gate(ctx, SETS)


def test_rows_that_give_test_rows_away_are_left_out_of_every_arm_counted_listed_and_said(made, capsys):
    export.run(leaking(made))
    assert made.arm("export.json", "main")["rows"] == 14
    assert made.arm("export.json", "retrieve-only")["rows"] == 14
    assert made.json("gate.json")["arms"]["main"]["equal"] == 2
    assert made.json("gate.json")["arms"]["retrieve-only"]["ngram"] == 2
    assert [(row["what"], row["reason"], row["gold"]) for row in hits(made)][:2] == [
        ("main", "equal", "test:1"),
        ("main", "equal", "test:2"),
    ]
    assert "main: 2 of 16 rows give a dev or test row away and are left out (equal 2; gate.jsonl)." in capsys.readouterr().out


def test_train_refuses_when_too_many_rows_were_turned_away(made):
    ctx = leaking(made)
    export.run(ctx)
    with pytest.raises(
        StudentError, match=r"2 of 16 rows of the main train set .*12\.5%; at most 10\.0% may, by \[gate\] max_share.*gate\.jsonl"
    ):
        train.run(ctx)


def test_train_starts_when_the_limit_was_raised_with_open_eyes(made):
    ctx = leaking(made, share="0.2")
    export.run(ctx)
    check_gate(ctx, SETS)


def test_train_refuses_without_the_gate(made):
    ctx = made.ready()
    export.run(ctx)
    made.folder.file("gate.json").unlink()
    with pytest.raises(StudentError, match=r"gate\.json is missing\. Run the step 'export' again: synthesizrr export --run r"):
        check_gate(ctx, SETS)


@pytest.mark.parametrize("name", SETS)
def test_train_refuses_sets_that_changed_behind_the_gate(made, name):
    ctx = made.ready()
    export.run(ctx)
    data = bytearray(made.folder.file(name).read_bytes())
    data[len(data) // 2] ^= 1  # the receipt, which looks at sizes, does not see it
    made.folder.file(name).write_bytes(data)
    with pytest.raises(StudentError, match=rf"{name} is not the set that was compared with dev and test.*export"):
        train.run(ctx)


def test_set_that_the_gate_never_saw_is_refused(made):
    ctx = made.ready()
    export.run(ctx)
    with pytest.raises(StudentError, match="is not the set"):
        check_gate(ctx, ["controls/fewgen/train.spacy"])


def test_rows_said_again_are_found_by_the_embedder_of_the_index(made, monkeypatch):
    class Embedder:
        """Texts of one label are the same to it, but for the number."""

        def embed(self, texts):
            return np.array([[1.0, len(text) % 7 / 100] if "the" in text else [0.0, 1.0] for text in texts], dtype=np.float32)

    store = FixedPassages(made.passages)
    object.__setattr__(store, "embedder", Embedder())
    monkeypatch.setattr("spacy_synthesizrr.stores.opening.open_store", lambda ctx: store)
    write_jsonl(made.path / "test.jsonl", [{"text": "the", "label": "sport"}, {"text": "Other.", "label": "business"}])
    write_jsonl(made.path / "dev.jsonl", [{"text": "More.", "label": "sport"}])
    (made.path / "curate.cfg").write_text("[row_filters]\n\n[gate]\nsimilarity = 0.9\nquantile = 0.01\n")
    export.run(made.ready())
    gate = made.json("gate.json")
    assert gate["arms"]["main"]["similarity"] == 16 and gate["share"] == 1.0
    with pytest.raises(StudentError, match="16 of 16 rows"):
        train.run(made.ready())


def test_wrong_key_in_the_config_is_named(made):
    (made.path / "curate.cfg").write_text("[row_filters]\n\n[gate]\nmax = 0.1\n")
    with pytest.raises(ConfigError, match=r"\[gate\] unknown key 'max'.*max_share"):
        export.run(made.ready())
