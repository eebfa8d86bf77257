"""Prices from a kept table: only when asked for, and never made up."""

import sys

import pytest

from spacy_synthesizrr.errors import ConfigError, MissingExtraError
from spacy_synthesizrr.models.answers.prices import priced
from spacy_synthesizrr.models.chat.model import make_chat_completions

OPENAI = "https://api.openai.com/v1"
tabled = pytest.mark.skipif(sys.version_info < (3, 11), reason="the table needs Python 3.11")


def price(model="gpt-4o-mini", url=OPENAI, **settings):
    return priced(settings, model=model, url=url, where="teacher")


def test_without_a_table_a_price_is_what_stands_there():
    assert price(input_per_million=1.5, output_per_million=None) == {"input_per_million": 1.5}


@tabled
def test_the_table_fills_in_both_prices():
    found = price(table=True)
    assert 0 < found["input_per_million"] < found["output_per_million"] < 100


@tabled
def test_a_number_that_is_given_wins_over_the_table():
    assert price(table=True, input_per_million=7)["input_per_million"] == 7


@tabled
@pytest.mark.parametrize("model,url", [("no-such-model", OPENAI), ("gpt-4o-mini", "https://gateway.example/v1")])
def test_a_model_that_the_table_does_not_know_has_no_price(model, url):
    with pytest.raises(ConfigError, match=r"the price table knows no model .* Give the price by hand: \[teacher\.price\]"):
        price(model, url, table=True)


def test_a_table_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    with pytest.raises(MissingExtraError, match=r"spacy-synthesizrr\[prices\]"):
        price(table=True)


@tabled
def test_the_caps_see_the_price_of_the_table():
    settings = {"parameters": {"max_tokens": 10}, "budget": {"max_cost": 1.0}, "price": {"table": True}}
    assert make_chat_completions(OPENAI, "gpt-4o-mini", **settings).price.known


def test_a_cap_on_money_without_a_price_is_refused():
    with pytest.raises(ConfigError, match="the price is unknown"):
        make_chat_completions(OPENAI, "gpt-4o-mini", parameters={"max_tokens": 10}, budget={"max_cost": 1.0}, price={"table": False})


def test_a_table_is_wanted_or_not():
    with pytest.raises(ConfigError, match="must be true or false"):
        price(table="genai-prices")
