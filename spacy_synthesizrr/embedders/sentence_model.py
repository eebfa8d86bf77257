"""Runs a sentence-transformers model with torch: by plain transformers where that can do it, else by the package itself."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.embedders.folders import loading
from spacy_synthesizrr.embedders.onnx import batches
from spacy_synthesizrr.embedders.sentence_layout import Layout, activation
from spacy_synthesizrr.errors import ConfigError, MissingExtraError, StoreError, require
from spacy_synthesizrr.jsonl import read_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXTRA = "transformers"
Run = Callable[[Sequence[str], str], "NDArray[np.float32]"]


def load_model(layout: Layout, *, max_tokens: int | None, batch: int, device: str) -> Run:
    """Load a model.

    layout (Layout): Its files. max_tokens (int): Where texts are cut; None leaves it to the model.
    batch (int): Most texts that are computed at once. device (str): Of torch; "auto" takes a GPU where there is one.
    RETURNS (Callable): From texts, and a prompt to put before each, to vectors as the model gives them.
    RAISES (MissingExtraError): Without torch or transformers.
    RAISES (ConfigError): When the model or the device cannot be used.
    """
    torch = require("torch", EXTRA)
    place = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if layout.foreign:
        return _by_the_package(layout, max_tokens, batch, place)
    with loading(layout.folder):
        return TorchModel(layout, max_tokens=max_tokens, batch=batch, device=place).embed


def _by_the_package(layout: Layout, max_tokens: int | None, batch: int, device: str) -> Run:
    try:
        package = require("sentence_transformers", EXTRA)
    except MissingExtraError as error:
        raise ConfigError(
            f"[embedder] The model in {layout.folder} {layout.foreign}; this needs the package sentence-transformers, which is not "
            "installed. Install it with: pip install sentence-transformers; or choose another model."
        ) from error
    with loading(layout.folder):
        model = package.SentenceTransformer(
            str(layout.folder), device=device, trust_remote_code=False, local_files_only=True, model_kwargs={"use_safetensors": True}
        )
    if max_tokens is not None:
        model.max_seq_length = max_tokens

    def run(texts: Sequence[str], prompt: str) -> NDArray[np.float32]:
        found = model.encode(list(texts), prompt=prompt, batch_size=batch, normalize_embeddings=False, show_progress_bar=False)
        return np.asarray(found, dtype=np.float32)

    return run


class TorchModel:
    """A transformer, its tokenizer, and what follows. Texts share a batch with texts of about their length only, and are padded to
    the next multiple of 16 tokens, so that a vector does not depend on the other texts.

    The parameters are those of `load_model`.
    """

    def __init__(self, layout: Layout, *, max_tokens: int | None, batch: int, device: str) -> None:
        self._torch, transformers = require("torch", EXTRA), require("transformers", EXTRA)
        self._layout, self._batch, self._device = layout, batch, device
        given: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(layout.transformer, **given)
        with _quietly(transformers.utils.logging):
            model, about = transformers.AutoModel.from_pretrained(
                layout.transformer, use_safetensors=True, dtype=self._torch.float32, output_loading_info=True, **given
            )
        missing = sorted(name for name in about["missing_keys"] if "pooler" not in name)  # that one is not asked
        if missing:
            raise ValueError(f"its weights lack {', '.join(missing[:3])} ({len(missing)} in all)")
        self._model = model.eval().to(device)
        self._after = [None if path is None else self._dense(path) for path in layout.after]
        wanted = (max_tokens, layout.max_tokens) if max_tokens else (layout.max_tokens,)
        known = next((number for number in wanted if number), self._tokenizer.model_max_length)
        limit = getattr(model.config, "max_position_embeddings", None)
        self.max_tokens = int(min(known, limit) if limit and limit > 0 else min(known, 1 << 20))

    def embed(self, texts: Sequence[str], prompt: str) -> NDArray[np.float32]:
        """RETURNS (ndarray): Shape (len(texts), dimensions)."""
        whole = [prompt + text for text in texts]
        encoded = self._tokenizer(
            [text.lower() for text in whole] if self._layout.lower else whole, truncation=True, max_length=self.max_tokens, padding=False
        )
        lengths = [len(ids) for ids in encoded["input_ids"]]
        found: NDArray[np.float32] | None = None
        for places, length in batches(lengths, self._batch, longest=self.max_tokens):
            vectors = self._run({name: [values[place] for place in places] for name, values in encoded.items()}, length)
            if found is None:
                found = np.empty((len(texts), vectors.shape[1]), dtype=np.float32)
            found[places] = vectors
        return np.zeros((0, 0), dtype=np.float32) if found is None else found

    def _run(self, encoded: dict[str, list[list[int]]], length: int) -> NDArray[np.float32]:
        torch, tokenizer = self._torch, self._tokenizer
        fill = {"input_ids": tokenizer.pad_token_id or 0, "token_type_ids": tokenizer.pad_token_type_id}
        left = tokenizer.padding_side == "left"
        put = {}
        for name, rows in encoded.items():
            values = np.full((len(rows), length), fill.get(name, 0), dtype=np.int64)
            for row, tokens in zip(values, rows, strict=True):
                row[length - len(tokens) if left else 0 : length if left else len(tokens)] = tokens
            put[name] = torch.from_numpy(values).to(self._device)
        with torch.inference_mode():
            states, mask = self._model(**put).last_hidden_state, put["attention_mask"]
            vectors = torch.cat([pooled(torch, states, mask, mode) for mode in self._layout.pooling], dim=1)
            for layer in self._after:
                vectors = torch.nn.functional.normalize(vectors, dim=1) if layer is None else layer(vectors)
        found: NDArray[np.float32] = vectors.to("cpu", torch.float32).numpy()
        return found

    def _dense(self, folder: Path) -> Any:
        from safetensors.torch import load_file

        torch, about = self._torch, read_json(folder / "config.json")
        linear = torch.nn.Linear(about["in_features"], about["out_features"], bias=about.get("bias", True))
        weights = load_file(folder / "model.safetensors")
        linear.load_state_dict({name.removeprefix("linear."): value.to(torch.float32) for name, value in weights.items()})
        return torch.nn.Sequential(linear, getattr(torch.nn, activation(about))()).eval().to(self._device)


def pooled(torch: Any, states: Any, mask: Any, mode: str) -> Any:
    """Make one vector of the states of a text's tokens, as sentence-transformers does.

    torch (ModuleType): The library. states (Tensor): Shape (texts, tokens, dimensions). mask (Tensor): 1 for tokens, 0 for padding.
    mode (str): One of `MODES`.
    RETURNS (Tensor): Shape (texts, dimensions); zeros for a text without any token.
    """
    rows, weights = torch.arange(states.shape[0], device=states.device), mask.unsqueeze(-1).to(states.dtype)
    count = weights.sum(dim=1).clamp(min=1)
    if mode == "cls":
        return states[rows, mask.argmax(dim=1)] * (mask.sum(dim=1, keepdim=True) > 0)
    if mode == "lasttoken":
        return states[rows, mask.shape[1] - 1 - mask.flip(1).argmax(dim=1)] * (mask.sum(dim=1, keepdim=True) > 0)
    if mode == "max":
        return torch.nan_to_num(states.masked_fill(weights == 0, float("-inf")).max(dim=1).values, neginf=0.0)
    if mode == "weightedmean":
        weights = weights * mask.cumsum(dim=1).unsqueeze(-1)
        return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
    if mode not in ("mean", "mean_sqrt_len_tokens"):
        raise StoreError(f"There is no pooling '{mode}'.")
    return (states * weights).sum(dim=1) / (count if mode == "mean" else count.sqrt())


@contextlib.contextmanager
def _quietly(logging: Any) -> Iterator[None]:
    """No bar of its own while a model is loaded."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
