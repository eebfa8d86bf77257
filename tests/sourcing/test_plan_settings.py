from pathlib import Path

import pytest

from spacy_synthesizrr.configs import read_config, section
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.sourcing.seeds import seed_limit
from spacy_synthesizrr.sourcing.settings import PlanSettings, Window
from spacy_synthesizrr.stores.base import Condition, Filter, Search

CONFIGS = Path(__file__).parents[2] / "configs"


def read(name: str) -> PlanSettings:
    path = CONFIGS / f"strategy.{name}.cfg"
    return section(read_config(path), "plan", PlanSettings, path=path)


def in_mode(settings: PlanSettings, mode: str) -> PlanSettings:
    return PlanSettings.model_validate({**settings.model_dump(), "mode": mode})


@pytest.mark.parametrize("name", [path.name.split(".")[1] for path in sorted(CONFIGS.glob("strategy.*.cfg"))])
def test_every_strategy_that_comes_with_the_project_is_valid(name):
    assert read(name).preset == name


def test_paper_preset_is_what_the_paper_and_its_code_say():
    paper = read("synthesizrr-paper")
    assert paper.embedder.model_dump() == {"name": "facebook/contriever", "pooling": "mean", "max_tokens": 512, "similarity": "cosine"}
    assert (paper.search, paper.hits, paper.pair_ranks) == ("vector", 500, (1, 2))
    assert paper.window == Window(kind="absolute", low=0.4, high=0.9)
    assert paper.pair_window == Window(kind="absolute", low=0.5, high=0.9)
    assert (paper.context.min_tokens, paper.context.max_tokens) == (20, 400)
    assert (paper.sampling.top_p, paper.sampling.temperature) == (0.9, 0.95)
    assert (paper.seeds_per_label, paper.seeds_per_label_binary) == (50, 100)
    assert paper.cartography_keep == 0.83
    assert not paper.margin.on
    assert paper.controls.fewgen_shots == 32


@pytest.mark.parametrize(
    ("mode", "shots", "ranks"),
    [("zero-shot", 0, (1, 50)), ("retricl", 3, (3, 50)), ("non-retricl", 32, (1, 50)), ("fewgen", 32, (1, 50))],
)
def test_paper_preset_has_the_shots_and_ranks_of_every_mode(mode, shots, ranks):
    settings = in_mode(read("synthesizrr-paper"), mode)
    assert (settings.shots_wanted, settings.input_ranks) == (shots, ranks)


def test_tasks_with_two_labels_may_take_more_seeds_per_label():
    from given_store import make_task

    paper = read("synthesizrr-paper")
    assert seed_limit(paper, make_task("a", "b")) == 100
    assert seed_limit(paper, make_task("a", "b", "c")) == 50
    assert seed_limit(PlanSettings(), make_task("a", "b")) is None


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"windw": {}}, "Did you mean 'window'"),
        ({"window": {"low": 0.9, "high": 0.4}}, "low must be smaller than high"),
        ({"window": {"low": 0.1, "high": 3}}, "quantiles lie between 0 and 1"),
        ({"ranks": [5, 2]}, "ranks count from 1"),
        ({"ranks": [1, 80]}, "need at least 80 hits"),
        ({"mode": "retricl", "ranks": [2, 50]}, "ranks must start after pair_ranks"),
        ({"context": {"min_tokens": 9, "max_tokens": 8}}, "min_tokens must not exceed max_tokens"),
        ({"margin": {"keep": 0}}, "margin.keep"),
        ({"mode": "zero"}, "'zero-shot'"),
        ({"search": "words"}, "'vector', 'keyword' or 'hybrid'"),
        ({"retrieval": {"alfa": 1}}, "unknown key 'retrieval.alfa'. Did you mean 'alpha'"),
        ({"retrieval": {"alpha": 1.5}}, "'retrieval.alpha' .* less than or equal to 1"),
        ({"retrieval": {"diversity": -1}}, "'retrieval.diversity' .* greater than or equal to 0"),
        ({"retrieval": {"per_document": 0}}, "'retrieval.per_document' .* greater than or equal to 1"),
        ({"retrieval": {"min_similarity": 1.5}}, 'retrieval.min_similarity must lie between -1 and 1 with search = "vector"'),
        ({"search": "hybrid", "retrieval": {"min_similarity": -0.5}}, "must lie between 0 and 1"),
        ({"retrieval": {"fetch": 20}}, "retrieval.fetch must be 50 or more, as many as hits"),
        ({"retrieval": {"where": "source == news"}}, r"'retrieval.where' is a list of \[field, operator, value\], such as"),
        ({"retrieval": {"where": ["source", "==", "news"]}}, r"is a list of \[field, operator, value\]"),
        ({"retrieval": {"where": [["source", "is", "news"]]}}, "no operator 'is'. Valid: '=='"),
        ({"retrieval": {"where": [["source", "in", "news"]]}}, "'in' takes a list of values"),
    ],
)
def test_wrong_settings_are_refused_with_the_reason(config, says):
    with pytest.raises(ConfigError, match=says):
        section({"plan": config}, "plan", PlanSettings, path="strategy.x.cfg")


def test_the_section_retrieval_says_how_the_store_is_asked(tmp_path):
    path = tmp_path / "strategy.x.cfg"
    path.write_text(
        '[plan]\nsearch = "hybrid"\n[plan.retrieval]\nalpha = 0.7\nmin_similarity = 0.1\ndiversity = 0.6\nfetch = 150\nper_document = 2\n'
        'where = [["source", "in", ["news", "wire"]],\n    ["date", ">=", "2026-01-01"]]\n'
    )
    settings = section(read_config(path), "plan", PlanSettings, path=path)
    assert settings.how == Search("hybrid", alpha=0.7, min_similarity=0.1, diversity=0.6, fetch=150, per_document=2)
    assert settings.filter == Filter(where=(Condition("source", "in", ("news", "wire")), Condition("date", ">=", "2026-01-01")))
    assert PlanSettings.model_validate(settings.model_dump(mode="json")) == PlanSettings.model_validate(settings.model_dump())


def test_without_the_section_passages_are_searched_by_vector():
    assert (PlanSettings().how, PlanSettings().filter) == (Search(), Filter())
