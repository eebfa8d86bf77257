"""The sections of metrics.json: what stands beside each number, and what is said where there is none."""

import json
import random
from functools import partial

import numpy as np
import pytest

from spacy_synthesizrr.candidates import Candidate, Passage, Seed
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.measuring.closeness import ALL, measure_gaps, measure_mauve, measure_vectors
from spacy_synthesizrr.measuring.entities import measure_entities
from spacy_synthesizrr.measuring.features import Features
from spacy_synthesizrr.measuring.judging import measure_preservation
from spacy_synthesizrr.measuring.sets import RowSet, split_gold
from spacy_synthesizrr.measuring.settings import EntitySettings, MauveSettings, MeasureSettings, read_settings
from spacy_synthesizrr.measuring.sources import measure_novelty, measure_sources
from spacy_synthesizrr.measuring.whole import Measured, measure_all
from spacy_synthesizrr.metrics.preservation import Judged

LABELS = ["cooking", "sport"]
WORDS = {
    "cooking": "soup oven garlic bread onion lemon salt dough".split(),
    "sport": "goal match keeper league race coach cup team".split(),
}


def rows(number, *, seed, wrong=0.0):
    chance, found = random.Random(seed), []
    for label in LABELS * number:
        own = LABELS[1 - LABELS.index(label)] if chance.random() < wrong else label
        found.append(((label,), " ".join(chance.choices(WORDS[own], k=6))))
    return found


def judged(found):
    return [Judged(*row) for row in found]


def preservation(arms, gold, *, exclusive=True):
    made = [{name: judged(found) for name, found in sets.items()} for sets in (arms, gold)]
    return measure_preservation(*made, LABELS, exclusive=exclusive, seed=0)


def row_set(name, found):
    return RowSet(name, lambda: iter(found))


def features(*sets):
    return Features(None, [text for own in sets for _, text in own], seed=0)


def test_preservation_stands_between_shuffled_labels_and_gold():
    arms = {"main": rows(40, seed=1, wrong=0.25), "random": rows(40, seed=2, wrong=0.5)}
    found = preservation(arms, {"train": rows(30, seed=3), "dev": rows(10, seed=4)})
    main, chance = found["arms"]["main"], found["arms"]["random"]
    assert found["trained_on"] == {"train": 60, "dev": 20} and found["gold"]["value"] > 0.95
    assert 0.6 < main["value"] < 0.9 and main["interval"]["low"] < main["value"] < main["interval"]["high"]
    assert main["shuffled"] == pytest.approx(0.5, abs=0.1) and chance["value"] == pytest.approx(0.5, abs=0.15)
    assert {(pair["asked"], pair["found"]) for pair in main["pairs"]} == {("cooking", "sport"), ("sport", "cooking")}


def test_no_judge_judges_what_it_was_trained_on():
    gold = rows(10, seed=1)
    found = preservation({"main": [*gold[:7], *rows(5, seed=2)]}, {"dev": gold})
    assert (found["arms"]["main"]["n"], found["arms"]["main"]["seen"]) == (10, 7)
    only = preservation({"main": gold}, {"dev": gold})
    assert only["arms"]["main"]["value"] is None


def test_rows_with_several_labels_are_judged_label_by_label():
    def several(found):
        return [(("sport",), text) if own == ("sport",) else (("cooking", "sport"), f"{text} goal match") for own, text in found]

    arms = {"main": several(rows(20, seed=1))}
    found = preservation(arms, {"dev": [*several(rows(20, seed=2)), ((), "x y")]}, exclusive=False)
    assert found["arms"]["main"]["value"] > 0.9 > found["arms"]["main"]["shuffled"]


def test_too_few_gold_rows_make_no_judge():
    assert "needs 2 gold rows" in preservation({}, {"seeds": rows(1, seed=1)})["missing"]
    assert "missing" in preservation({}, {})
    equal = [(("sport",), "same text"), (("sport",), "Same text!"), *rows(5, seed=1)[::2]]
    assert "of 'sport' (1)" in preservation({}, {"dev": equal})["missing"]


