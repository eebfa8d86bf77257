"""`synthesizrr.ChatCompletions.v1` in a spaCy pipeline, through `llm_synthesizrr`.

The task is `synthesizrr.Refine.v1`, whose passages are the prompts; the variant "raw" is spacy-llm's own `spacy.Raw.v1`.
"""

import spacy
from exchange import job

from spacy_synthesizrr.candidates import Candidate, Seed
from spacy_synthesizrr.extensions import PLANNED

TASKS = {"": {"@llm_tasks": "synthesizrr.Refine.v1"}, "raw": {"@llm_tasks": "spacy.Raw.v1", "template": "{{ text }}"}}

at = job()
seed = Seed.make(["sport"], {"text": "A seed."})


def planned(nlp, text: str, number: int):  # noqa: ANN001, ANN201
    """RETURNS (Doc): A Doc with one planned candidate."""
    candidate = Candidate.plan(task="t", strategy="s", seed=seed, passage_id=str(number))
    doc = nlp.make_doc("A seed.")
    doc._.set(PLANNED, [{"candidate": candidate.to_dict(), "passage": text, "verbalizations": ["about sport"], "fields": {}, "shots": []}])
    return doc


nlp = spacy.blank("en")
model = {
    "@llm_models": "synthesizrr.ChatCompletions.v1",
    "base_url": at.url,
    "model": "fake",
    "requests": {"max_in_flight": at.in_flight},
    "responses": f"{at.folder}/answers.sqlite",
}
nlp.add_pipe("llm_synthesizrr", config={"task": TASKS[at.variant], "model": model})
if at.variant == "raw":
    for number, doc in enumerate(nlp.pipe(at.prompts())):
        at.answer(number, doc._.llm_reply or None)
else:
    for number, doc in enumerate(nlp.pipe(planned(nlp, text, number) for number, text in enumerate(at.prompts()))):
        at.answer(number, doc._.synthesizrr[0].get("fields", {}).get("text"))
