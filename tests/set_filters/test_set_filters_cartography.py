"""Dataset cartography: a student is watched while it learns, and rows go by what it made of them."""

import random
import shutil

import numpy as np
import pytest
import spacy
from conftest import ROOT

from spacy_synthesizrr.candidates import ACCEPTED, Candidate, Event, Seed
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.jsonl import write_jsonl
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.receipts import RunFolder
from spacy_synthesizrr.set_filters import cartography
from spacy_synthesizrr.set_filters.cartography import cells, make_cartography
from spacy_synthesizrr.set_filters.running import Rows, SetInputs
from spacy_synthesizrr.students.cartography import Dynamics, Map, data_map, own_label
from spacy_synthesizrr.students.config import StudentTask, read_student_config
from spacy_synthesizrr.students.export import write_docs
from spacy_synthesizrr.students.readers import read_texts
from spacy_synthesizrr.students.rows import StudentRow
from spacy_synthesizrr.taskfile import read_task

WORDS = {"sport": "goal match striker coach league".split(), "business": "bank profit merger budget trade".split()}
TASK = StudentTask(tuple(WORDS), True, "en")
CONFIG = ROOT / "configs" / "student.bow.cfg"
TASK_FILE = """
name: t
labels: {sport: {verbalization: about sport}, business: {verbalization: about business}}
prompt: {instruction: "Write {verbalization}."}
"""


def texts(count, *, wrong=0):
    """Label and text; the first `wrong` rows of each label have a text of the other one."""
    chance = random.Random(0)
    for label, other in (("sport", "business"), ("business", "sport")):
        for number in range(count):
            yield label, " ".join(chance.choices(WORDS[other if number < wrong else label], k=6))


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    """A run of two labels in a project folder, with 40 rows of which 3 of each label are wrong."""
    (tmp_path / "configs").mkdir()
    shutil.copy(CONFIG, tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "task.yml").write_text(TASK_FILE)
    rows = []
    for number, (label, text) in enumerate(texts(20, wrong=3)):
        planned = Candidate.plan(task="t", strategy="s", seed=Seed.make([label], {"text": "seed"}), passage_id=f"p{number}")
        rows.append(planned.after(Event("synthesize", ACCEPTED), fields={"text": text}).to_dict())
    write_jsonl(tmp_path / "rows.jsonl", rows)
    task = read_task(tmp_path / "task.yml")
    ctx = Context(RunFolder(tmp_path / "run"), {"settings": {"seed": 0, "lang": "en"}, "identity": {"task": str(tmp_path / "task.yml")}})
    return SetInputs(ctx, "main", tmp_path, Lookup(task, None, []))


def judge(inputs, **settings):
    made = make_cartography(**{"learn_rate": 0.05, **settings}).bind(inputs)
    return list(made(Rows(inputs.folder / "rows.jsonl"))), made.told()


def test_rows_whose_label_a_student_does_not_come_to_believe_go(inputs):
    verdicts, told = judge(inputs, share=0.85)
    gone = [number for number, verdict in enumerate(verdicts) if not verdict.accepted]
    assert gone == [0, 1, 2, 20, 21, 22]
    assert {verdict.reason for verdict in verdicts} == {"", "low_confidence"}
    assert (told["rows"], told["kept"], told["labels"]["sport"]["kept"]) == (40, 34, 17)


def test_every_row_gets_its_three_numbers(inputs):
    verdicts, _ = judge(inputs)
    assert all(set(verdict.detail) == {"confidence", "variability", "correctness"} for verdict in verdicts)
    assert all(0 <= verdict.detail["confidence"] <= 1 and 0 <= verdict.detail["variability"] <= 0.5 for verdict in verdicts)


def test_without_a_rule_all_rows_stay_and_are_only_marked(inputs):
    verdicts, told = judge(inputs, keep=None)
    assert all(verdict.accepted and verdict.detail for verdict in verdicts) and told["kept"] == 40


def test_a_range_of_correctness(inputs):
    verdicts, _ = judge(inputs, keep="correctness", share=None, low=0.9)
    assert all(verdict.accepted == (verdict.detail["correctness"] >= 0.9) for verdict in verdicts)
    assert {verdict.reason for verdict in verdicts} == {"", "low_correctness"}


def test_the_map_tells_every_row_and_leaves_no_file(inputs):
    _, told = judge(inputs)
    assert sum(cell[2] for about in told["labels"].values() for cell in about["map"]) == 40
    assert not list(inputs.folder.rglob("*cartography*"))


