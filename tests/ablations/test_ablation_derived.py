"""Configs of a run: edited copies, and what cannot be edited."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ROOT

from spacy_synthesizrr.ablations.derived import choices_of
from spacy_synthesizrr.ablations.grid import read_grid
from spacy_synthesizrr.configs import read_config
from spacy_synthesizrr.errors import ConfigError, InputError


@pytest.fixture
def derived(tmp_path, monkeypatch):
    """Write the configs of an arm with some changes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")

    def make(changes: str, more: str = ""):
        Path("g.yml").write_text(f"arms:\n  other: {{}}\n  mine:\n    {changes}\n{more}")
        grid = read_grid(Path("g.yml"))
        run = next(run for run in grid.runs() if run.arm == "mine")
        return choices_of(grid, run, {"task": "t"})

    return make


def test_what_is_not_changed_stays_in_its_place(derived):
    wanted = derived("strategy.plan.hits: 60")
    assert (wanted.store, wanted.curate, wanted.run) == ("memory", "", "g/mine.seed0")
    assert wanted.strategy == "runs/g/mine.seed0/configs/strategy.cfg"


def test_a_value_is_changed_and_nothing_else(derived):
    changed = read_config(Path(derived("strategy.plan.hits: 60").strategy))
    before = read_config(Path("configs/strategy.synthesizrr.cfg"))
    before["plan"]["hits"], before["plan"]["controls"]["arms"] = 60, []
    assert changed == before


def test_references_stay_references(derived):
    path = Path(derived("student.training.max_steps: 3").student)
    assert "path = ${paths.train}" in path.read_text()
    assert read_config(path)["training"]["max_steps"] == 3


def test_a_section_is_added_replaced_or_removed(derived):
    new = '{"@misc": synthesizrr.ExactDuplicate.v1, seeds: false}'
    found = read_config(Path(derived(f"curate.row_filters: {{only: {new}}}").curate))["row_filters"]
    assert found == {"only": {"@misc": "synthesizrr.ExactDuplicate.v1", "seeds": False}}
    assert "near_copy" not in read_config(Path(derived("curate.row_filters.near_copy: null").curate))["row_filters"]
    assert read_config(Path(derived("curate.row_filters.length.min_words: null").curate))["row_filters"]["length"]["min_words"] is None


@pytest.mark.parametrize("change", ["store.index.name: news", "measure.measure.mauve.clusters: 9", "curate.gate.max_share: 0.5"])
def test_a_section_that_a_config_leaves_out_can_be_set(derived, change):
    kind, section, *rest = change.split(":")[0].split(".")
    found = read_config(Path(getattr(derived(change), kind)))[section]
    for part in rest[:-1]:
        found = found[part]
    assert str(found[rest[-1]]) == change.split(": ")[1]


def test_a_section_that_the_strategy_leaves_to_its_default_can_be_set(derived):
    found = read_config(Path(derived("strategy.plan.quotas.per_document: 9", "base: {strategy: non-retricl}\n").strategy))
    assert found["plan"]["quotas"]["per_document"] == 9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("strategy.plan.marign.on: true", r"'strategy\.plan\.marign\.on' does not fit: .*unknown key 'marign'. Did you mean 'margin'"),
        ("strategy.plan.hits: many", "does not fit: .*'hits' Input should be a valid integer"),
        ("strategy.plan.window.low: 0.999", "does not fit: .*low must be smaller than high"),
        ("curate.row_filters.near_copy.treshold: 0.5", "there is no key 'treshold'. Did you mean 'threshold'"),
        ("curate.row_filters.near_copi.threshold: 0.5", r"no section \[row_filters.near_copi\]. Did you mean 'row_filters.near_copy'"),
        ('curate.row_filters.x: {"@misc": synthesizrr.Nothing.v1}', "Nothing.v1"),
        ("curate.row_filters.near_copy.threshold: high", "does not fit"),
        ("student.training.max_stesp: 3", "no key 'max_stesp'. Did you mean 'max_steps'"),
        ("strategy.plna.margin.on: true", r"unknown section \[plna\]. Did you mean 'plan'"),
        ('curate.set_filter.map: {"@misc": synthesizrr.Cartography.v1}', r"unknown section \[set_filter\]. Did you mean 'set_filters'"),
        ("curate.gate.max_shar: 0.1", r"\[gate\] unknown key 'max_shar'. Did you mean 'max_share'"),
        ("curate.set_filters: {map: {misc: synthesizrr.Cartography.v1}}", r"\[set_filters.map\] describes no filter"),
        ('curate.set_filters: {map: {"@misc": synthesizrr.Cartography.v1, sahre: 0.5}}', "no key 'sahre'. Did you mean 'share'"),
        ("measure.measure.sampl: 5", r"\[measure\] unknown key 'sampl'. Did you mean 'sample'"),
        ("measure.measur.sample: 5", r"unknown section \[measur\]. Did you mean 'measure'"),
        ("teacher.teachr.model: small", r"unknown section \[teachr\]. Did you mean 'teacher'"),
        ('store.embedder: {"@misc": synthesizrr.LsaEmbedder.v1, dimensoins: 9}', "no key 'dimensoins'. Did you mean 'dimensions'"),
        (
            'store.embedder: {"@misc": synthesizrr.LsaEmbeder.v1}',
            "no 'synthesizrr.LsaEmbeder.v1' among @misc. Did you mean 'synthesizrr.LsaE",
        ),
        ("store.store: null", r"the section \[store\] is missing"),
        ("store.passages.max_word: 3", "unknown key 'max_word'. Did you mean 'max_words'"),
        ("teacher.teacher.urll: 3", "there is no key 'urll'"),
    ],
)
def test_what_cannot_be_changed_is_told_with_its_line(derived, change, message):
    with pytest.raises(InputError, match=message) as caught:
        derived(change)
    assert (caught.value.line, str(caught.value.path)) == (4, "g.yml")


def test_the_line_is_that_of_the_change_that_is_wrong(derived):
    with pytest.raises(InputError, match="hits") as caught:
        derived("strategy.plan.shots: 3", "base:\n  strategy.plan.hits: 0\n")
    assert caught.value.line == 6


def test_a_config_that_is_not_there_names_those_that_are(derived):
    with pytest.raises(ConfigError, match="no config configs/strategy.retrcl.cfg. Did you mean 'retricl'"):
        derived("strategy: retrcl")
