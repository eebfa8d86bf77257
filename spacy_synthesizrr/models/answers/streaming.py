"""Which models can be fed one prompt after the other, for as long as there are prompts."""

from __future__ import annotations

import inspect


def streams(model: object) -> bool:
    """Whether a model answers while it still takes prompts in. Others collect all prompts before the first answer.

    model (object): Any spacy-llm model.
    RETURNS (bool): Its own attribute `lazy`, where it has one; else whether its call is a generator function.
    """
    own = getattr(model, "lazy", None)
    if own is not None:
        return bool(own)
    if inspect.isroutine(model):
        return inspect.isgeneratorfunction(model)
    return callable(model) and inspect.isgeneratorfunction(type(model).__call__)
