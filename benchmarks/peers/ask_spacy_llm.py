"""spacy-llm's REST model in processes of their own, errors ignored; "sequential" is one process, "strict" is the first error raised.

Its OpenAI model asks a fixed address which models there are before it makes a request elsewhere; that check is left out.
"""

from pathlib import Path

import spacy
from exchange import job
from spacy.util import ignore_error
from spacy_llm.models.rest.openai import OpenAI
from spacy_llm.registry import registry

PROCESSES = 16
BATCH = 4  # Docs that a process takes, asks for and keeps at a time; what is in a batch when it is killed is lost


class Local(OpenAI):
    """spacy-llm's OpenAI model for a server of our own."""

    def _verify_auth(self) -> None:
        """Nothing to verify."""


@registry.llm_models("benchmark.Local.v1")
def make_local(endpoint: str) -> Local:
    """endpoint (str): The whole address."""
    return Local("fake", endpoint, config={}, strict=True, max_tries=8, interval=0.05, max_request_time=30, context_length=None)


if __name__ == "__main__":
    at = job()
    nlp = spacy.blank("en")
    task = {"@llm_tasks": "spacy.Raw.v1", "template": "{{ text }}"}
    path = str(Path(at.folder) / "cache") if "cache" in at.variant else None
    cache = {"@llm_misc": "spacy.BatchCache.v1", "path": path, "batch_size": BATCH, "max_batches_in_mem": 4}
    model = {"@llm_models": "benchmark.Local.v1", "endpoint": f"{at.url}/chat/completions"}
    nlp.add_pipe("llm", config={"task": task, "model": model, "cache": cache})
    if "strict" not in at.variant:
        nlp.set_error_handler(ignore_error)
    rows = ((prompt, number) for number, prompt in enumerate(at.prompts()))
    docs = nlp.pipe(rows, as_tuples=True, batch_size=BATCH, n_process=1 if "sequential" in at.variant else PROCESSES)
    for doc, number in docs:
        at.answer(number, doc._.llm_reply)
