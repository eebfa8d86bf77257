"""A student of every kind of spaCy's own, finished, put into a pipeline that has other components: it scores as it did alone."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import spacy
from spacy.language import Language

from spacy_synthesizrr.students.config import StudentTask, read_student_config
from spacy_synthesizrr.students.export import write_docs
from spacy_synthesizrr.students.job import Job
from spacy_synthesizrr.students.quality.finishing import finish, temperature_of
from spacy_synthesizrr.students.rows import StudentRow
from spacy_synthesizrr.students.train import train_student

CONFIGS = Path(__file__).parents[2] / "configs"
ONE, SEVERAL = StudentTask(("sport", "business"), True, "en"), StudentTask(("sport", "business"), False, "en")
WORDS = {"sport": "goal match striker coach league".split(), "business": "bank shares profit market merger".split()}
KINDS = [(kind, task) for kind in ("bow", "ensemble", "reduce") for task in (ONE, SEVERAL)]
every_kind = pytest.mark.parametrize(("kind", "task"), KINDS, ids=lambda value: getattr(value, "component", value))


def sentences(number):
    """Every fifth says the other label, so that there is something to be unsure of."""
    for place in range(number):
        label = ONE.labels[place % 2]
        words = [WORDS[label][(place + shift) % 5] for shift in range(2)]
        yield f"The {' and the '.join(words)} of {place}.", ONE.labels[(place + (place % 5 == 0)) % 2]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Students by kind and task, each trained once for a few steps; tests only read them."""
    folder = tmp_path_factory.mktemp("kinds")
    for kind, number in (("train", 48), ("dev", 60)):
        rows = [StudentRow(f"{kind}:{place}", text, (label,)) for place, (text, label) in enumerate(sentences(number))]
        write_docs(rows, folder / f"{kind}.spacy", nlp=spacy.blank("en"), labels=ONE.labels)

    @cache
    def train(kind, task):
        job = Job("main", 0, 11, folder / "train.spacy", folder / "dev.spacy", folder / kind / task.component, "inputs")
        config = read_student_config(CONFIGS / f"student.{kind}.cfg", task)
        config["training"]["eval_frequency"] = 5
        return train_student(replace(job), config, task=task, has_dev=True).folder

    return train


@Language.component("tests_marks_length")
def marks_length(doc):
    doc.user_data["length"] = len(doc)
    return doc


def others():
    """A pipeline of somebody else, with a listener and a classifier of its own."""
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("tok2vec")
    nlp.add_pipe("tagger").add_label("NOUN")
    nlp.add_pipe("textcat", name="mood").add_label("glad")
    nlp.get_pipe("mood").add_label("sad")
    nlp.initialize()
    return nlp


@every_kind
@pytest.mark.parametrize("first", [True, None], ids=["first", "last"])
def test_sourced_beside_other_components_the_scores_are_the_same(trained, kind, task, first):
    alone = spacy.load(trained(kind, task))
    nlp = others()
    nlp.add_pipe(task.component, source=alone, name="topic", first=first)
    nlp.add_pipe("tests_marks_length", last=True)
    for text, _ in sentences(8):
        mine = nlp(text)
        assert {label: mine.cats[label] for label in task.labels} == alone(text).cats
        assert mine.cats.keys() == {"sport", "business", "glad", "sad"}


@every_kind
def test_a_pipeline_with_a_sourced_student_is_saved_and_loaded_with_its_scores(trained, kind, task, tmp_path):
    alone = spacy.load(trained(kind, task))
    nlp = others()
    nlp.add_pipe(task.component, source=alone, name="topic")
    nlp.to_disk(tmp_path / "both")
    loaded = spacy.load(tmp_path / "both")
    for text, _ in sentences(4):
        assert {label: loaded(text).cats[label] for label in task.labels} == alone(text).cats


@every_kind
def test_every_kind_is_calibrated_when_it_is_trained(trained, kind, task):
    nlp = spacy.load(trained(kind, task))
    found = nlp.meta["synthesizrr"]["finish"]
    assert (found["rows"], found["why"].startswith("Not calibrated")) == (60, False)
    assert temperature_of(nlp) != 1.0
    assert found["dev"]["nll_after"] <= found["dev"]["nll_before"] or "Every dev row is right" in found["why"]
    with pytest.raises(ValueError, match="finished"):
        finish(nlp, [], task)