def test_seeds_teach_where_dev_rows_do_not():
    found = whole(MeasureSettings(), main=rows(10, seed=1), seeds=rows(8, seed=3), dev=rows(1, seed=2))
    assert found["preservation"]["trained_on"] == {"seeds": 16, "dev": 2}


def test_gold_itself_stands_beside_the_gaps():
    gold = split_gold("dev", rows(20, seed=1), seed=0)
    dull = [(("sport",), "goal goal goal")] * 30
    found = measure_gaps({"main": dull}, gold, seed=0)
    assert found["n"] == 20 and found["gold"] == "dev"
    assert found["sets"]["main"]["vocabulary"]["divergence"] > found["sets"]["gold"]["vocabulary"]["divergence"]
    assert found["sets"]["main"]["lengths"]["ratio"] == 0.5 and found["sets"]["gold"]["lengths"]["ratio"] == 1.0
    assert "no dev or train rows" in measure_gaps({"main": dull}, None, seed=0)["missing"]


def test_vectors_are_compared_at_equal_size_and_gold_covers_half_of_gold():
    main, gold = rows(40, seed=1), split_gold("dev", rows(50, seed=2), seed=0)
    found = measure_vectors({"main": main}, gold, features(main, gold.rows), seed=0)
    assert found["variety"]["n"] == 80 and set(found["variety"]["sets"]) == {"main", "gold"}
    assert found["coverage"]["n"] == 50 and 0.2 < found["coverage"]["sets"]["gold"]["value"] < 0.9
    for about in found["labels"].values():
        cosines = np.array(about["cosines"])
        assert about["labels"] == LABELS and cosines[0, 0] > cosines[0, 1] < cosines[1, 1]
    assert "fitted on 180 rows" in found["embedder"]


def test_mauve_has_floor_and_ceiling_and_says_where_rows_are_too_few():
    settings = MauveSettings(scaling=5.0, smallest=20, repeats=2)
    gold = split_gold("dev", [*rows(45, seed=1), *rows(5, seed=5)[1::2]], seed=0)
    main, odd = rows(60, seed=2), [(("sport",), "goal")] * 60
    found = measure_mauve({"main": main, "random": odd}, gold, features(main, odd, gold.rows), settings, seed=0)
    of_all = found["labels"][ALL]
    assert of_all["sets"]["random"]["mean"] < of_all["sets"]["main"]["mean"] and of_all["sets"]["gold"]["mean"] > 0.5
    assert found["floor"] < 0.01 and of_all["clusters"] == of_all["n"] // 10
    assert set(found["labels"]["cooking"]["sets"]) == {"main", "gold"} and "random" in found["labels"]["sport"]["sets"]
    few = measure_mauve({"main": main}, gold, features(main, gold.rows), MauveSettings(smallest=24), seed=0)
    assert few["labels"]["cooking"]["missing"] == "too few rows (main 60, gold 22; gold is halved); 24 on each side are needed."


def test_entities_without_a_pipeline_say_how_to_get_one():
    found = measure_entities([row_set("main", rows(2, seed=0))], {"main": 4}, EntitySettings(), seed=0)
    assert "spacy download" in found["missing"] and "configs/measure.cfg" in found["missing"]


class Passages:
    """As much of a store as sources need."""

    def __init__(self, *texts):
        self.known = {f"p{number}": Passage(f"p{number}", text, document=f"d{number // 2}") for number, text in enumerate(texts)}

    def get(self, ids):
        return [self.known[one] for one in ids]

    def count(self):
        return len(self.known)

    def iterate(self):
        return ((passage, None) for passage in self.known.values())


def candidates(*passages):
    seed = Seed.make(["sport"], {"text": "a"})
    return [Candidate.plan(task="t", strategy="s", seed=seed, passage_id=passage, draw=number) for number, passage in enumerate(passages)]


def test_rows_are_counted_per_passage_document_and_seed():
    found = measure_sources({"main": candidates("p0", "p1", "p1"), "fewgen": candidates(None)}, Passages("a", "b"))
    assert found["main"]["passages"]["most"] == 2 and found["main"]["documents"]["different"] == 1
    assert list(found["fewgen"]) == ["seeds"]


