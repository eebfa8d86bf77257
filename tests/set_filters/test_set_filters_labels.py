"""Judges of labels on a run: wrong labels are found, nothing is judged by who saw it, and scores say whether they are calibrated."""

import json
import random
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from spacy_synthesizrr.candidates import ACCEPTED, Candidate, Event
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.curation.verdicts import SwitchedOff
from spacy_synthesizrr.embedders.lsa import make_lsa_embedder
from spacy_synthesizrr.embedders.none import make_no_embedder
from spacy_synthesizrr.errors import BudgetReached, ConfigError, TeacherError
from spacy_synthesizrr.jsonl import write_jsonl
from spacy_synthesizrr.labelled import read_seeds
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.receipts import RunFolder
from spacy_synthesizrr.set_filters import blind, evidence
from spacy_synthesizrr.set_filters.gold_rows import read_gold_rows
from spacy_synthesizrr.set_filters.labels import make_verify_labels
from spacy_synthesizrr.set_filters.running import Rows, SetInputs
from spacy_synthesizrr.taskfile import read_task
from spacy_synthesizrr.teachers import pipeline_for

WORDS = {
    "sport": "goal match striker coach league keeper stadium referee sprint medal".split(),
    "business": "bank shares profit market merger budget trade invoice tariff cargo".split(),
    "science": "cell orbit genome telescope fossil enzyme comet proton vaccine glacier".split(),
}
LABELS = list(WORDS)
TASK = """
name: news
labels: {sport: {verbalization: about sport}, business: {verbalization: about business}, science: {verbalization: about science}}
prompt: {instruction: "Write {verbalization}."}
corpus: {path: corpus.jsonl}
seeds: {path: seeds.jsonl}
train: {path: train.jsonl}
"""
TEACHER = '[teacher]\n@llm_models = "synthesizrr.Scripted.v1"\n'


def text(label, chance):
    return " ".join(["the", *chance.sample(WORDS[label], 4), f"and {chance.randrange(1000)}"])


class Store:
    """As much of a store as judges need."""

    def __init__(self, texts):
        self.embedder = make_lsa_embedder(dimensions=16)
        self.embedder.fit(texts or ["nothing"], seed=0)

    def close(self):
        """Nothing is open."""


class Run:
    """A run whose rows are there: `rows` are (label, text, label of the text)."""

    def __init__(self, path, *, seeds=8, per_seed=3, wrong=0.0, task=TASK, teacher=TEACHER, only_one=""):
        chance = random.Random(0)
        self.path = path
        (path / "task.yml").write_text(task)
        (path / "teacher.cfg").write_text(teacher)
        write_jsonl(path / "corpus.jsonl", [{"text": text(label, chance)} for label in LABELS])
        for kind, count in (("seeds", seeds), ("train", 20)):
            made = [{"text": text(label, chance), "label": label} for label in LABELS for _ in range(1 if label == only_one else count)]
            write_jsonl(path / f"{kind}.jsonl", made)
        spec = read_task(path / "task.yml")
        self.seeds, self.truth, rows = read_seeds(spec), [], []
        for seed in self.seeds:
            for draw in range(per_seed):
                [label] = seed.labels
                said = chance.choice([other for other in LABELS if other != label]) if chance.random() < wrong else label
                self.truth.append(said)
                planned = Candidate.plan(task="news", strategy="s", seed=seed, passage_id=f"p{draw}", draw=draw)
                rows.append(planned.after(Event("synthesize", ACCEPTED), fields={"text": text(said, chance)}))
        write_jsonl(path / "rows.jsonl", (row.to_dict() for row in rows))
        self.rows = Rows(path / "rows.jsonl")
        inputs = {
            "identity": {"task": str(path / "task.yml")},
            "settings": {"seed": 0, "lang": "en"},
            "configs": {"teacher": {"path": str(path / "teacher.cfg")}},
        }
        self.ctx = Context(RunFolder(path / "runs" / "r"), inputs)
        self.ctx.folder.path.mkdir(parents=True)
        store = Store([row.fields["text"] for row in rows])
        self.inputs = SetInputs(self.ctx, "main", path, Lookup(spec, store, self.seeds))

    def judge(self, **settings):
        """RETURNS: Verdicts and what is told."""
        judge = make_verify_labels(**settings).bind(self.inputs)
        return list(judge(self.rows)), judge.told()

    @property
    def own(self):
        return [row.labels[0] for row in self.rows]

    @property
    def wrong(self):
        return np.array([own != said for own, said in zip(self.own, self.truth, strict=True)])


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """72 rows, about one in five about something else than its label says."""
    return Run(tmp_path_factory.mktemp("noisy"), wrong=0.2)


