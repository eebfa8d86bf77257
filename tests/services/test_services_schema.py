"""A real server holds a real model to a JSON schema."""

import json

from asking import ask, chat

from spacy_synthesizrr.prompts import Prompt

SCHEMA = {
    "type": "object",
    "properties": {"fits": {"type": "boolean"}, "label": {"enum": ["sport", "politics"]}},
    "required": ["fits", "label"],
    "additionalProperties": False,
}
ASKED = "Is this text about sport or politics? Answer in JSON with the keys fits and label. Text: {}"
TEXTS = ("The keeper saved two penalties.", "The senate voted on the budget.", "The coach left the club.")


def test_every_answer_follows_the_schema(ollama, store):
    prompts = [Prompt(ASKED.format(text), schema=SCHEMA) for text in TEXTS]
    served = type("Server", (), {"url": ollama.base_url})
    parameters = {"temperature": 0.0, "max_tokens": 60, "seed": 0}
    with chat(served, store, model=ollama.model, parameters=parameters, requests={"read_timeout": 600.0}) as model:
        answers = [json.loads(answer) for answer in ask(model, prompts)]
    assert [set(answer) for answer in answers] == [{"fits", "label"}] * len(TEXTS)
    assert all(isinstance(answer["fits"], bool) and answer["label"] in ("sport", "politics") for answer in answers)
