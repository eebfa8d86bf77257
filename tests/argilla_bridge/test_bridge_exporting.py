import json
import warnings

import pytest
from review_room import candidate, task

from argilla_bridge.rounds.exporting import write_datasets
from argilla_bridge.rounds.pulling import reviewed
from argilla_bridge.rows import Decision, Vote
from spacy_synthesizrr.errors import InputError
from spacy_synthesizrr.jsonl import write_jsonl
from spacy_synthesizrr.taskfile import TaskSpec

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    datasets = pytest.importorskip("datasets")
parquet = pytest.importorskip("pyarrow.parquet")

VOTES = [
    Vote("r1", "ann", "submitted", ("sport",), updated_at="2026-01-01T10:00:00Z"),
    Vote("r1", "bob", "discarded", reason="=HYPERLINK()"),
    Vote("r2", "ann", "draft", ("science", "sport"), text="Überschrift\nmit Zeilen"),
]


def make(folder, spec, number=3):
    decisions = [
        Decision("accepted", ("science",), "A corrected text.", "human", 2, 0.5), Decision("accepted", ("sport",), "", "human", 1, 1.0),
        Decision("unreviewed"),
    ]  # fmt: skip
    rows = [reviewed(candidate(place), decisions[min(place, 2)], spec) for place in range(number)]
    write_jsonl(folder / "reviewed.jsonl", (row.to_dict() for row in rows))
    write_jsonl(folder / "votes.jsonl", (vote.to_dict() for vote in VOTES))


def test_votes_as_parquet(tmp_path):
    make(tmp_path, task())
    assert write_datasets(tmp_path, task=task())["votes"] == 3
    rows = parquet.read_table(tmp_path / "votes.parquet").to_pylist()
    assert [Vote.from_dict(row) for row in rows] == VOTES


def test_reviewed_rows_as_a_data_set(tmp_path):
    make(tmp_path, task())
    assert write_datasets(tmp_path, task=task())["rows"] == 3
    made = datasets.load_from_disk(str(tmp_path / "dataset"))
    assert made.features["labels"].names == ["sport", "science", "cooking"]
    assert made[0] == {
        "candidate": "c0", "text": "A corrected text.", "labels": 1, "label_source": "human", "annotators": 2, "agreement": 0.5,
        "suggested": ["sport"], "text_before": "Text number 0.",
    }  # fmt: skip
    assert (made[1]["label_source"], made[2]["label_source"], made[2]["agreement"]) == ("human", "unreviewed", None)


def test_label_sets_stay_sets(tmp_path):
    spec = task(exclusive=False)
    rows = [reviewed(candidate(0, "sport", "science"), Decision("unreviewed"), spec)]
    write_jsonl(tmp_path / "reviewed.jsonl", (row.to_dict() for row in rows))
    write_jsonl(tmp_path / "votes.jsonl", [])
    write_datasets(tmp_path, task=spec)
    assert datasets.load_from_disk(str(tmp_path / "dataset"))[0]["labels"] == ["sport", "science"]


def test_a_text_field_may_have_the_name_of_a_column(tmp_path):
    spec = TaskSpec.model_validate({**task().model_dump(by_alias=True), "fields": [{"name": "labels", "generated": True}]})
    row = candidate(0)
    row = row.after(row.events[-1], fields={"labels": "A text."})
    write_jsonl(tmp_path / "reviewed.jsonl", [reviewed(row, Decision("unreviewed"), spec).to_dict()])
    write_jsonl(tmp_path / "votes.jsonl", [])
    write_datasets(tmp_path, task=spec)
    made = datasets.load_from_disk(str(tmp_path / "dataset"))[0]
    assert (made["labels_"], made["labels"]) == ("A text.", 0)


def test_writing_again_replaces_and_leaves_nothing_behind(tmp_path):
    make(tmp_path, task())
    write_datasets(tmp_path, task=task())
    first = {path.name: path.read_bytes() for path in (tmp_path / "dataset").iterdir()}
    write_datasets(tmp_path, task=task())
    assert {path.name: path.read_bytes() for path in (tmp_path / "dataset").iterdir()} == first
    make(tmp_path, task(), number=5)
    assert write_datasets(tmp_path, task=task())["rows"] == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dataset", "reviewed.jsonl", "votes.jsonl", "votes.parquet"]


def test_nothing_is_told_on_the_terminal(tmp_path, capfd):
    make(tmp_path, task())
    write_datasets(tmp_path, task=task())
    assert capfd.readouterr() == ("", "")


def test_before_a_pull_there_is_nothing_to_write(tmp_path):
    with pytest.raises(InputError, match="votes.jsonl"):
        write_datasets(tmp_path, task=task())


def test_no_votes_make_empty_files(tmp_path):
    make(tmp_path, task(), number=1)
    (tmp_path / "votes.jsonl").write_text("")
    assert write_datasets(tmp_path, task=task()) == {"votes": 0, "rows": 1}
    assert parquet.read_table(tmp_path / "votes.parquet").num_rows == 0
    assert json.loads((tmp_path / "dataset" / "dataset_info.json").read_text())


def test_without_rows_there_is_no_data_set(tmp_path):
    make(tmp_path, task(), number=1)
    write_datasets(tmp_path, task=task())
    make(tmp_path, task(), number=0)
    assert write_datasets(tmp_path, task=task()) == {"votes": 3, "rows": 0}
    assert not (tmp_path / "dataset").exists()
