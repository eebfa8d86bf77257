import json

import pytest
from given_store import GivenStore, at_angles, make_seed, make_task, passage

from spacy_synthesizrr.sourcing.calibrate import calibrate, render
from spacy_synthesizrr.sourcing.settings import PlanSettings

A, B = make_seed("a", "seed of a"), make_seed("b", "seed of b")


def look(*, count=60, **more):
    found = GivenStore(
        [passage(f"p{n}") for n in range(count)],
        at_angles([180 * n / count for n in range(count)]),
        dict(zip(("seed of a", "seed of b"), at_angles([0, 90]), strict=True)),
    )
    chosen = PlanSettings.model_validate({"hits": 50, **more})
    return calibrate([A, B], found, task=make_task("a", "b"), settings=chosen, seed=0)


def test_every_hit_is_counted_by_label_and_by_band():
    found = look()
    assert {key: sum(counts) for key, counts in found.by_label.counts.items()} == {"a": 50, "b": 50}
    assert {key: sum(counts) for key, counts in found.by_band.counts.items()} == {"ranks 1-2": 4, "ranks 3-10": 16, "ranks 11-50": 80}
    assert len(found.by_label.edges) == 25


def test_proposed_windows_are_the_usual_quantiles_as_similarities():
    found = look(ranks=[3, 50])
    window = found.proposals["window"]
    assert window.kind == "absolute"
    quantiles = found.quantiles["all"]
    assert quantiles["0.01"] < window.low < window.high < quantiles["0.99"] + 0.01
    assert found.proposals["pair_window"].low > window.high


def test_text_shows_bars_and_lines_to_paste():
    text = render(look())
    assert "█" in text
    assert '[plan.window]\nkind = "absolute"\nlow = ' in text
    assert "ranks 11-50" in text


def test_calibration_is_json():
    assert json.loads(json.dumps(look().to_dict()))["proposals"]["window"]["kind"] == "absolute"


def test_settings_for_another_embedder_are_told():
    found = look(window={"kind": "absolute", "low": 0.4, "high": 0.9}, embedder={"name": "facebook/contriever"})
    assert "not the paper's setting" in render(found)


@pytest.mark.parametrize("count", [0, 1])
def test_corpus_without_hits_is_shown_as_it_is(count):
    assert "Similarities between seeds and their hits" in render(look(count=count))
