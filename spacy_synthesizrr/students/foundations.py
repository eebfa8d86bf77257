"""What a student is built on that its config only names: a pretrained encoder, and the packages that run it.

The same config with other weights under the same name is another student. And what is missing for a student is told before any other is
trained.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.errors import ConfigError, require
from spacy_synthesizrr.students.span.settings import SPAN
from spacy_synthesizrr.students.transformer.settings import EXTRA, SECTION

if TYPE_CHECKING:
    from confection import Config

ARCHITECTURE = "synthesizrr.TransformerTextCat.v1"
PACKAGES = ("torch", "transformers")


def foundation(config: Mapping[str, Any]) -> dict[str, str]:
    """What a student's config names.

    config (Mapping): With values instead of references.
    RETURNS (dict): A hash of every encoder, by component, and versions of torch and transformers; empty without one.
    RAISES (MissingExtraError): Without torch or transformers, where they are needed.
    RAISES (ConfigError): When an encoder is not there.
    """
    from spacy_synthesizrr.embedders.folders import model_folder
    from spacy_synthesizrr.embedders.sentence_layout import read_layout

    found = {}
    for name, section, model in _encoders(config):
        for package in PACKAGES:
            require(package, EXTRA)
            found[package] = importlib.metadata.version(package)
        folder = model_folder(model["name"], model.get("revision"), section=section, cached=True)
        found[name] = read_layout(folder, section=section).digest()
    return found


def _encoders(config: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """YIELDS (Tuple[str, str, Mapping]): Of every encoder its part, its section, and what stands there."""
    for name, component in dict(config.get("components") or {}).items():
        model = component.get("model") if isinstance(component, dict) else None
        if isinstance(model, dict) and model.get("@architectures") == ARCHITECTURE and "name" in model:
            yield name, SECTION, model
    spans = config.get(SPAN)
    if isinstance(spans, dict) and "name" in spans:
        yield SPAN, SPAN, spans


def check_builds(config: Config) -> None:
    """Build the pipeline once, without any data.

    RAISES (ConfigError): When spaCy refuses the config.
    """
    from confection import ConfigValidationError
    from spacy.util import load_model_from_config

    try:
        load_model_from_config(config)
    except (ConfigValidationError, ValueError) as error:
        raise ConfigError(f"spaCy refuses the student's config: {' '.join(str(error).split())}") from error