@pytest.mark.parametrize("judges", [["student"], ["gold"], ["student", "gold"]])
def test_wrong_labels_get_the_lowest_scores(noisy, judges):
    verdicts, told = noisy.judge(judges=judges)
    scores = np.array([verdict.detail["label_score"] for verdict in verdicts])
    assert np.median(scores[noisy.wrong]) < 0.5 < np.median(scores[~noisy.wrong])
    assert told["pool"]["calibrated"] and told["right_share"] == pytest.approx((~noisy.wrong).mean(), abs=0.12)
    assert set(verdicts[0].detail["judges"]) == set(judges)


def test_review_only_marks(noisy):
    verdicts, told = noisy.judge()
    assert all(verdict.accepted and verdict.labels is None for verdict in verdicts)
    assert set(told["actions"]) == {"kept", "marked"} and sum(told["actions"].values()) == len(verdicts)
    assert told["scores"] and sum(told["scores"]) == len(verdicts)


def test_reject_takes_doubted_rows_away_with_their_score(noisy):
    verdicts, told = noisy.judge(action="reject")
    gone = [verdict for verdict in verdicts if not verdict.accepted]
    assert {verdict.reason for verdict in gone} == {"label_mismatch"}
    assert all(verdict.score == verdict.detail["label_score"] < 0.5 for verdict in gone)
    assert len(gone) == told["actions"]["rejected"] > 0


def test_relabel_gives_the_label_that_the_text_is_about(noisy):
    verdicts, told = noisy.judge(action="relabel")
    new = [(verdict, said, own) for verdict, said, own in zip(verdicts, noisy.truth, noisy.own, strict=True) if verdict.labels]
    assert len(new) == told["actions"]["relabelled"] > 5
    assert np.mean([verdict.labels == (said,) for verdict, said, _ in new]) > 0.9
    assert all(verdict.detail["relabelled_from"] == own and verdict.accepted for verdict, _, own in new)


def test_a_relabelled_row_has_the_score_of_its_new_label(noisy):
    new = [verdict.detail for verdict in noisy.judge(action="relabel", sure=0.7)[0] if verdict.labels]
    assert new and all(detail["label_score"] >= 0.7 and detail["score_before"] < 0.5 for detail in new)
    assert all(detail["judges"]["student"] > 0.3 for detail in new)  # what the judges say is of the new label, too


def test_rows_of_a_control_are_marked_and_not_relabelled(noisy):
    judge = make_verify_labels(action="relabel").bind(replace(noisy.inputs, arm="random"))
    assert not any(verdict.labels for verdict in judge(noisy.rows))
    assert judge.told()["acted"] == "review" and judge.told()["actions"]["marked"]


def test_what_is_told_is_json_without_texts(noisy):
    _, told = noisy.judge()
    words = json.dumps(told)
    assert not any(row.fields["text"] in words or row.id in words for row in noisy.rows)
    assert told["folds"] == {"count": 5, "by": "seed"}
    assert told["labelled"] == {"rows": 24, "seeds": 24, "train": 0}


def test_what_is_said_at_the_console_is_how_many_rows_are_doubtful_and_what_scores_are_worth(noisy):
    _, told = noisy.judge()
    count = told["actions"]["marked"]
    assert (
        told["said"] == f"Labels: {count} of 72 rows are doubtful (below 0.5: {count} marked); scores are calibrated on 24 labelled rows."
    )


def test_the_share_of_right_labels_comes_with_its_rows_and_an_interval(noisy):
    _, told = noisy.judge()
    assert told["right_rows"] == 72 and told["right_interval"][0] <= told["right_share"] <= told["right_interval"][1]


