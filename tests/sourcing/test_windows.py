import numpy as np
import pytest

from spacy_synthesizrr.sourcing.settings import PlanSettings, Window
from spacy_synthesizrr.sourcing.windows import edges, fit_to_embedder

ABSOLUTE = Window(kind="absolute", low=0.4, high=0.9)
PAPER = PlanSettings(preset="paper", window=ABSOLUTE, embedder={"name": "facebook/contriever"})


def test_both_edges_belong_to_an_absolute_window():
    found = edges(ABSOLUTE, np.array([], dtype=np.float32))
    similarity = np.array([0.39, 0.4, 0.9, 0.91], dtype=np.float32)
    assert found.holds(similarity).tolist() == [False, True, True, False]


def test_quantile_edges_are_observed_similarities():
    found = edges(Window(low=0.25, high=0.75), np.array([0.0, 0.1, 0.2, 0.3, 0.4], dtype=np.float32))
    assert (found.low, found.high) == pytest.approx((0.1, 0.3))


def test_full_quantile_window_turns_nothing_away():
    similarity = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    assert edges(Window(low=0, high=1), similarity).holds(similarity).all()


def test_window_without_hits_has_edges():
    assert edges(Window(), np.array([], dtype=np.float32)).holds(np.array([0.5])).all()


def test_windows_of_another_embedder_become_quantiles_and_it_is_said():
    settings, remark = fit_to_embedder(PAPER, "synthesizrr.LsaEmbedder.v1")
    assert settings.window.kind == "quantile"
    assert "facebook/contriever" in remark and "not the paper's setting" in remark


def test_windows_of_the_wanted_embedder_stay():
    assert fit_to_embedder(PAPER, "onnx:facebook/contriever:512") == (PAPER, "")


def test_settings_without_a_wish_fit_every_embedder():
    settings = PlanSettings(window=ABSOLUTE)
    assert fit_to_embedder(settings, "anything") == (settings, "")
