"""The money of a run that spends on the account of a grid: its own requests, not those of the other runs."""

from spacy_synthesizrr.context import Context
from spacy_synthesizrr.models.answers import ledger
from spacy_synthesizrr.models.answers.budget import Spent
from spacy_synthesizrr.models.answers.responses import ResponseStore
from spacy_synthesizrr.report.collect import collect
from spacy_synthesizrr.steps.report import spent_money
from spacy_synthesizrr.teachers import answers_file


def test_a_run_of_a_grid_tells_what_it_asked_itself(walked):
    ctx = Context(walked.folder, {**walked.inputs, "account": "grid/0a0a"})
    assert ctx.mark == "tiny: " and walked.mark == ""
    with ResponseStore(answers_file(ctx, {})) as store:
        ledger.prepare(store)
        with store.transaction(flush=False) as connection:
            for run, requests in (("tiny: ", 3), ("other: ", 100)):
                purpose = ledger.Purpose(ctx.scope, "model", f"{run}synthesize main")
                ledger.write(connection, [ledger.Entry(Spent(requests, 10, 5), cost=1.0)], identity="m", purpose=purpose)
    found = spent_money(ctx)
    assert (found["spent"]["requests"], found["spent"]["cost"]) == (3, 1.0)
    assert [one["stage"] for one in found["stages"]] == ["synthesize main"]
    assert collect(ctx, money=found)["money"]["shared"] is True