def test_judges_that_guess_decide_nothing(tmp_path, monkeypatch):
    random = np.random.default_rng(0)

    def guess(texts, assigned, labelled, gold, teach, *, folds, exclusive):
        return random.normal(size=assigned.shape), random.normal(size=gold.shape)

    monkeypatch.setattr(evidence, "student_evidence", guess)
    verdicts, told = Run(tmp_path).judge(judges=["student"], action="reject", threshold=0.99)
    assert told["pool"]["by_chance"] and set(told["actions"]) <= {"kept", "marked"} and all(verdict.accepted for verdict in verdicts)
    assert "no better than chance" in told["said"] and "only marked" in told["said"]


def test_a_label_with_one_seed_is_not_judged_by_a_student_that_never_met_it(tmp_path):
    run = Run(tmp_path, seeds=12, only_one="science")
    verdicts, told = run.judge(judges=["student"], action="reject")
    science = [verdict for verdict, own in zip(verdicts, run.own, strict=True) if own == "science"]
    assert all(verdict.detail.get("unjudged") and verdict.accepted for verdict in science) and told["unjudged"] == len(science) == 3
    assert told["folds"]["by"] == "seed" and told["pool"]["why"] == "some label has 0 labelled rows; 3 are needed"


def test_a_train_row_that_says_what_a_seed_says_does_not_confirm_it(tmp_path):
    run = Run(tmp_path)
    seeds = [json.loads(line) for line in (tmp_path / "seeds.jsonl").read_text().splitlines()]
    write_jsonl(tmp_path / "train.jsonl", [{**row, "text": row["text"].upper()} for row in seeds] + [{"text": "new", "label": "sport"}] * 2)
    assert run.judge(labelled=["seeds", "train"])[1]["labelled"] == {"rows": 25, "seeds": 24, "train": 1}


def test_the_same_rows_give_the_same_verdicts(noisy):
    assert noisy.judge()[0] == noisy.judge()[0]


def test_no_student_sees_the_row_that_it_judges_nor_its_seed_or_siblings(noisy, monkeypatch):
    seen = []

    def spy(texts, assigned, labelled, gold, teach, *, folds, exclusive):
        seen.append((list(texts), list(labelled), folds, list(teach)))
        return np.zeros_like(assigned), np.zeros_like(gold)

    monkeypatch.setattr(evidence, "student_evidence", spy)
    noisy.judge(judges=["student"])
    [(_, _, folds, teach)] = seen
    of_seed = dict(zip([seed.id for seed in noisy.seeds], folds.labelled, strict=True))
    assert [of_seed[row.seed_id] for row in noisy.rows] == list(folds.rows) and all(teach)


def test_a_rows_own_seed_is_no_neighbour_of_it(noisy, monkeypatch):
    asked = []

    class Spy(evidence.Neighbours):
        def evidence(self, rows):
            rows = list(rows)
            asked.append([own for own, _ in rows])
            return super().evidence(rows)

    monkeypatch.setattr(evidence, "Neighbours", Spy)
    noisy.judge(judges=["gold"])
    assert asked[0] == [row.seed_id for row in noisy.rows]
    assert asked[1] == [seed.id for seed in noisy.seeds]


def test_train_rows_are_read_only_where_the_config_says_so(noisy):
    noisy.path.joinpath("train.jsonl").rename(noisy.path / "away.jsonl")
    try:
        noisy.judge()
    finally:
        noisy.path.joinpath("away.jsonl").rename(noisy.path / "train.jsonl")
    assert noisy.judge(labelled=["seeds", "train"])[1]["labelled"] == {"rows": 84, "seeds": 24, "train": 60}


def test_train_rows_calibrate_the_student_but_never_teach_it(noisy, monkeypatch):
    seen = []
    real = evidence.student_evidence
    monkeypatch.setattr(evidence, "student_evidence", lambda *args, **how: seen.append(args[4]) or real(*args, **how))
    noisy.judge(judges=["student"], labelled=["seeds", "train"])
    assert seen == [[True] * 24 + [False] * 60]


def test_with_descriptions_for_seeds_nothing_is_calibrated_and_that_is_said(tmp_path):
    run = Run(tmp_path, task=TASK.replace("seeds: {path: seeds.jsonl}\n", ""), per_seed=12)
    verdicts, told = run.judge()
    assert told["pool"]["calibrated"] is False and told["pool"]["why"] == "there are no labelled rows"
    assert told["off"] == {"gold": "there are no labelled rows"} and told["folds"]["by"] == "row"
    assert all("label_score" in verdict.detail for verdict in verdicts)