def test_novelty_is_against_the_whole_corpus_or_says_that_it_is_not():
    store, main = Passages("the keeper saves", "a goal late"), [(("sport",), "a goal late")]
    arms = {"main": candidates("p0")}
    whole = measure_novelty({"main": main}, arms, store, most=10)
    assert (whole["against"], whole["passages"], whole["sets"]["main"]["novel_1"]) == ("corpus", 2, 0.0)
    own = measure_novelty({"main": main}, arms, store, most=1)
    assert (own["against"], own["passages"], own["sets"]["main"]["novel_1"]) == ("passages", 1, 1.0)
    assert "no index" in measure_novelty({"main": main}, arms, None, most=1)["missing"]


def whole(settings, **sets):
    made = {name: row_set(name, found) for name, found in sets.items()}
    arms = [made[name] for name in made if name in ("main", "random")]
    gold = [made[name] for name in made if name not in ("main", "random")]
    own = {rows.name: candidates("p0") for rows in arms}
    read = {name: partial(iter, judged(found)) for name, found in sets.items()}
    return measure_all(Measured(arms, gold, read, own, LABELS, True, "en", Passages("goal match", "soup oven")), settings, seed=0)


def test_every_section_is_there_with_numbers_or_a_reason():
    found = whole(MeasureSettings(), main=rows(40, seed=1), random=rows(40, seed=2), seeds=rows(5, seed=3), dev=rows(40, seed=4))
    assert [group["n"] for group in found["groups"]] == [10, 80]
    assert [name for name, about in found.items() if "missing" in about] == ["entities"]
    assert found["labels"]["sport"]["n"] == 40 and set(found["labels"]["sport"]["sets"]) == {"main", "random", "dev"}
    json.dumps(found, allow_nan=False)


def test_a_small_control_takes_nothing_away_from_the_others():
    sets = {"main": rows(40, seed=1), "dev": rows(40, seed=4)}
    alone, beside = (whole(MeasureSettings(), **sets, **more) for more in ({}, {"random": rows(2, seed=2)}))
    assert beside["gaps"] == {**alone["gaps"], "left_out": {"random": 4}}
    assert beside["vectors"]["variety"]["n"] == alone["vectors"]["variety"]["n"] == 80 and beside["vectors"]["left_out"] == {"random": 4}
    assert beside["mauve"]["labels"][ALL]["n"] == alone["mauve"]["labels"][ALL]["n"] == 40
    assert beside["vectors"]["coverage"]["n"] == 40 and "random" not in beside["vectors"]["coverage"]["sets"]


def test_sections_without_gold_say_so_and_seeds_make_the_judge():
    found = whole(MeasureSettings(leave_out=("self_bleu", "novelty")), main=rows(10, seed=1), seeds=rows(8, seed=3))
    assert found["preservation"]["trained_on"] == {"seeds": 16}
    assert "no dev or train" in found["mauve"]["missing"] and "no dev or train" in found["vectors"]["coverage"]["missing"]
    assert "Left out" in found["novelty"]["missing"] and "self_bleu_5" not in found["equal"]["sets"]["main"]


def test_no_rows_at_all_are_no_error():
    found = whole(MeasureSettings(), main=[], seeds=rows(2, seed=1))
    assert found["equal"]["n"] == 4 and "missing" in found["vectors"] and "missing" in found["sources"]
    json.dumps(found, allow_nan=False)


def test_settings_that_are_none_are_refused():
    assert read_settings({}) == MeasureSettings()
    with pytest.raises(ConfigError, match=r"\[measure\] 'leave_out' has 'mauv'. Did you mean 'mauve'"):
        read_settings({"measure": {"leave_out": ["mauv"]}})
    with pytest.raises(ConfigError, match=r"unknown section \[measures\]"):
        read_settings({"measures": {}})
    with pytest.raises(ConfigError, match="unknown key 'mauve.buckets'"):
        read_settings({"measure": {"mauve": {"buckets": 3}}})
