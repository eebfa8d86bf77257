"""Documents of a run folder."""

import json

import pytest

from spacy_synthesizrr.documents import read_document
from spacy_synthesizrr.errors import InputError, RunFolderError
from spacy_synthesizrr.jsonl import write_json
from spacy_synthesizrr.receipts import RunFolder


@pytest.fixture
def folder(tmp_path):
    write_json(tmp_path / "plan.json", {"v": 1, "labels": [{"sport": {"planned": 3}}]})
    return RunFolder(tmp_path)


def test_a_document_is_plain_json(folder):
    found = read_document(folder, "plan.json")
    assert found["labels"][0]["sport"]["planned"] == 3
    assert json.loads(json.dumps(found)) == found == {"v": 1, "labels": [{"sport": {"planned": 3}}]}


@pytest.mark.parametrize("find", [lambda found: found["wanted"], lambda found: found["labels"][0]["sport"]["wanted"]])
def test_a_key_that_an_older_release_did_not_write_names_the_step(folder, find):
    with pytest.raises(RunFolderError, match=r"plan.json has no 'wanted'.*Run the step 'plan' again.*receipts/plan.json"):
        find(read_document(folder, "plan.json"))


def test_a_missing_document_names_its_step(folder):
    with pytest.raises(InputError, match="Run the step 'train'"):
        read_document(folder, "student.json")
