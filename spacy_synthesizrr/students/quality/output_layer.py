"""The last layer with weights of a spaCy text classifier: where it is, what goes out of it, and how to scale that.

What spaCy calls "output_layer" is not always it: in TextCatEnsemble.v2 that reference names the layer of the bag of words,
which is one of two that feed the real one. So the layer is looked for from the end of the model, and whether it is the right
one is *seen*: its outputs, put through softmax or logistic, must be the scores that the pipeline gives.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.students.quality.calibration import Array, probabilities

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc
    from thinc.api import Model

    from spacy_synthesizrr.students.config import StudentTask

WITHOUT_WEIGHTS = ("logistic", "sigmoid_activation", "softmax_activation", "dropout", "noop")
AROUND_ONE = ("with_cpu", "resizable", "with_debug")
AFFINE = ("linear", "sparselinear", "softmax")
SAME = 1e-4  # of scores: the layer's outputs are read in single precision, as they are used


@dataclass(frozen=True)
class Seen:
    """What a classifier said of some texts.

    scores (Array): Rows × labels in the order of the task.
    logits (Array | None): The same before softmax or logistic; None where the layer is not known.
    layer (Model | None): Where they come out of.
    why (str): Why the layer is not known; empty when it is.
    """

    scores: Array
    logits: Array | None = None
    layer: Model[Any, Any] | None = None
    why: str = ""


def classifier(nlp: Language, task: StudentTask) -> Any:
    """RETURNS (TextCategorizer): The component that gives the labels."""
    return nlp.get_pipe(task.component)


def predict(nlp: Language, docs: Sequence[Doc], task: StudentTask) -> Array:
    """RETURNS (Array): The scores in doc.cats, rows × labels in the order of the task."""
    rows = [[doc.cats[label] for label in task.labels] for doc in nlp.pipe(docs)]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(task.labels))


def observe(nlp: Language, docs: Sequence[Doc], task: StudentTask) -> Seen:
    """Let a classifier read texts, and watch its last layer.

    docs (Sequence[Doc]): Tokenized, none of them empty: spaCy does not show those to the model.
    RETURNS (Seen): With logits whose probabilities are the scores to within `SAME`; else without, and why.
    """
    component = classifier(nlp, task)
    order = [list(component.labels).index(label) for label in task.labels]
    layers = list(candidates(component.model))
    for layer in layers:
        with watching(layer) as outputs:
            scores = predict(nlp, docs, task)
        logits = np.concatenate(outputs)[:, order] if outputs and outputs[0].shape[1:] == (len(order),) else None
        if logits is not None and _explains(logits, scores, exclusive=task.exclusive):
            return Seen(scores, logits, layer)
    what = "is not one of those that can be scaled (linear, sparse linear or softmax)" if not layers else "does not explain the scores"
    return Seen(predict(nlp, docs, task), why=f"The last layer of the model '{component.model.name[:60]}' {what}.")


def _explains(logits: Array, scores: Array, *, exclusive: bool) -> bool:
    if logits.shape != scores.shape or not np.all(np.isfinite(logits)):
        return False
    return bool(np.all(np.abs(probabilities(logits, exclusive=exclusive) - scores) <= SAME))


def candidates(model: Model[Any, Any]) -> Iterator[Model[Any, Any]]:
    """YIELDS (Model): Layers that may be the last with weights: the one at the end, then the one that the model itself names."""
    found = last_layer(model)
    if found is not None:
        yield found
    named = model.get_ref("output_layer") if model.has_ref("output_layer") else None
    if named is not None and named is not found and _kind(named) in AFFINE:
        yield named


def last_layer(model: Model[Any, Any]) -> Model[Any, Any] | None:
    """Go from the end of a model to the first layer with weights, into chains and wrappers of one layer.

    RETURNS (Model | None): None when something else stands there, such as layers side by side.
    """
    kind = _kind(model)
    if kind in AFFINE:
        return model if model.has_param("W") else None
    if kind in AROUND_ONE:
        return last_layer(model.layers[0])
    if kind != "chain":
        return None
    rest = [layer for layer in model.layers if not _is_activation(layer)]
    return last_layer(rest[-1]) if rest else None


def _is_activation(layer: Model[Any, Any]) -> bool:
    kind = _kind(layer)
    return kind in WITHOUT_WEIGHTS or (kind in AROUND_ONE and _is_activation(layer.layers[0]))


def _kind(layer: Model[Any, Any]) -> str:
    """RETURNS (str): The module of thinc that a layer comes from; empty for others, whatever they call themselves."""
    package, _, name = str(getattr(layer._func, "__module__", "")).rpartition(".")
    return name if package == "thinc.layers" else ""


@contextlib.contextmanager
def watching(layer: Model[Any, Any]) -> Iterator[list[Array]]:
    """Keep what a layer gives out, before softmax where that is part of it. The layer is as before afterwards.

    YIELDS (List[Array]): One array per batch, rows × outputs.
    """
    outputs: list[Array] = []
    forward: Callable[..., Any] = layer._func
    is_softmax = _kind(layer) == "softmax"

    def watched(model: Any, inputs: Any, is_train: bool) -> Any:
        found = forward(model, inputs, is_train)
        before = _before_softmax(model, inputs) if is_softmax else found[0]
        outputs.append(np.array(model.ops.to_numpy(before), dtype=np.float64))
        return found

    layer._func = watched
    try:
        yield outputs
    finally:
        layer._func = forward


def _before_softmax(model: Any, inputs: Any) -> Any:
    outputs = model.ops.affine(inputs, model.get_param("W"), model.get_param("b"))
    return outputs / model.attrs.get("softmax_temperature", 1.0)


def divide(layer: Model[Any, Any], temperature: float) -> Callable[[], None]:
    """Divide weights and bias by a temperature, and so all outputs: (W/T)x + b/T = (Wx + b)/T.

    RETURNS (Callable): Puts the old weights back.
    """
    old: dict[str, Any] = {name: layer.get_param(name).copy() for name in ("W", "b") if layer.has_param(name)}
    for name, values in old.items():
        layer.set_param(name, values / values.dtype.type(temperature))

    def undo() -> None:
        for name, values in old.items():
            layer.set_param(name, values)

    return undo
