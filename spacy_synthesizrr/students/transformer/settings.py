"""What a config says about the encoder of a transformer student."""

from __future__ import annotations

from dataclasses import dataclass

from spacy_synthesizrr.errors import ConfigError, choices

SECTION, EXTRA = "components.textcat.model", "transformers"
MEAN, FIRST = "mean", "first"
CUT, WINDOWS = "cut", "windows"
POOLINGS, LONG_TEXTS = (MEAN, FIRST), (CUT, WINDOWS)
FEWEST_TOKENS = 8  # room for the special tokens and the overlap of windows


@dataclass(frozen=True)
class Settings:
    """The parameters of `architecture.make_transformer_textcat` that concern the encoder.

    names (Tuple[str, ...]): Where the encoder may be; the first that is there is taken.
    revision (str | None): Of a model of the hub.
    max_length (int): Tokens of a text, or of a window of it.
    pooling (str): One of `POOLINGS`.
    dropout (float | None): Inside the encoder while it is trained; None as its own config says.
    frozen (bool): Whether the encoder stays as it is.
    long_texts (str): One of `LONG_TEXTS`.
    batch_tokens (int): Most tokens, with padding, that are computed at once; one text may have more.
    RAISES (ConfigError): When a value cannot be.
    """

    names: tuple[str, ...]
    revision: str | None
    max_length: int
    pooling: str
    dropout: float | None
    frozen: bool
    long_texts: str
    batch_tokens: int

    def __post_init__(self) -> None:
        if not self.names or not all(self.names):
            raise ConfigError(f"[{SECTION}] 'name' is empty. Give the folder of an encoder, a name in the Hugging Face hub, or a package.")
        for name, value, valid in (("pooling", self.pooling, POOLINGS), ("long_texts", self.long_texts, LONG_TEXTS)):
            if value not in valid:
                raise ConfigError(f'[{SECTION}] {name} = "{value}" is unknown. {choices(value, valid)}')
        for name, number, least in (("max_length", self.max_length, FEWEST_TOKENS), ("batch_tokens", self.batch_tokens, 1)):
            if number < least:
                raise ConfigError(f"[{SECTION}] '{name}' must be {least} or more (was: {number}).")
        if self.dropout is not None and not 0.0 <= self.dropout < 1.0:
            raise ConfigError(
                f"[{SECTION}] 'dropout' must be at least 0 and below 1 (was: {self.dropout}); leave it out for the encoder's own."
            )
