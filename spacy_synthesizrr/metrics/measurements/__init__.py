"""The measures for `evaluate`: each folder holds one that `evaluate.load` takes without a network.

    import evaluate
    from spacy_synthesizrr.metrics.measurements import measurement_path

    evaluate.load(measurement_path("self_bleu")).compute(data=texts)

Needs the extra `metrics`. Without `evaluate`, call the functions of `spacy_synthesizrr.metrics` themselves: they are the same.
"""

from __future__ import annotations

from pathlib import Path

from spacy_synthesizrr.errors import choices

HERE = Path(__file__).parent


def measurement_names() -> list[str]:
    """RETURNS (List[str]): All measures that there are."""
    return sorted(path.parent.name for path in HERE.glob("*/*.py") if path.stem == path.parent.name)


def measurement_path(name: str) -> str:
    """Where a measure lies, for `evaluate.load`.

    RAISES (ValueError): When there is none of that name.
    """
    if name not in measurement_names():
        raise ValueError(f"There is no measure '{name}'. {choices(name, measurement_names())}")
    return str(HERE / name)
