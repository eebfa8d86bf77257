"""distilabel: a pipeline of one TextGeneration step.

It sends all prompts of a batch at once and has no other limit of requests in flight, so a batch is as large as that limit; the
variant "one" makes one batch of all prompts, which keeps no limit.
"""

import os

from exchange import job

at = job()
os.environ.update(DISTILABEL_LOG_LEVEL="ERROR", HF_HUB_OFFLINE="1", HF_DATASETS_CACHE=f"{at.folder}/datasets")

from distilabel.models import OpenAILLM  # noqa: E402
from distilabel.pipeline import Pipeline  # noqa: E402
from distilabel.steps import LoadDataFromDicts  # noqa: E402
from distilabel.steps.tasks import TextGeneration  # noqa: E402

if __name__ == "__main__":
    rows = [{"number": number, "instruction": prompt} for number, prompt in enumerate(at.prompts())]
    size = len(rows) if at.variant == "one" else at.in_flight
    with Pipeline(name="benchmark", cache_dir=f"{at.folder}/distilabel") as pipeline:
        load = LoadDataFromDicts(data=rows, batch_size=size)
        llm = OpenAILLM(model="fake", base_url=at.url, api_key="none", max_retries=8)
        load >> TextGeneration(llm=llm, input_batch_size=size, use_default_structured_output=False)
    done = pipeline.run(use_cache=True)
    for row in done["default"]["train"]:
        at.answer(row["number"], row["generation"])
