"""`synthesizrr.ChatCompletions.v1`, called directly."""

from exchange import job

from spacy_synthesizrr.models.chat.model import make_chat_completions

at = job()
model = make_chat_completions(at.url, "fake", requests={"max_in_flight": at.in_flight}, responses=f"{at.folder}/answers.sqlite")
lowest = highest = at.in_flight  # the limit at its lowest, and at its highest after that
for number, [answer] in enumerate(model([prompt] for prompt in at.prompts())):
    at.answer(number, str(answer) or None)
    if number % 16 == 0:
        limit = model.status()["limit"]
        lowest, highest = (limit, limit) if limit < lowest else (lowest, max(highest, limit))
status = model.status()
at.report(lowest_limit=lowest, highest_after=highest, in_flight=status["in_flight"], counted=status["requests"])
model.close()
