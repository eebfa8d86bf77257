"""A pretrained encoder in memory, and as the bytes that travel inside a saved student: no pickle, no name of a place on a machine."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import srsly

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.embedders.sentence_model import pooled
from spacy_synthesizrr.errors import StudentError, require
from spacy_synthesizrr.students.transformer.pieces import Pieces, cut_batches, padded
from spacy_synthesizrr.students.transformer.settings import EXTRA, FIRST

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CONFIG, TOKENIZER, WEIGHTS, ABOUT = "config.json", "tokenizer.json", "model.safetensors", "encoder.json"


@dataclass
class Encoder:
    """A transformer without a head, and its tokenizer.

    model (PreTrainedModel): Of transformers, in torch; float32.
    tokenizer (tokenizers.Tokenizer): Truncation and padding are set before each use.
    padding (int): Number of the padding token.
    segments (bool): Whether the model is told the segments of a text.
    lower (bool): Whether texts are lower-cased before the tokenizer sees them.
    """

    model: Any
    tokenizer: Any
    padding: int
    segments: bool
    lower: bool

    @property
    def width(self) -> int:
        """RETURNS (int): Numbers in a vector."""
        return int(self.model.config.hidden_size)

    def vectors(self, pieces: Pieces, count: int, *, pooling: str, budget: int) -> Any:
        """Run the model; whether gradients are kept is up to the caller.

        pieces (Pieces): Of all texts. count (int): How many texts there are.
        pooling (str): "mean" of the states of all tokens, or the "first" one's state.
        budget (int): Most tokens in a batch.
        RETURNS (Tensor): Shape (count, width): of each text the mean of its windows; zeros for a text without a token.
        """
        torch = require("torch", EXTRA)
        device = next(self.model.parameters()).device
        windows, places = [], []
        for batch in cut_batches(pieces.lengths, budget):
            windows.append(self._pool(torch, pieces, batch, "cls" if pooling == FIRST else "mean", device))
            places.append(torch.from_numpy(pieces.texts[batch]).to(device))
        if not windows:
            return torch.zeros((count, self.width), device=device)
        place = torch.cat(places)
        shares = 1.0 / torch.bincount(place, minlength=count).clamp(min=1).to(torch.float32)
        weighted = torch.cat(windows) * shares[place].unsqueeze(1)
        return torch.zeros((count, self.width), device=device).index_add(0, place, weighted)

    def _pool(self, torch: Any, pieces: Pieces, batch: NDArray[np.int64], mode: str, device: Any) -> Any:
        ids = [pieces.ids[place] for place in batch]
        inputs = {"input_ids": padded(ids, self.padding), "attention_mask": padded([[1] * len(row) for row in ids], 0)}
        if self.segments:
            inputs["token_type_ids"] = padded([pieces.types[place] for place in batch], 0)
        put = {name: torch.from_numpy(values).to(device) for name, values in inputs.items()}
        return pooled(torch, self.model(**put).last_hidden_state, put["attention_mask"], mode)

    def fingerprint(self) -> str:
        """RETURNS (str): A hash of all that vectors depend on, but for settings."""
        files = self.files()
        return digest("encoder", *(part for name in sorted(files) for part in (name, sha256(files[name]).hexdigest())))

    def files(self) -> dict[str, bytes]:
        """RETURNS (Dict[str, bytes]): Its files, by their names."""
        from safetensors.torch import save

        own = _own(self.model)
        weights = {name: value.detach().cpu().contiguous() for name, value in self.model.state_dict().items() if name in own}
        about = {key: value for key, value in self.model.config.to_dict().items() if key != "_name_or_path"}
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        known = {"padding": self.padding, "segments": self.segments, "lower": self.lower}
        return {
            CONFIG: json.dumps(about, sort_keys=True).encode("utf-8"),
            TOKENIZER: self.tokenizer.to_str().encode("utf-8"),
            ABOUT: json.dumps(known).encode("utf-8"),
            WEIGHTS: save(weights),
        }

    def to_bytes(self) -> bytes:
        """RETURNS (bytes): What `from_bytes` takes."""
        return bytes(srsly.msgpack_dumps(self.files()))

    @classmethod
    def from_bytes(cls, data: bytes) -> Encoder:
        """RETURNS (Encoder): On the CPU.

        RAISES (MissingExtraError): Without torch or transformers.
        RAISES (StudentError): When this release of transformers cannot hold it.
        """
        transformers, tokenizers = require("transformers", EXTRA), require("tokenizers", EXTRA)
        from safetensors.torch import load

        files = srsly.msgpack_loads(data)
        about, known = json.loads(files[CONFIG]), json.loads(files[ABOUT])
        kind = about.pop("model_type")
        try:
            with _weights_unset():
                model = transformers.AutoModel.from_config(transformers.AutoConfig.for_model(kind, **about), trust_remote_code=False)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StudentError(
                f"This student's encoder ({kind}) cannot be made by transformers {transformers.__version__}: "
                f"{' '.join(str(error).split())[:300]} "
                f"It was saved with transformers {about.get('transformers_version')}: install that."
            ) from error
        without_pooler(model).float()
        weights = load(files[WEIGHTS])
        missing = sorted(_own(model) - weights.keys())
        if missing:
            raise StudentError(f"This student's encoder lacks {', '.join(missing[:3])} ({len(missing)} in all). Save the student again.")
        model.load_state_dict(weights, strict=False)  # a tensor that two names share was saved once
        return cls(model, tokenizers.Tokenizer.from_str(files[TOKENIZER].decode("utf-8")), **known)


def _own(model: Any) -> set[str]:
    """RETURNS (Set[str]): Names of all that a model saves; a tensor that is shared has one."""
    named = {name for name, _ in [*model.named_parameters(), *model.named_buffers()]}
    return named & model.state_dict().keys()


def _weights_unset() -> AbstractContextManager[None]:
    """RETURNS (ContextManager): In which a model is made without drawing first weights: they are read from the student."""
    try:
        from transformers.initialization import no_init_weights
    except ImportError:  # it is no promise of theirs; drawing them takes seconds and does no harm
        return nullcontext()
    return no_init_weights()


def without_pooler(model: Any) -> Any:
    """RETURNS (PreTrainedModel): The model without the layer that only its pretraining asked."""
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    return model
