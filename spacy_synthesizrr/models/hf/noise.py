"""Random numbers of one row that know nothing of its batch.

`generate` draws the tokens of all rows from one generator, so an answer would depend on its neighbours. Here each row has
noise of its own, a function of its seed, the step and the token alone, and the likeliest token *after* Gumbel noise is
taken. That is an exact draw from the softmax (Gumbel 1954; the "Gumbel-max trick", Maddison, Tarlow & Minka 2014, section 2),
and a small difference in the scores, such as padding makes, only matters where two tokens are that close.

The noise is SplitMix64 (Steele, Lea & Flood 2014, figure 17), read at the place of the token. It has no state, so it is
the same on every device, in whatever batch.
"""

from __future__ import annotations

from typing import Any, List

GAMMA, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
BITS = 53
LARGEST = 36.7  # -log(2**-53): the longest waiting time that can be drawn


def _signed(value: int) -> int:
    """A 64-bit number as torch holds it."""
    value &= 2**64 - 1
    return value - 2**64 if value >= 2**63 else value


def _shifted(values: Any, bits: int) -> Any:
    """A shift to the right that fills with zeros; torch's fills with the sign."""
    return (values >> bits).bitwise_and_((1 << (64 - bits)) - 1)


def _mix(values: Any) -> Any:
    """In place: the numbers of a large vocabulary are many."""
    values.bitwise_xor_(_shifted(values, 30)).mul_(_signed(FIRST))
    values.bitwise_xor_(_shifted(values, 27)).mul_(_signed(SECOND))
    return values.bitwise_xor_(_shifted(values, 31))


def gumbel(seeds: Any, step: int, size: int) -> Any:
    """Noise for one step.

    seeds (Tensor): int64, one per row.
    step (int): Number of the token in the answer, from 0.
    size (int): Tokens in the vocabulary.
    RETURNS (Tensor): float32, of shape (rows, size).
    """
    torch = _torch()
    keys = _mix(seeds + _signed((step + 1) * GAMMA))
    places = torch.arange(1, size + 1, device=seeds.device).mul_(_signed(GAMMA))
    uniform = _shifted(_mix(keys[:, None] + places), 64 - BITS).to(torch.float32).add_(0.5).mul_(2.0**-BITS)
    return uniform.neg_().log1p_().clamp_(min=-LARGEST).neg_().log_().neg_()


def _torch() -> Any:
    from spacy_synthesizrr.errors import require

    return require("torch", "transformers")


class Noise:
    """A logits processor: adds each row's noise, so that the likeliest token is a draw.

    seeds (List[int]): 64 bits per row.
    start (int): Length of the padded prompts.
    """

    def __init__(self, seeds: List[int], start: int, device: Any) -> None:
        self._seeds = _torch().tensor([_signed(seed) for seed in seeds], device=device)
        self._start = start

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """RETURNS (Tensor): Scores with noise; tokens that may not be drawn (-inf) stay so."""
        return scores + gumbel(self._seeds, input_ids.shape[1] - self._start, scores.shape[1])


class Finite:
    """A logits processor that changes nothing and notes the rows whose scores are no numbers: their text would be noise."""

    def __init__(self) -> None:
        self.broken: Any = None

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """RETURNS (Tensor): The same scores."""
        found = ~(scores < float("inf")).all(dim=-1)  # also false for NaN
        self.broken = found if self.broken is None else self.broken | found
        return scores
