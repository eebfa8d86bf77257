"""The settings of a run's plan, for every step that needs them."""

from __future__ import annotations

from spacy_synthesizrr.configs import section
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.sourcing.settings import PlanSettings


def plan_settings(ctx: Context) -> PlanSettings:
    """RETURNS (PlanSettings): The section [plan] of the run's strategy.

    RAISES (ConfigError): Names file, key, value and the valid keys.
    """
    return section(ctx.config("strategy"), "plan", PlanSettings, path=ctx.config_path("strategy"))