def test_an_arm_without_rows_says_so(tmp_path):
    run = Run(tmp_path, per_seed=0)
    verdicts, told = run.judge()
    assert verdicts == [] and told["judges"] == {} and "student" in told["off"]
    assert told["said"] == "Labels were not checked: student: there are no rows; gold: there are no rows."


def test_an_index_without_embedder_leaves_the_student_to_judge(tmp_path):
    run = Run(tmp_path)
    run.inputs.lookup.store.embedder = make_no_embedder()
    verdicts, told = run.judge()
    assert set(told["judges"]) == {"student"} and "has no embedder" in told["off"]["gold"]
    assert "The judge 'gold' says nothing: texts cannot be embedded here" in told["said"] and len(verdicts) == 72


def with_texts(run, text):
    """All rows and seeds say the same."""
    write_jsonl(run.path / "rows.jsonl", [replace(row, fields={"text": text}).to_dict() for row in run.rows])
    seeds = [replace(seed, fields={"text": text}) for seed in run.inputs.lookup.seeds.values()]
    run.inputs = replace(run.inputs, lookup=Lookup(run.inputs.task, run.inputs.lookup.store, seeds))


def test_texts_without_a_word_are_judged_by_no_student(tmp_path):
    run = Run(tmp_path)
    with_texts(run, "!!!")
    verdicts, told = run.judge(judges=["student"], action="reject")
    assert all(verdict.accepted and verdict.detail["unjudged"] for verdict in verdicts) and told["unjudged"] == len(verdicts) == 72


def test_a_task_of_one_label_has_nothing_to_check(tmp_path):
    run = Run(tmp_path)
    one = run.inputs.task.model_copy(update={"labels": {"sport": run.inputs.task.labels["sport"]}})
    seeds = [seed for seed in run.seeds if seed.labels == ("sport",)]
    found = make_verify_labels().bind(replace(run.inputs, lookup=Lookup(one, run.inputs.lookup.store, seeds)))
    assert isinstance(found, SwitchedOff) and "one label" in found.reason


def test_a_row_is_given_no_label_set_that_the_task_does_not_know(tmp_path):
    sets = "exclusive: false\nlabel_sets: [[sport], [business, science]]\nlabels:"
    run = Run(tmp_path, wrong=0.3)
    run.inputs = replace(run.inputs, lookup=Lookup(in_sets(run, "exclusive: false\nlabels:"), run.inputs.lookup.store, run.seeds))
    free = {verdict.labels for verdict in run.judge(action="relabel")[0]}
    run.inputs = replace(run.inputs, lookup=Lookup(in_sets(run, sets), run.inputs.lookup.store, run.seeds))
    known = {verdict.labels for verdict in run.judge(action="relabel")[0]}
    assert ("business",) in free and known <= {None, ("sport",), ("business", "science")}


def in_sets(run, said):
    """RETURNS: The task with other words in the place of `labels:`."""
    path = run.path / "other.yml"
    path.write_text(TASK.replace("labels:", said, 1))
    return read_task(path)


def test_rows_of_one_error_are_held_back_together(tmp_path):
    """A seed that a loop made of an error has a text as any seed has; only descriptions have none in common with their rows."""
    run = Run(tmp_path, per_seed=4)
    errors = [replace(seed, origin="error") for seed in run.seeds]
    panel = evidence.Panel(replace(run.inputs, lookup=Lookup(run.inputs.task, None, errors)), ("student",), 5, None, 0)
    ids = [(row.id, row.seed_id) for row in run.rows]
    folds = panel._folds(ids, read_gold_rows(panel.inputs, ["seeds"])).rows
    assert all(len({fold for fold, (_, own) in zip(folds, ids, strict=True) if own == seed.id}) == 1 for seed in errors)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"judges": ["studnet"]}, "Did you mean 'student'"),
        ({"judges": []}, "at least one"),
        ({"labelled": ["test"]}, "labelled has 'test'"),
        ({"action": "drop"}, "action has 'drop'"),
        ({"threshold": 2.0}, "threshold must lie"),
        ({"folds": 1}, "folds must be at least 2"),
        ({"draws": 33}, "draws must be at most 32"),
    ],
)
def test_wrong_settings_are_config_errors(settings, message):
    with pytest.raises(ConfigError, match=message):
        make_verify_labels(**settings)


