"""What can be set for a local transformers model, checked before anything is loaded."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any, Dict, Mapping, Tuple

from spacy_synthesizrr.errors import ConfigError, choices

NAME = "synthesizrr.HFCausalLM.v1"
DTYPES = ("auto", "float32", "bfloat16", "float16")
DEVICES = ("auto", "cpu", "cuda", "cuda:0", "mps")
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
# of each number: the lowest and the highest value, whether the lowest itself is valid, whether it must be whole
_RANGES: Dict[str, Tuple[float, float, bool, bool]] = {
    "seed": (0, 2**63 - 1, True, True),
    "max_tokens": (1, 2**31, True, True),
    "temperature": (0.0, 100.0, True, False),
    "top_p": (0.0, 1.0, False, False),
    "top_k": (1, 2**31, True, True),
    "min_p": (0.0, 1.0, True, False),
    "repetition_penalty": (0.0, 100.0, False, False),
}
_FROM_MODEL = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen, and when an answer ends.

    seed (int): Beside prompt and draw, what an answer's random numbers come from.
    max_tokens (int): Most tokens of an answer.
    temperature (float | None): 0 always takes the likeliest token.
    top_p (float | None), top_k (int | None), min_p (float | None): Which tokens may be drawn.
    repetition_penalty (float | None): Over 1, against tokens that were there already.
    stop (Tuple[str, ...]): Texts that end an answer and are not part of it.
    """

    seed: int = 0
    max_tokens: int = 512
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    stop: Tuple[str, ...] = ()

    def completed(self, defaults: Mapping[str, Any]) -> Sampling:
        """Fill in what was not set.

        defaults (Mapping): generation_config.json of the model; what it does not say either counts as 1 or as off.
        RETURNS (Sampling): With a temperature.
        RAISES (ConfigError): When the file holds a value out of range.
        """
        found = {key: defaults[key] for key in _FROM_MODEL if defaults.get(key) is not None and getattr(self, key) is None}
        if found.get("top_k") == 0:  # some files switch it off so
            del found["top_k"]
        made = read_sampling(
            {**{key: value for key, value in asdict(self).items() if value is not None}, **found}, "generation_config.json"
        )
        return made if made.temperature is not None else read_sampling({**asdict(made), "temperature": 1.0})


def read_sampling(given: Mapping[str, Any], where: str = "parameters") -> Sampling:
    """Check sampling parameters.

    given (Mapping): By the names that chat servers use; null counts as not set.
    where (str): What errors call the place they stand in.
    RAISES (ConfigError): For an unknown key or a value out of range.
    """
    for key, value in given.items():
        if key == "stop":
            if not isinstance(value, (list, tuple)) or not all(isinstance(text, str) and text for text in value):
                raise ConfigError(f'{NAME}: {where}.stop = {value!r} must be a list of texts, such as ["\\n\\n"].')
        elif key not in _RANGES:
            raise ConfigError(f"{NAME}: {where} has the unknown key '{key}'. {choices(key, (*_RANGES, 'stop'))}")
        elif value is not None:
            check_number(f"{where}.{key}", value, *_RANGES[key])
    known = {key: value for key, value in given.items() if value is not None}
    numbers: Dict[str, Any] = {
        key: value if _RANGES[key][-1] else float(value) for key, value in known.items() if key != "stop"
    }  # 1 and 1.0 are one
    return Sampling(**numbers, stop=tuple(known.get("stop", ())))


def check_number(name: str, value: Any, low: float, high: float = 2**31, closed: bool = True, whole: bool = True) -> None:
    """Check a number.

    closed (bool): Whether `low` itself is valid.
    RAISES (ConfigError): When it is none, or out of range.
    """
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not (low <= value <= high) or (value == low and not closed):
        kind = "a whole number" if whole else "a number"
        least = f"from {low:g}" if closed else f"above {low:g}"
        raise ConfigError(f"{NAME}: {name} = {value!r} must be {kind} {least}" + (f" to {high:g}." if high < 2**31 else "."))


def check_device(device: str) -> None:
    """RAISES (ConfigError): For what names no device."""
    if not isinstance(device, str) or not _DEVICE.fullmatch(device):
        raise ConfigError(f"{NAME}: device = {device!r} is unknown. {choices(device, DEVICES)}")


def check_dtype(dtype: str) -> None:
    """RAISES (ConfigError): For what names no type of number."""
    if dtype not in DTYPES:
        raise ConfigError(f"{NAME}: dtype = {dtype!r} is unknown. {choices(dtype, DTYPES)}")
