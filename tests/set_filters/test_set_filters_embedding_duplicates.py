"""Rows that say the same in other words, by vectors."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.candidates import ACCEPTED, Candidate, Event, Seed
from spacy_synthesizrr.curation.verdicts import SwitchedOff, Verdict
from spacy_synthesizrr.embedders.none import NoEmbedder
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.jsonl import write_jsonl
from spacy_synthesizrr.set_filters import embedding_duplicates
from spacy_synthesizrr.set_filters.embedding_duplicates import make_embedding_duplicate, neighbours, sort_out
from spacy_synthesizrr.set_filters.running import Rows, SetInputs
from spacy_synthesizrr.taskfile import read_task

PAIR = read_task(Path(__file__).parents[1] / "fixtures" / "pair")


class Angles:
    """A text is an angle in degrees."""

    id = "angles"

    def embed(self, texts):
        radians = np.radians([float(text) for text in texts])
        return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def judged(tmp_path, angles, premises=None, *, embedder=None, **options):
    seed = Seed.make(["entailment"], {"hypothesis": "seed"})
    rows = [Candidate.plan(task="t", strategy="s", seed=seed, passage_id=f"p{number}") for number in range(len(angles))]
    fields = [{"hypothesis": str(angle), "premise": (premises or angles)[at] if premises else "p"} for at, angle in enumerate(angles)]
    done = [row.after(Event("synthesize", ACCEPTED), fields=some) for row, some in zip(rows, fields, strict=True)]
    write_jsonl(tmp_path / "rows.jsonl", (row.to_dict() for row in done))
    lookup = SimpleNamespace(task=PAIR, store=SimpleNamespace(embedder=embedder or Angles()))
    judge = make_embedding_duplicate(**options).bind(SetInputs(ctx=None, arm="main", folder=tmp_path, lookup=lookup))
    if isinstance(judge, SwitchedOff):
        return judge, [], []
    return judge, list(judge(Rows(tmp_path / "rows.jsonl"))), [row.id for row in rows]


def test_of_two_near_rows_the_later_goes_and_names_the_other(tmp_path):
    judge, verdicts, ids = judged(tmp_path, [0, 90, 5])
    assert [verdict.accepted for verdict in verdicts] == [True, True, False]
    assert verdicts[2] == Verdict(False, "same_meaning", 0.9962, {"neighbour": ids[0], "neighbour_similarity": 0.9962})
    assert judge.told() == {"rows": 3, "gone": 1, "threshold": 0.95, "embedder": "angles"}


def test_equal_vectors_are_as_near_as_can_be():
    vectors = np.random.default_rng(0).normal(size=(1, 384)).astype(np.float32).repeat(50, axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert sort_out(vectors, np.zeros(50, dtype=np.int64), 1.0)[2].sum() == 1


def test_row_that_goes_blocks_no_other(tmp_path):
    _, verdicts, _ = judged(tmp_path, [0, 15, 30], threshold=0.96)
    assert [verdict.accepted for verdict in verdicts] == [True, False, True]


def test_rows_that_stay_learn_their_nearest_neighbour_among_those_that_stay(tmp_path):
    _, verdicts, ids = judged(tmp_path, [0, 5, 60, 80])
    assert [verdict.detail.get("neighbour") for verdict in verdicts] == [ids[2], ids[0], ids[3], ids[2]]
    assert verdicts[2].detail["neighbour_similarity"] == round(np.cos(np.radians(20)), 4)


def test_neighbours_can_be_left_out(tmp_path):
    _, verdicts, _ = judged(tmp_path, [0, 60], neighbours=False)
    assert verdicts == [Verdict(True), Verdict(True)]


def test_one_hypothesis_may_stand_with_two_premises(tmp_path):
    _, verdicts, ids = judged(tmp_path, [0, 0, 0], ["It rains.", "It is dry.", "it rains"])
    assert [verdict.accepted for verdict in verdicts] == [True, True, False]
    assert verdicts[2].detail["neighbour"] == ids[0] and verdicts[0].detail == {}


def test_an_empty_set_has_no_verdicts(tmp_path):
    assert judged(tmp_path, [])[1] == []


def test_an_index_without_vectors_and_the_config_switch_it_off(tmp_path):
    assert isinstance(judged(tmp_path, [0], embedder=NoEmbedder())[0], SwitchedOff)
    assert isinstance(judged(tmp_path, [0], enabled=False)[0], SwitchedOff)


@pytest.mark.parametrize("threshold", [-1, 1.01])
def test_threshold_out_of_range_is_refused(threshold):
    with pytest.raises(ConfigError, match="EmbeddingDuplicate: threshold"):
        make_embedding_duplicate(threshold)


@given(angles=st.lists(st.integers(0, 359), min_size=1, max_size=25), groups=st.data())
def test_blocks_change_nothing_and_what_stays_is_apart(angles, groups):
    vectors = Angles().embed(angles)
    numbers = np.array(groups.draw(st.lists(st.integers(0, 1), min_size=len(angles), max_size=len(angles))))
    nearest, similarity, kept = sort_out(vectors, numbers, 0.9)
    who, how = neighbours(vectors, numbers, kept)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding_duplicates, "BLOCK", 4)
        again = sort_out(vectors, numbers, 0.9)
        near = neighbours(vectors, numbers, kept)
    assert np.array_equal(kept, again[2]) and np.allclose(similarity, again[1], atol=1e-6) and np.allclose(how, near[1], atol=1e-6)
    for row in np.flatnonzero(kept):
        assert how[row] < 0.9 or numbers[who[row]] != numbers[row]
    for row in np.flatnonzero(~kept):
        assert nearest[row] < row and kept[nearest[row]] and similarity[row] >= 0.9