# ── the teacher as a judge ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_blind_teacher_is_asked_about_rows_and_labelled_rows(tmp_path):
    run = Run(tmp_path, seeds=7, per_seed=1, teacher=f'{TEACHER}answers = ["sport"]\n')
    verdicts, told = run.judge(judges=["teacher"], draws=2, teacher_rows=21)
    assert told["judges"]["teacher"]["rows"] == 21 and told["judges"]["teacher"]["accuracy"] == pytest.approx(1 / 3, abs=0.01)
    assert told["pool"]["weights"]["teacher"] < 0.2  # it always says the same, and calibration finds that out
    assert verdicts[0].detail["judges"]["teacher"] > verdicts[-1].detail["judges"]["teacher"]


def test_what_was_judged_is_not_asked_again(tmp_path):
    from spacy_synthesizrr.models.answers.responses import ResponseStore

    run = Run(tmp_path, per_seed=1, teacher=f'{TEACHER}answers = ["sport", "business"]\n')
    first = run.judge(judges=["teacher"])[0]
    with closing(ResponseStore(run.ctx.folder.file("answers.sqlite"))) as store:
        kept = len(store)
    assert run.judge(judges=["teacher"])[0] == first
    with closing(ResponseStore(run.ctx.folder.file("answers.sqlite"))) as store:
        assert len(store) == kept == 3 * (24 + 24)


def test_the_pipeline_of_the_teacher_is_built_once(tmp_path, monkeypatch):
    built = []
    monkeypatch.setattr(blind, "pipeline_for", lambda *given, **how: built.append(given) or pipeline_for(*given, **how))
    run = Run(tmp_path, per_seed=1, teacher=f'{TEACHER}answers = ["sport"]\n')
    _, told = run.judge(judges=["teacher"], draws=1)
    assert len(built) == 1 and told["judges"]["teacher"]["rows"] == len(run.seeds)


def test_a_teacher_that_only_copies_is_off(tmp_path):
    run = Run(tmp_path, teacher='[teacher]\n@llm_models = "synthesizrr.Extractive.v1"\n')
    found = make_verify_labels(judges=["teacher"]).bind(run.inputs)
    assert isinstance(found, SwitchedOff) and "only copies" in found.reason
    assert run.judge(judges=["gold", "teacher"])[1]["off"] == {"teacher": "this teacher only copies and can judge nothing"}


def test_answers_that_name_no_label_are_counted_and_are_no_evidence(tmp_path):
    run = Run(tmp_path, per_seed=1, teacher=f'{TEACHER}answers = ["I cannot say"]\n')
    _, told = run.judge(judges=["gold", "teacher"], draws=1)
    assert told["failed_votes"] == {"malformed": 48}
    assert "The judge 'teacher' says nothing: none of its answers was a label." in told["said"]


def test_a_partial_outage_leaves_the_step_unfinished(tmp_path):
    run = Run(tmp_path, per_seed=1, teacher=f'{TEACHER}answers = ["sport"]\n[teacher.fail]\nevery = 4\nkind = "timeout"\n')
    verdicts, told = run.judge(judges=["teacher"], draws=1)
    assert told["unfinished"] and "run `curate` again" in told["said"] and set(told["failed_votes"]) == {"timeout"}
    lost = [verdict for verdict in verdicts if verdict.detail.get("unjudged")]
    assert len(lost) == told["unjudged"] == 6


def test_an_outage_stops_the_step(tmp_path):
    run = Run(tmp_path, per_seed=1, teacher=f'{TEACHER}[teacher.fail]\nevery = 1\nkind = "timeout"\n')
    with pytest.raises(TeacherError, match=r"All questions to the judge of labels failed \(timeout 72\)"):
        run.judge(judges=["teacher"])


def test_a_budget_that_is_used_up_stops_the_step(tmp_path):
    run = Run(tmp_path, per_seed=1, teacher=f'{TEACHER}[teacher.fail]\nevery = 5\nkind = "budget"\n')
    with pytest.raises(BudgetReached, match="used up while labels are judged"):
        run.judge(judges=["teacher"])
