"""`synthesizrr.TransformerTextCat.v1`: a pretrained transformer inside spaCy's own `textcat` and `textcat_multilabel`."""

from __future__ import annotations

from functools import partial
from typing import Any

from spacy.ml.models.textcat import NEG_VALUE, resize_and_set_ref
from spacy.tokens import Doc
from thinc.api import Dropout, Linear, Model, chain, resizable
from thinc.layers.resizable import resize_linear_weighted
from thinc.types import Floats2d

from spacy_synthesizrr.errors import require
from spacy_synthesizrr.students.transformer.activations import logistic_of_logits, softmax_of_logits
from spacy_synthesizrr.students.transformer.layer import encoder_layer
from spacy_synthesizrr.students.transformer.settings import EXTRA, Settings

DEVIATION = 0.02  # of the output layer's first weights, as BERT's layers have it (Devlin et al. 2019, their code)


def make_transformer_textcat(
    *,
    name: str | list[str],
    exclusive_classes: bool,
    revision: str | None = None,
    max_length: int = 256,
    pooling: str = "mean",
    dropout: float | None = None,
    frozen: bool = False,
    long_texts: str = "cut",
    batch_tokens: int = 4096,
    nO: int | None = None,  # noqa: N803 (spaCy's name)
) -> Model[list[Doc], Floats2d]:
    """Make a classifier of texts on a pretrained encoder; needs the extra `transformers`.

    The encoder is read when the pipeline is initialized, or from a saved student, which carries it: that one loads where there is
    neither the encoder's folder nor a network. [training] dropout is that of the vectors before the output layer.

    name (str | List[str]): The encoder's folder, its name in the Hugging Face hub, or a Python package that carries it; of several
        the first that is there.
    exclusive_classes (bool): Whether a text has exactly one label.
    revision (str): Of an encoder of the hub: a branch, tag or commit.
    max_length (int): Most tokens of a text, special ones included.
    pooling (str): What a text's vector is: the "mean" of the states of its tokens, or that of the "first" token.
    dropout (float): Inside the encoder, while it is trained; by default as its own config says.
    frozen (bool): Leave the encoder as it is and train the output layer alone. A text's vector is then computed once in a process.
    long_texts (str): What is done with more than max_length tokens: "cut", or "windows" that overlap, whose vectors are averaged.
    batch_tokens (int): Most tokens, with padding, that are computed at once. Speed and memory alone depend on it.
    nO (int): Number of labels; by default as the component says.
    RETURNS (Model[list[Doc], Floats2d]): Docs → scores of shape (docs, labels). Its reference "output_layer" is the linear layer.
    RAISES (MissingExtraError): Without torch or transformers.
    RAISES (ConfigError): When a parameter cannot be.
    """
    names = (name,) if isinstance(name, str) else tuple(name)
    settings = Settings(names, revision, max_length, pooling, dropout, frozen, long_texts, batch_tokens)
    for module in ("torch", "transformers"):
        require(module, EXTRA)
    return _build(settings, exclusive=exclusive_classes, labels=nO)


def _build(settings: Settings, *, exclusive: bool, labels: int | None) -> Model[list[Doc], Floats2d]:
    output: Any = Linear(nO=labels, init_W=_small_weights)
    fill = {"W": 0, "b": NEG_VALUE if exclusive else 0}  # a label that is added later takes nothing from the others
    grows: Any = resizable(output, resize_layer=partial(resize_linear_weighted, fill_defaults=fill))
    last = softmax_of_logits() if exclusive else logistic_of_logits()
    model: Any = chain(encoder_layer(settings), Dropout(), grows, last)
    model.set_ref("output_layer", output)
    model.attrs["resize_output"] = partial(resize_and_set_ref, resizable_layer=grows)
    model.attrs["multi_label"] = not exclusive
    if labels is not None:
        model.set_dim("nO", labels)
    return model


def _small_weights(ops: Any, shape: tuple[int, ...]) -> Any:
    import numpy

    return ops.asarray(numpy.random.normal(0.0, DEVIATION, shape).astype("float32"))  # thinc's initializers take this generator, too
