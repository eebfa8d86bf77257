"""Prices from a kept table, for those who do not want to copy them from a provider's list.

The table is that of the package `genai-prices` (extra `[prices]`): it is as good as its day, so whoever asks for it does so in
the config, and `plan-cost` tells where a price comes from. No network is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Dict

from spacy_synthesizrr.errors import ConfigError, require

TABLE = "table"
ASKED = 1000  # tokens; some models cost more per token in long requests, which ours are not


def priced(price: Mapping[str, Any] | None, *, model: str, url: str, where: str) -> Dict[str, Any]:
    """Fill in a price from the table where the config asks for it.

    price (Mapping[str, Any] | None): The section `price`: numbers, or `table = true`. Numbers that stand there win.
    model (str): The server's name for the model.
    url (str): Address of the server, by which the provider is found.
    where (str): For errors.
    RETURNS (Dict[str, Any]): input_per_million and output_per_million, as far as they are known.
    RAISES (ConfigError): When the table does not know the model at this address.
    RAISES (MissingExtraError): When the table is not installed.
    """
    given = {key: value for key, value in (price or {}).items() if value is not None}
    table = given.pop(TABLE, False)
    if not isinstance(table, bool):
        raise ConfigError(f"{where}: price.{TABLE} = {table!r} must be true or false.")
    return {**_look_up(model, url, where), **given} if table else given


def _look_up(model: str, url: str, where: str) -> Dict[str, Any]:
    found = require("genai_prices", "prices")
    try:
        prompt = found.calc_price(found.Usage(input_tokens=ASKED), model, provider_api_url=url)
        answer = found.calc_price(found.Usage(output_tokens=ASKED), model, provider_api_url=url)
    except LookupError as error:
        raise ConfigError(
            f"{where}: the price table knows no model '{model}' at {url} ({error}). Give the price by hand: "
            "[teacher.price] input_per_million = …, output_per_million = …, and set table = false."
        ) from error
    per_million = 1_000_000 / ASKED
    return {
        "input_per_million": round(float(prompt.input_price) * per_million, 6),
        "output_per_million": round(float(answer.output_price) * per_million, 6),
    }
