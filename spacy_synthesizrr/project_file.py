"""What project.yml says of itself; weasel reads the rest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spacy_synthesizrr.errors import InputError

PROJECT = Path("project.yml")


def project_variables() -> Mapping[str, Any]:
    """RETURNS (Mapping): The vars of project.yml in the working directory.

    RAISES (InputError): When it cannot be read.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return dict((YAML(typ="safe").load(PROJECT) or {}).get("vars") or {})
    except (YAMLError, TypeError, AttributeError) as error:
        raise InputError(f"This cannot be read ({' '.join(str(error).split())[:200]}).", path=PROJECT) from error
