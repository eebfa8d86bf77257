import copy

import pytest
from report_numbers import HOSTILE, NUMBERS
from ruamel.yaml import YAML

from spacy_synthesizrr.report.dataset_card import dataset_card
from spacy_synthesizrr.taskfile import LabelSpec


class Task:
    """What the card reads of a task."""

    name, exclusive = "Tiny task", True
    labels = {"sport": LabelSpec(verbalization="about sport", definition="Matches."), "science": LabelSpec(verbalization="about science")}


def numbers(**changes):
    return {**copy.deepcopy(NUMBERS), **changes}


def front(card):
    return YAML(typ="safe").load(card.split("---\n")[1])


def test_the_front_matter_is_what_the_hub_reads():
    found = front(dataset_card(Task, numbers()))
    assert found["language"] == ["en"] and found["task_categories"] == ["text-classification"]
    assert found["size_categories"] == ["n<1K"] and found["pretty_name"] == "Tiny task, synthetic"
    assert found["configs"] == [{"config_name": "default", "data_files": [{"split": "train", "path": "data/train.jsonl"}]}]
    assert "license" not in found


@pytest.mark.parametrize(
    ("rows", "size"), [(999, "n<1K"), (1000, "1K<n<10K"), (99_999, "10K<n<100K"), (100_000, "100K<n<1M"), (5_000_000, "1M<n<10M")]
)
def test_the_size_is_a_word_of_the_hub(rows, size):
    arms = copy.deepcopy(NUMBERS["arms"])
    arms[0]["rows"] = rows
    assert front(dataset_card(Task, numbers(arms=arms)))["size_categories"] == [size]


def test_the_card_tells_how_rows_were_made_and_what_they_are_worth():
    card = dataset_card(Task, numbers())
    for part in (
        "12 synthetic rows", "| sport | Matches. | 1 |", "| near\\_copy | synthesize | 1 |", "| failed: timeout | synthesize | 1 |",
        "The student does not beat seed-only.", "70.0 to 81.0", "1 passages that share text", "only copies", "extractive",
    ):  # fmt: skip
        assert part in card


def test_a_run_without_students_has_a_card():
    card = dataset_card(Task, numbers(arms=[], evaluation=None, findings=[]))
    assert "1 synthetic rows" in card and "What a classifier learns" not in card


def test_words_of_others_stay_words():
    class Hostile(Task):
        name, labels = f"a: b\n- {HOSTILE}", {HOSTILE: LabelSpec(verbalization="x", definition=HOSTILE)}

    card = dataset_card(Hostile, numbers())
    assert front(card)["pretty_name"] == f"a: b\n- {HOSTILE}, synthetic"
    body = card.split("---\n", 2)[2]
    assert "<script" not in body.replace("\\<", "") and "<img" not in body.replace("\\<", "")


def test_configs_by_path_are_named_without_their_folders():
    asked = {
        **NUMBERS["asked"],
        "teacher": "/home/ann/secret/our.cfg",
        "strategy": "runs/g/a.seed0/configs/strategy.cfg",
        "student": "x/bow.cfg",
    }
    card = dataset_card(Task, numbers(asked=asked))
    assert "| teacher | our |" in card and "| strategy | strategy |" in card and "Student `bow`" in card
    assert "secret" not in card and "runs/" not in card
