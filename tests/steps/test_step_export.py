"""The step `export`: which arms get a train set, of which rows, and why the others get none."""

from __future__ import annotations

import pytest
import spacy
from spacy.tokens import DocBin
from student_run import StudentRun, passage_text, sentence

from spacy_synthesizrr.candidates import Seed
from spacy_synthesizrr.errors import RunFolderError
from spacy_synthesizrr.jsonl import write_jsonl
from spacy_synthesizrr.receipts import run_step
from spacy_synthesizrr.steps import export
from spacy_synthesizrr.students.export import ROW_ID


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A run with 8 accepted rows per label and both synthesized controls."""
    run = StudentRun.make(tmp_path)
    monkeypatch.setattr("spacy_synthesizrr.stores.opening.open_store", lambda ctx: run.store)
    run.accept(8)
    run.accept(8, arm="random")
    run.not_run("fewgen", "not run: this teacher only copies")
    return run


def docs(run, name):
    return list(DocBin().from_disk(run.folder.file(name)).get_docs(spacy.blank("en").vocab))


def test_every_arm_has_its_rows_or_its_reason(made):
    assert export.run(made.ready())
    told = {arm["name"]: arm["why"] or arm["rows"] for arm in made.json("export.json")["arms"]}
    assert told == {
        "main": 16,
        "seed-only": 4,
        "gold": "not run: the task names no train file",
        "retrieve-only": 16,
        "random": 16,
        "fewgen": "not run: this teacher only copies",
    }


def test_rows_are_counted_per_label(made):
    export.run(made.ready())
    found = made.json("export.json")
    assert made.arm("export.json", "main")["labels"] == {"sport": 8, "business": 8}
    assert found["dev"] == {"rows": 8, "labels": {"sport": 4, "business": 4}, "in_test": 0}
    assert found["test"] == {"rows": 12, "labels": {"sport": 6, "business": 6}}


def test_main_rows_carry_the_ids_of_their_candidates(made):
    export.run(made.ready())
    first, second = docs(made, "train.spacy")[:2]
    assert (first.text, first.cats) == (sentence("sport", 0), {"sport": 1.0, "business": 0.0})
    assert len(first.user_data[ROW_ID]) == 32 and first.user_data[ROW_ID] != second.user_data[ROW_ID]


def test_retrieve_only_rows_are_the_passages_of_the_main_rows(made):
    export.run(made.ready())
    main, retrieved = docs(made, "train.spacy"), docs(made, "controls/retrieve-only/train.spacy")
    assert [doc.user_data[ROW_ID] for doc in retrieved] == [doc.user_data[ROW_ID] for doc in main]
    assert [doc.text for doc in retrieved] == [passage_text(label, i) for i in range(8) for label in ("sport", "business")]
    assert [doc.cats for doc in retrieved] == [doc.cats for doc in main]


def test_rows_that_equal_their_passage_are_counted(made):
    export.run(made.ready())
    assert made.json("export.json")["copies"] == {"rows": 16, "equal": 4}


def test_test_rows_know_their_lines(made):
    export.run(made.ready())
    assert [doc.user_data[ROW_ID] for doc in docs(made, "test.spacy")][:2] == ["test:1", "test:2"]


def test_train_file_of_the_task_becomes_the_gold_arm(tmp_path, made):
    made.task.write_text(made.task.read_text() + "train: {path: train.jsonl}\n")
    made.labelled("train", 5, first=100)
    export.run(made.ready())
    assert made.arm("export.json", "gold")["rows"] == 10
    assert made.json("export.json")["gold_left_out"] == {"dev": 0, "test": 0}


def test_gold_rows_that_equal_a_dev_or_test_row_are_left_out_counted_and_said(made, capsys):
    made.task.write_text(made.task.read_text() + "train: {path: train.jsonl}\n")
    texts = [sentence("sport", 201).upper() + "  ", sentence("sport", 302), sentence("sport", 100), "A dull bank."]
    labels = ["sport", "sport", "sport", "business"]
    write_jsonl(made.path / "train.jsonl", [{"text": text, "label": label} for text, label in zip(texts, labels, strict=True)])
    export.run(made.ready())
    assert [doc.text for doc in docs(made, "controls/gold/train.spacy")] == texts[2:]
    assert made.json("export.json")["gold_left_out"] == {"dev": 1, "test": 1}
    assert "2 gold train rows equal a dev or test row and are left out (dev 1, test 1)." in capsys.readouterr().out


def test_train_file_that_is_the_test_file_gives_no_gold_arm(made):
    made.task.write_text(made.task.read_text() + "train: {path: test.jsonl}\n")
    export.run(made.ready())
    arm = made.arm("export.json", "gold")
    assert (arm["rows"], arm["why"]) == (0, "not run: no rows: all 12 equal a dev or test row")


def test_gold_arm_whose_rows_all_share_words_with_test_rows_says_so(made):
    made.task.write_text(made.task.read_text() + "train: {path: train.jsonl}\n")
    text = "The harbour club will play its cup match against the visitors on Sunday"
    write_jsonl(made.path / "train.jsonl", [{"text": f"{text}, they say.", "label": "sport"}])
    write_jsonl(made.path / "test.jsonl", [{"text": f"{text}.", "label": "sport"}, {"text": "A dull bank.", "label": "business"}])
    export.run(made.ready())
    assert made.arm("export.json", "gold")["why"] == "not run: no rows: all 1 give a dev or test row away"


def test_dev_rows_that_stand_in_test_are_counted_and_said(made, capsys):
    made.task.write_text(made.task.read_text().replace("path: dev.jsonl", "path: test.jsonl"))
    export.run(made.ready())
    assert made.json("export.json")["dev"]["in_test"] == 12
    assert "12 of 12 dev rows stand in test too" in capsys.readouterr().out


def test_seed_only_has_the_seeds_that_plan_used(made):
    first, second = sentence("sport", 0), sentence("business", 1)
    made.plan_seeds([Seed.make(["sport"], {"text": first}), Seed.make(["business"], {"text": second})])
    export.run(made.ready())
    assert [doc.text for doc in docs(made, "controls/seed-only/train.spacy")] == [first, second]


def test_plan_of_an_older_release_must_be_made_again(made):
    ctx = made.ready()
    made.folder.receipt_path("plan").unlink()
    run_step(made.folder, "plan", after=(), settings={}, outputs=(), body=dict)
    with pytest.raises(RunFolderError, match="seeds.jsonl.*Run the step 'plan' again"):
        export.run(ctx)


def test_control_without_rows_for_a_label_is_not_run_and_the_rest_is(made):
    made.accept(3, arm="random", labels=["sport"])
    export.run(made.ready())
    assert made.arm("export.json", "random")["why"] == "not run: no rows for label 'business'"
    assert made.arm("export.json", "retrieve-only")["run"]
    assert not made.folder.file("controls/random/train.spacy").exists()


def test_control_that_was_never_planned_says_so(made):
    made.folder.file("controls/random/accepted.jsonl").unlink()
    export.run(made.ready())
    assert made.arm("export.json", "random")["why"] == "not run: nothing was planned for this control"


def test_control_that_could_not_be_planned_says_what_plan_said(made):
    made.folder.file("controls/random/accepted.jsonl").unlink()
    ctx = made.ready()
    made.folder.receipt_path("plan").unlink()
    counts = {"not_planned": {"random": "not run: there is no passage"}}
    run_step(made.folder, "plan", after=(), settings={}, outputs=("seeds.jsonl",), body=lambda: counts)
    export.run(ctx)
    assert made.arm("export.json", "random")["why"] == "not run: there is no passage"


def test_control_that_the_strategy_leaves_out_is_not_exported(made):
    (made.path / "strategy.cfg").write_text('[plan]\n\n[plan.controls]\narms = ["seed-only"]\n')
    export.run(made.ready())
    assert made.arm("export.json", "random")["why"] == "not run: the strategy leaves this control out"


def test_task_without_seeds_has_no_seed_only_arm(made):
    made.without("seeds")
    export.run(made.ready())
    assert made.arm("export.json", "seed-only")["why"] == "not run: the task has label descriptions and no seeds"


def test_task_without_dev_and_test_gets_empty_sets(made):
    made.without("dev")
    made.without("test")
    export.run(made.ready())
    assert made.json("export.json")["test"]["rows"] == 0
    assert docs(made, "dev.spacy") == docs(made, "test.spacy") == []


def test_run_that_accepted_nothing_is_exported_as_it_is(made):
    made.accept(0)
    export.run(made.ready())
    assert (made.arm("export.json", "main")["rows"], made.arm("export.json", "retrieve-only")["why"]) == (0, "not run: no rows")


def test_second_run_does_nothing(made):
    export.run(made.ready())
    assert not export.run(made.ready())


def test_set_of_a_control_deleted_by_hand_comes_back(made):
    export.run(made.ready())
    made.folder.file("controls/retrieve-only/train.spacy").unlink()
    assert export.run(made.ready())
    assert len(docs(made, "controls/retrieve-only/train.spacy")) == 16


def test_control_that_is_not_run_any_more_loses_its_old_set(made):
    export.run(made.ready())
    made.not_run("random", "not run: this teacher only copies")
    export.run(made.ready())
    assert not made.folder.file("controls/random/train.spacy").exists()


def test_other_rows_give_another_receipt_and_equal_rows_the_same(made):
    export.run(made.ready())
    first = made.json("receipts/export.json")["outputs"]
    made.folder.file("train.spacy").unlink()
    export.run(made.ready())
    assert made.json("receipts/export.json")["outputs"] == first
    made.accept(7)
    export.run(made.ready())
    assert made.json("receipts/export.json")["outputs"] != first