def test_what_a_killed_map_leaves_lies_where_the_next_step_clears_away(inputs, monkeypatch):
    found = []
    monkeypatch.setattr(cartography, "data_map", lambda train, *given, **how: found.append(train) or data_map(train, *given, **how))
    judge(inputs)
    assert found[0].relative_to(inputs.folder).parts[0] == ".curating.part"  # see receipts.locked


def test_a_map_on_which_all_rows_lie_together_is_told(inputs):
    _, told = judge(inputs, learn_rate=1e-6)
    assert told["spread"] < 0.1 and "learn_rate" in told["said"]
    assert judge(inputs)[1]["said"] == ""


def test_curate_is_done_again_when_the_students_config_changes():
    assert [path.as_posix() for path in make_cartography(student="ensemble").files] == ["configs/student.ensemble.cfg"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"keep": "confidense"}, "Did you mean 'confidence'"),
        ({"share": 1.5}, "share must lie"),
        ({"epochs": 1}, "at least 2"),
        ({"learn_rate": 0.0}, "above 0"),
    ],
)
def test_wrong_settings_are_config_errors(settings, message):
    with pytest.raises(ConfigError, match=message):
        make_cartography(**settings)


def test_measures_are_over_epochs_with_the_population_standard_deviation(tmp_path, monkeypatch):
    """Confidence is the mean, variability the standard deviation with ddof = 0, correctness the share of epochs with the label on top."""
    dynamics = Dynamics(tmp_path, TASK)
    said = iter([[0.2, 0.9], [0.6, 0.9], [0.7, 0.3]])
    monkeypatch.setattr(
        Dynamics, "_batches", lambda self, nlp: [own_label(np.array([[p, 1 - p] for p in next(said)]), np.eye(2)[[0, 0]], exclusive=True)]
    )
    for epoch in (0, 0, 1, 1, 2):
        dynamics.before_update(None, {"step": 0, "epoch": epoch})
    dynamics.end(None)
    found = dynamics.map()
    assert found.confidence == pytest.approx([0.5, 0.7])
    assert found.variability == pytest.approx([np.std([0.2, 0.6, 0.7]), np.std([0.9, 0.9, 0.3])])
    assert found.correctness == pytest.approx([2 / 3, 2 / 3])


def test_several_labels_count_together():
    sure, right = own_label(np.array([[0.9, 0.2], [0.6, 0.6]]), np.array([[1.0, 0.0], [1.0, 0.0]]), exclusive=False)
    assert sure == pytest.approx([0.85, 0.5]) and right.tolist() == [True, False]


def test_the_same_training_gives_the_same_map_and_shards_are_read_as_one_set(tmp_path):
    rows = [StudentRow(str(number), text, (label,)) for number, (label, text) in enumerate(texts(10))]
    nlp, config = spacy.blank("en"), read_student_config(CONFIG, TASK)
    write_docs(rows, tmp_path / "one.spacy", nlp=nlp, labels=list(WORDS))
    write_docs(rows, tmp_path / "many.spacy", nlp=nlp, labels=list(WORDS), shard_rows=6)
    read_texts.cache_clear()
    found = [data_map(tmp_path / name, config, task=TASK, seed=0, epochs=3) for name in ("one.spacy", "one.spacy", "many.spacy")]
    assert read_texts.cache_info().currsize == 0  # rows are streamed, and none are found in the place of another set's
    assert found[0].confidence.tolist() == found[1].confidence.tolist()
    assert len(found[2].confidence) == 20 and (tmp_path / "many.spacy").is_dir()


def test_a_learning_rate_that_falls_with_the_steps_lasts_to_the_last_epoch(tmp_path):
    rows = [StudentRow(str(number), text, (label,)) for number, (label, text) in enumerate(texts(40))]
    config = read_student_config(CONFIG, TASK)
    rate = {"@schedules": "warmup_linear.v1", "initial_rate": 0.05, "warmup_steps": 1, "total_steps": 10}
    config["training"]["optimizer"]["learn_rate"] = rate
    write_docs(rows, tmp_path / "rows.spacy", nlp=spacy.blank("en"), labels=list(WORDS))
    found = data_map(tmp_path / "rows.spacy", config, task=TASK, seed=0, epochs=4)
    assert found.variability.mean() > 0.01 and found.correctness.mean() > 0.9


def test_cells_count_rows_and_average_their_correctness():
    where = Map(np.array([0.99, 0.99, 0.1]), np.array([0.0, 0.01, 0.5]), np.array([1.0, 0.5, 0.0]))
    assert cells(where, np.ones(3, dtype=bool)) == [[24, 2, 1, 0.0], [0, 24, 2, 0.75]]
