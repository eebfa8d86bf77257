"""Checks of the configs of a run, before any work is done: a slip that shows itself after the teacher was paid would be a dear one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spacy_synthesizrr.configs import check_names, check_sections, section
from spacy_synthesizrr.curation.chain import ROW_FILTERS
from spacy_synthesizrr.errors import ConfigError, choices
from spacy_synthesizrr.set_filters.running import SET_FILTERS
from spacy_synthesizrr.teachers import teacher_section

FILTERS = (ROW_FILTERS, SET_FILTERS)
SECTIONS: Mapping[str, tuple[str, ...]] = {"strategy": ("plan",), "teacher": ("teacher", "price"), "curate": (*FILTERS, "gate")}


def check_config(kind: str, config: dict[str, Any], path: Path) -> None:
    """Check all of a config that can be checked without building what it describes.

    kind (str): Of `KINDS` or `SINGLE`. path (Path): Of the file.
    RAISES (ConfigError): For a section that nobody reads, a key or value that is none, and a registered name that does not exist.
    RAISES (TeacherError): For a teacher's config without a teacher.
    """
    if kind in SECTIONS:
        check_sections(config, SECTIONS[kind], path=path)
    if kind == "strategy":
        from spacy_synthesizrr.sourcing.settings import PlanSettings

        section(config, "plan", PlanSettings, path=path)
    elif kind == "store":
        from spacy_synthesizrr.stores.opening import check_store_config

        if not isinstance(config.get("store"), Mapping):
            raise ConfigError(f"{path}: the section [store] is missing.")
        check_store_config(config, path)
    elif kind == "teacher":
        teacher_section(config, path=path)
    elif kind == "measure":
        from spacy_synthesizrr.measuring.settings import read_settings

        read_settings(config, path=path)
    elif kind == "curate":
        from spacy_synthesizrr.curation.gate import SECTION, GateSettings

        section(config, SECTION, GateSettings, path=path)
        for filters in FILTERS:
            _check_filters(config.get(filters) or {}, filters, path)
    check_names(config, path=path)


def _check_filters(sections: Any, name: str, path: Path) -> None:
    for key, about in sections.items() if isinstance(sections, Mapping) else ():
        if not isinstance(about, Mapping) or "@misc" not in about:
            others = [other for other in sections if other != key]
            wanted = f'It needs a line such as @misc = "synthesizrr.Length.v1"; or is it meant for another? {choices(key, others)}'
            raise ConfigError(f"{path}: [{name}.{key}] describes no filter. {wanted}")
