"""The encoder as a thinc layer: from Docs to one vector each."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, cast

from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import ArgsKwargs, Model, PyTorchShim, get_torch_default_device, torch2xp, xp2torch
from thinc.types import Floats2d

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.errors import StudentError, require
from spacy_synthesizrr.students.transformer.cache import VECTORS
from spacy_synthesizrr.students.transformer.encoder import Encoder
from spacy_synthesizrr.students.transformer.forks import heed_fork
from spacy_synthesizrr.students.transformer.loading import load_encoder
from spacy_synthesizrr.students.transformer.pieces import Pieces, cut_texts
from spacy_synthesizrr.students.transformer.settings import EXTRA, Settings

Layer = Model[Sequence[Doc], Floats2d]


class EncoderShim(PyTorchShim):
    """Keeps the encoder for thinc: optimizer, device, bytes. It has none before it is initialized or read from a saved student.

    settings (Settings): What the config says.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(None)
        self.settings = settings
        self._encoder: Encoder | None = None

    @property
    def encoder(self) -> Encoder:
        """RETURNS (Encoder): The encoder.

        RAISES (StudentError): When there is none yet.
        """
        if self._encoder is None:
            raise StudentError("This student has no encoder yet. Call nlp.initialize(…) or train it first, or load a trained one.")
        return self._encoder

    def hold(self, encoder: Encoder) -> None:
        """Take an encoder, on the device of the active thinc ops."""
        encoder.model.to(get_torch_default_device())
        if self.settings.frozen:
            encoder.model.requires_grad_(False)
        self._encoder, self._model = encoder, encoder.model
        self.__dict__.pop("vectors_of", None)

    @functools.cached_property
    def vectors_of(self) -> str:
        """RETURNS (str): A hash of all that the vectors of a frozen encoder depend on."""
        said = self.settings
        return digest(self.encoder.fingerprint(), str(said.max_length), said.pooling, said.long_texts)

    def pieces(self, texts: Sequence[str]) -> Pieces:
        """RETURNS (Pieces): Texts as the encoder takes them."""
        said, encoder = self.settings, self.encoder
        given = [text.lower() for text in texts] if encoder.lower else texts
        return cut_texts(encoder.tokenizer, given, max_length=said.max_length, long_texts=said.long_texts)

    def inputs(self, texts: Sequence[str]) -> ArgsKwargs:
        """RETURNS (ArgsKwargs): What `Encoder.vectors` is given."""
        said = self.settings
        return ArgsKwargs(args=(self.pieces(texts), len(texts)), kwargs={"pooling": said.pooling, "budget": said.batch_tokens})

    def compute(self, texts: Sequence[str]) -> Any:
        """RETURNS (Tensor): Vectors of texts, shape (texts, width), without gradients and without dropout."""
        torch, model = require("torch", EXTRA), self.encoder.model
        given = self.inputs(texts)
        heed_fork(torch)
        model.eval()
        with torch.no_grad():
            return self.encoder.vectors(*given.args, **given.kwargs)

    def begin(self, texts: Sequence[str]) -> tuple[Any, Callable[[Any], None]]:
        """RETURNS (Tuple[Tensor, Callable]): Vectors of texts, and what takes their gradient back into the encoder."""
        torch, model = require("torch", EXTRA), self.encoder.model
        given = self.inputs(texts)
        heed_fork(torch)
        model.train()
        vectors = self.encoder.vectors(*given.args, **given.kwargs)

        def backprop(gradient: Any) -> None:
            if vectors.requires_grad:  # texts without any token have none
                torch.autograd.backward(vectors, grad_tensors=gradient)

        return vectors.detach(), backprop

    def to_bytes(self) -> bytes:
        """RETURNS (bytes): The encoder with its tokenizer; empty when there is none yet."""
        return b"" if self._encoder is None else self._encoder.to_bytes()

    def from_bytes(self, bytes_data: bytes) -> EncoderShim:
        """RETURNS (EncoderShim): This one, with the encoder of a saved student."""
        if bytes_data:
            self.hold(Encoder.from_bytes(bytes_data))
        return self


def encoder_of(nlp: Language) -> tuple[str, EncoderShim] | None:
    """RETURNS (Tuple[str, EncoderShim] | None): The first component with an encoder of ours, by name, and that; None without one."""
    for name, component in nlp.pipeline:
        model = getattr(component, "model", None)
        for layer in model.walk() if isinstance(model, Model) else ():
            for shim in layer.shims:
                if isinstance(shim, EncoderShim):
                    return name, shim
    return None


def encoder_layer(settings: Settings) -> Layer:
    """RETURNS (Model[List[Doc], Floats2d]): Docs → vectors of shape (docs, width). The encoder is read when it is initialized."""
    return Model("transformer_encoder", _forward, init=_init, dims={"nO": None}, shims=[EncoderShim(settings)])


def _init(model: Layer, X: Sequence[Doc] | None = None, Y: Floats2d | None = None) -> None:  # noqa: N803 (thinc's names)
    shim = _shim(model)
    shim.hold(load_encoder(shim.settings))
    model.set_dim("nO", shim.encoder.width)


def _forward(model: Layer, docs: Sequence[Doc], is_train: bool) -> tuple[Floats2d, Callable[[Floats2d], list[Doc]]]:
    shim, texts = _shim(model), [doc.text for doc in docs]
    if shim.settings.frozen:
        kept = VECTORS.get(shim.vectors_of, texts, lambda new: shim.compute(new).cpu().numpy())
        return model.ops.asarray2f(kept), lambda gradient: []  # type: ignore[arg-type]
    if not is_train:
        return cast(Floats2d, torch2xp(shim.compute(texts))), lambda gradient: []
    vectors, backprop = shim.begin(texts)

    def back(gradient: Floats2d) -> list[Doc]:
        backprop(xp2torch(gradient, device=vectors.device))
        return []

    return cast(Floats2d, torch2xp(vectors)), back


def _shim(model: Layer) -> EncoderShim:
    shim = model.shims[0]
    if not isinstance(shim, EncoderShim):
        raise TypeError(f"The layer's shim is a {type(shim).__name__}.")
    return shim
