"""bespokelabs-curator: one LLM call over all prompts; the variant "defaults" leaves its limits as they are."""

import os
from importlib.util import find_spec

from exchange import job

at = job()
os.environ.update(
    CURATOR_CACHE_DIR=f"{at.folder}/curator", TELEMETRY_ENABLED="false", CURATOR_DISABLE_RICH_DISPLAY="1", OPENAI_API_KEY="none"
)
# it fetches a price list and a tokenizer when it starts; both lie in the wheel of litellm
litellm = find_spec("litellm").submodule_search_locations[0]
os.environ.update(LITELLM_LOCAL_MODEL_COST_MAP="True", TIKTOKEN_CACHE_DIR=f"{litellm}/litellm_core_utils/tokenizers")

from bespokelabs import curator  # noqa: E402

TUNED = {"max_concurrent_requests": at.in_flight, "max_requests_per_minute": 1_000_000, "max_tokens_per_minute": 1_000_000_000}


class Ask(curator.LLM):
    """The prompt as it is; the answer beside its number."""

    def prompt(self, row: dict) -> str:
        """RETURNS (str): What is asked."""
        return row["prompt"]

    def parse(self, row: dict, response: str) -> dict:
        """RETURNS (Dict): What is kept."""
        return {"number": row["number"], "answer": response}


limits = {} if at.variant == "defaults" else TUNED
llm = Ask(
    model_name="fake", backend="openai", backend_params={"base_url": at.url, "max_retries": 8, "require_all_responses": False, **limits}
)
rows = [{"number": number, "prompt": prompt} for number, prompt in enumerate(at.prompts())]
for row in llm(rows).dataset:
    at.answer(row["number"], row["answer"])
