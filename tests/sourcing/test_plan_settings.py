from pathlib import Path

import pytest

from spacy_synthesizrr.configs import read_config, section
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.sourcing.seeds import seed_limit
from spacy_synthesizrr.sourcing.settings import PlanSettings, Window

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
    ],
)
def test_wrong_settings_are_refused_with_the_reason(config, says):
    with pytest.raises(ConfigError, match=says):
        section({"plan": config}, "plan", PlanSettings, path="strategy.x.cfg")
