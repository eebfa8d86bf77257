"""A teacher of whom everything is known, for the made-up task of simulated_world.py. It needs no server and is not an LLM.

    [teacher]
    @llm_models = "benchmarks.Simulated.v1"
    world = 0

It is registered when this module is imported. It reads the rendered prompt and nothing else, so it is equally able whoever asks: the label
is the one whose verbalization stands there, and a text that is shown is a line of the made-up language. Asked without a text it writes
the kinds it knows; shown a text it writes another of that text's kind. Both go wrong at fixed rates.
"""

from __future__ import annotations

import random
from typing import Any, Iterable  # noqa: UP035  spacy-llm knows a model by these types

from simulated_world import LABELS, Kind, World, words_of, world_of
from spacy_llm.registry import registry

from spacy_synthesizrr.models.answers.responses import request_hash
from spacy_synthesizrr.prompts import Answer, Failure

NAME = "benchmarks.Simulated.v1"
VERBALIZATION = "from the house of {label}"
WRITTEN = 0.5  # of the words of a line: from here on it is a text that is shown


class SimulatedTeacher:
    """Writes texts of hidden kinds.

    world (World): Whose kinds.
    wrong_kind (float): How often it writes another kind than that of the text it was shown: one that it knows.
    wrong_label (float): How often it writes a text of another label than it was asked for, with and without a text before it.
    """

    name = "simulated (texts of a made-up language; not an LLM)"
    copies = False
    writes_without_passage = True
    by_rule = True
    context_length: int | None = None

    def __init__(self, world: World, wrong_kind: float, wrong_label: float) -> None:
        self.world, self.wrong_kind, self.wrong_label = world, wrong_kind, wrong_label

    @property
    def identity(self) -> str:
        """RETURNS (str): Name and parameters, for request hashes."""
        return f"{NAME}({self.world!r}, wrong_kind={self.wrong_kind}, wrong_label={self.wrong_label})"

    def __call__(self, prompts: Iterable[Iterable[Any]]) -> Iterable[Iterable[Any]]:
        """YIELDS (List[Answer | Failure]): One per prompt."""
        for group in prompts:
            yield [self.answer(prompt) for prompt in group]

    def answer(self, prompt: str) -> Answer | Failure:
        """RETURNS (Answer | Failure): A text; refused when the prompt does not name exactly one label."""
        request = request_hash(prompt, identity=self.identity, by_rule=True)
        asked = [label for label in LABELS if VERBALIZATION.format(label=label) in prompt]
        if len(asked) != 1:
            return Failure("refused", f"the prompt names {len(asked)} labels", request=request)
        # the draw is what a temperature is for others: it says nothing, and makes the second answer another than the first
        chance = random.Random(f"{self.identity} {getattr(prompt, 'draw', 0)} {prompt}")
        return Answer(self.world.write(self.choose(str(prompt), asked[0], chance), chance), model=NAME, request=request, finish="stop")

    def choose(self, prompt: str, label: str, chance: random.Random) -> Kind:
        """RETURNS (Kind): What to write for a prompt that asks for a label."""
        if chance.random() < self.wrong_label:
            return chance.choice(self.world.known(chance.choice([other for other in LABELS if other != label])))
        shown = [line for line in prompt.splitlines() if self.is_text(line)]
        found = self.world.recognise(chance.choice(shown), label) if shown else None
        if found is None or chance.random() < self.wrong_kind:
            return chance.choice(self.world.known(label))
        return found

    def is_text(self, line: str) -> bool:
        """RETURNS (bool): Whether a line is of the made-up language."""
        words = words_of(line)
        known = sum(word in self.world.owners or word in self.world.common for word in words)
        return bool(words) and known >= WRITTEN * len(words)


@registry.llm_models(NAME)
def make_simulated(world: int, covered: float = 0.5, wrong_kind: float = 0.1, wrong_label: float = 0.05) -> SimulatedTeacher:
    """Make the simulated teacher; see `SimulatedTeacher`.

    world (int): The draw of the task. covered (float): See `World`.
    """
    return SimulatedTeacher(world_of(world, covered), wrong_kind, wrong_label)
