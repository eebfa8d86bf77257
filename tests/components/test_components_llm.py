"""The llm component with a lazy pipe, with our tasks and models and with those of spacy-llm."""

import gc
import json
import logging
import pickle
import subprocess
import sys
import tracemalloc
import weakref
from collections.abc import Iterable
from typing import Any

import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy_llm.util import assemble

from spacy_synthesizrr.candidates import Candidate, Seed
from spacy_synthesizrr.errors import ConfigError, PlanError
from spacy_synthesizrr.models.answers.responses import Remembering, ResponseStore
from spacy_synthesizrr.models.scripted import make_scripted
from spacy_synthesizrr.prompts import Failure

TASK = {"@llm_tasks": "synthesizrr.Refine.v1", "labels": {"sport": "about sport", "firms": "about firms"}}
SCRIPTED = {"@llm_models": "synthesizrr.Scripted.v1"}
NO_WINDOW = "ignore:Task supports sharding:UserWarning"


def pipeline(factory="llm_synthesizrr", **config):
    nlp = spacy.blank("en")
    nlp.add_pipe(factory, config={"task": TASK, "model": SCRIPTED, **config})
    return nlp


def plan(nlp, text, k=1, label="sport"):
    doc = nlp.make_doc(text)
    seed = Seed.make([label], {"text": text})
    doc._.synthesizrr_planned = [
        {"candidate": Candidate.plan(task="t", strategy="s", seed=seed, passage_id=f"{text}-{n}").to_dict(), "passage": f"{text} {n}"}
        for n in range(k)
    ]
    return doc


def docs(nlp, count, k=1):
    return (plan(nlp, f"doc {number}", k) for number in range(count))


def texts(doc):
    return [row.get("fields", {}).get("text") for row in doc._.synthesizrr]


def reasons(doc):
    return [row["events"][-1].get("reason", "") for row in doc._.synthesizrr]


def test_one_doc_with_k_plans_gives_k_candidates():
    nlp = pipeline()
    assert texts(nlp(plan(nlp, "cup", k=3))) == ["about sport: cup 0", "about sport: cup 1", "about sport: cup 2"]


def test_order_and_number_are_kept_through_pipe():
    nlp = pipeline()
    done = list(nlp.pipe(docs(nlp, 7, k=2)))
    assert [texts(doc) for doc in done] == [[f"about sport: doc {n} {k}" for k in range(2)] for n in range(7)]


def test_the_default_component_needs_no_config_but_labels():
    nlp = spacy.blank("en")
    nlp.add_pipe("llm_synthesizrr", config={"task": {"labels": {"sport": "about sport"}}})
    assert texts(nlp(plan(nlp, "The club won."))) == ["The club won. 0"]


def test_the_model_is_called_once_for_the_whole_stream():
    nlp, calls = pipeline(), []
    inner = nlp.get_pipe("llm_synthesizrr").model

    class Counting:
        def __call__(self, prompts):
            calls.append(1)
            yield from inner(prompts)

    nlp.get_pipe("llm_synthesizrr").model = Counting()
    assert len(list(nlp.pipe(docs(nlp, 40), batch_size=8))) == 40
    assert len(calls) == 1


def test_a_model_that_takes_far_ahead_keeps_order():
    class Hoarding:
        lazy = True

        def __call__(self, prompts: Iterable[Iterable[Any]]) -> Iterable[Iterable[Any]]:
            return iter([[f"answer {n}"] for n, _ in enumerate(prompts)])

    nlp = pipeline()
    nlp.get_pipe("llm_synthesizrr").model = Hoarding()
    assert [texts(doc) for doc in nlp.pipe(docs(nlp, 30))] == [[f"answer {n}"] for n in range(30)]


def test_the_first_doc_comes_before_the_last_goes_in():
    nlp, taken = pipeline(), []

    def stream():
        for doc in docs(nlp, 1000):
            taken.append(1)
            yield doc

    next(iter(nlp.get_pipe("llm_synthesizrr").pipe(stream())))
    assert len(taken) <= 2


def test_memory_does_not_follow_the_number_of_docs():
    nlp = pipeline(model={"@llm_models": "synthesizrr.Extractive.v1"})

    def peak(rows):
        same = (plan(nlp, "the same words") for _ in range(rows))  # new words would stay in spaCy's vocabulary
        tracemalloc.start()
        for number, _ in enumerate(nlp.get_pipe("llm_synthesizrr").pipe(same)):
            if number % 50 == 0:
                gc.collect()
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak(20)
    assert peak(1000) < 1.2 * peak(300)


@pytest.mark.parametrize("factory", ["llm_synthesizrr", pytest.param("llm", marks=pytest.mark.filterwarnings(NO_WINDOW))])
def test_a_model_of_spacy_llm_gives_typed_failures_and_no_exception(factory):
    nlp = pipeline(factory, model={"@llm_models": "spacy.NoOp.v1"})
    done = list(nlp.pipe(docs(nlp, 3, k=4)))
    assert [reasons(doc) for doc in done] == [["empty", "missing", "missing", "missing"]] * 3


@pytest.mark.filterwarnings(NO_WINDOW)
def test_plain_llm_works_with_our_task_and_model():
    nlp = pipeline("llm")
    assert [texts(doc) for doc in nlp.pipe(docs(nlp, 3, k=2))] == [texts(doc) for doc in pipeline().pipe(docs(nlp, 3, k=2))]


@pytest.mark.filterwarnings(NO_WINDOW)
@pytest.mark.parametrize("factory", ["llm", "llm_synthesizrr"])
@pytest.mark.parametrize(
    "task",
    [
        {"@llm_tasks": "spacy.TextCat.v3", "labels": "sport,firms"},
        {"@llm_tasks": "spacy.NER.v3", "labels": "PERSON,ORG"},
        {"@llm_tasks": "spacy.Raw.v1"},
    ],
)
def test_one_failure_in_three_keeps_three_docs_in_spacy_llms_own_tasks(factory, task):
    nlp = spacy.blank("en")
    nlp.add_pipe(factory, config={"task": task, "model": {**SCRIPTED, "answers": ["sport"], "fail": {"every": 3, "kind": "timeout"}}})
    assert [doc.text for doc in nlp.pipe(["one", "two", "three"])] == ["one", "two", "three"]


def test_a_task_that_does_not_shard_works_too():
    nlp = spacy.blank("en")
    nlp.add_pipe("llm_synthesizrr", config={"task": {"@llm_tasks": "spacy.NoOpNoShards.v1"}, "model": SCRIPTED, "save_io": True})
    [doc] = list(nlp.pipe(["one"]))
    assert doc.user_data["llm_io"]["llm_synthesizrr"] == {"prompt": "Don't do anything.", "response": ": "}


def test_contexts_and_user_data_stay_with_their_docs():
    nlp = pipeline()
    pairs = [(doc, number) for number, doc in enumerate(docs(nlp, 5))]
    for doc, number in pairs:
        doc.user_data["mine"] = number
    done = list(nlp.pipe(pairs, as_tuples=True))
    assert [(doc.user_data["mine"], context, texts(doc)) for doc, context in done] == [
        (n, n, [f"about sport: doc {n} 0"]) for n in range(5)
    ]


def test_contexts_survive_a_task_that_returns_new_docs():
    nlp = spacy.blank("en")
    nlp.add_pipe("llm_synthesizrr", config={"task": {"@llm_tasks": "spacy.NoOp.v1"}, "model": SCRIPTED})
    pairs = [(nlp.make_doc(text), text) for text in ("one", "two")]
    pairs[0][0].user_data["mine"] = 1
    done = list(nlp.pipe(pairs, as_tuples=True))
    assert [(doc.text.strip(), context) for doc, context in done] == [("one", "one"), ("two", "two")]
    assert done[0][0].user_data["mine"] == 1


def test_two_processes_give_what_one_gives():
    nlp = pipeline()
    one = [texts(doc) for doc in nlp.pipe(docs(nlp, 6, k=2))]
    two = [texts(doc) for doc in nlp.pipe(docs(nlp, 6, k=2), n_process=2, batch_size=3)]
    assert one == two


def test_save_io_keeps_prompts_and_answers():
    nlp = pipeline(save_io=True)
    [doc] = list(nlp.pipe(docs(nlp, 1, k=2)))
    io = doc.user_data["llm_io"]["llm_synthesizrr"]
    assert io["response"] == ["about sport: doc 0 0", "about sport: doc 0 1"]
    assert [("doc 0 0" in prompt, type(prompt)) for prompt in io["prompt"]] == [(True, str), (False, str)]
    assert "llm_io" not in pipeline()(plan(nlp, "x")).user_data


def test_save_io_with_a_model_that_answers_too_little():
    nlp = pipeline(save_io=True, model={"@llm_models": "spacy.NoOp.v1"})
    [doc] = list(nlp.pipe(docs(nlp, 1, k=2)))
    assert doc.user_data["llm_io"]["llm_synthesizrr"]["response"] == [""]


def test_results_survive_a_docbin():
    nlp = pipeline()
    before = nlp(plan(nlp, "cup", k=2))
    [after] = DocBin(docs=[before], store_user_data=True).get_docs(nlp.vocab)
    assert [Candidate.from_dict(row) for row in after._.synthesizrr] == [Candidate.from_dict(row) for row in before._.synthesizrr]
    assert texts(nlp(after)) == texts(before)


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def too_many(nlp):
    return plan(nlp, "many", k=33)


def test_a_doc_that_cannot_be_asked_about_raises_by_default():
    nlp = pipeline()
    with pytest.raises(PlanError, match="33 planned"):
        list(nlp.pipe([too_many(nlp)]))
    with pytest.raises(PlanError, match="33 planned"):
        nlp(too_many(nlp))


def test_a_handler_that_goes_on_loses_only_the_bad_doc():
    nlp, seen = pipeline(), []
    nlp.set_error_handler(lambda name, component, docs, error: seen.append([doc.text for doc in docs]))
    done = list(nlp.pipe([plan(nlp, "a"), too_many(nlp), plan(nlp, "b")]))
    assert ([doc.text for doc in done], seen) == (["a", "b"], [["many"]])


def test_a_handler_that_raises_is_asked_once():
    nlp, seen = pipeline(), []

    def handler(name, component, docs, error):
        seen.append(len(docs))
        raise ValueError("stop") from error

    nlp.set_error_handler(handler)
    with pytest.raises(ValueError, match="stop"):
        list(nlp.pipe([plan(nlp, "a"), too_many(nlp)]))
    assert seen == [1]


def test_a_failing_model_goes_to_the_handler_and_the_stream_goes_on():
    class Fragile:
        lazy = True

        def __call__(self, prompts: Iterable[Iterable[Any]]) -> Iterable[Iterable[Any]]:
            for group in prompts:
                group = list(group)
                if "bad" in group[0]:
                    raise RuntimeError("no")
                yield ["fine"] * len(group)

    nlp, seen = pipeline(), []
    nlp.get_pipe("llm_synthesizrr").model = Fragile()
    nlp.set_error_handler(lambda name, component, docs, error: seen.append(([doc.text for doc in docs], str(error))))
    done = list(nlp.pipe([plan(nlp, "a"), plan(nlp, "bad"), plan(nlp, "c"), plan(nlp, "d")]))
    assert [doc.text for doc in done] == ["a", "c", "d"]
    assert seen == [(["bad"], "no")]


def test_an_answer_that_the_task_cannot_parse_costs_its_own_doc_alone():
    class Picky:
        def generate_prompts(self, docs: Iterable[Doc]) -> Iterable[str]:
            yield from (doc.text for doc in docs)

        def parse_responses(self, docs: Iterable[Doc], responses: Iterable[list[str]]) -> Iterable[Doc]:
            for doc, _ in zip(docs, responses, strict=True):
                if "bad" in doc.text:
                    raise ValueError("no number in it")
                yield doc

    nlp, seen = pipeline(), []
    nlp.get_pipe("llm_synthesizrr")._task = Picky()
    nlp.set_error_handler(lambda name, component, docs, error: seen.append(([doc.text for doc in docs], str(error))))
    done = list(nlp.pipe([plan(nlp, "a"), plan(nlp, "bad"), plan(nlp, "c")]))
    assert ([doc.text for doc in done], seen) == (["a", "c"], [(["bad"], "no number in it")])


class Token:
    """Lives as long as the Doc that holds it."""


@pytest.mark.filterwarnings(NO_WINDOW)
def test_docs_that_came_out_are_kept_nowhere_whatever_the_task():
    nlp, alive = pipeline(task={"@llm_tasks": "spacy.Raw.v1"}), weakref.WeakSet()

    def stream():
        for number in range(60):
            doc = nlp.make_doc(f"doc {number}")
            doc.user_data["token"] = token = Token()
            alive.add(token)
            yield doc

    most = 0
    for _ in nlp.pipe(stream()):
        gc.collect()
        most = max(most, len(alive))
    assert most < 20


def test_a_model_that_always_fails_comes_to_an_end():
    class Broken:
        lazy = True

        def __call__(self, prompts: Iterable[Iterable[Any]]) -> Iterable[Iterable[Any]]:
            raise RuntimeError("401")

    nlp, seen = pipeline(), []
    nlp.get_pipe("llm_synthesizrr").model = Broken()
    nlp.set_error_handler(lambda name, component, docs, error: seen.append([doc.text for doc in docs]))
    assert list(nlp.pipe(docs(nlp, 2))) == []
    assert seen == [["doc 0"], ["doc 1"], []]


def test_an_error_of_an_earlier_component_is_not_ours_to_handle():
    nlp, seen = pipeline(), []
    component = nlp.get_pipe("llm_synthesizrr")
    component.set_error_handler(lambda *error: seen.append(error))

    def stream():
        yield plan(nlp, "a")
        raise KeyError("upstream")

    with pytest.raises(KeyError, match="upstream"):
        list(component.pipe(stream()))
    assert seen == []


def test_a_task_that_loses_docs_is_an_error():
    class Losing:
        def generate_prompts(self, docs: Iterable[Doc]) -> Iterable[str]:
            for _ in docs:
                yield "x"

        def parse_responses(self, docs: Iterable[Doc], responses: Iterable[str]) -> Iterable[Doc]:
            return []

    nlp = pipeline()
    nlp.get_pipe("llm_synthesizrr")._task = Losing()
    with pytest.raises(RuntimeError, match="fewer Docs than it took"):
        nlp("one")


def test_an_empty_stream_asks_nothing():
    assert list(pipeline().pipe([])) == []
    assert list(pipeline(model={"@llm_models": "spacy.NoOp.v1"}).pipe([])) == []


def test_a_cache_with_a_path_is_refused(tmp_path):
    cache = {"@llm_misc": "spacy.BatchCache.v1", "path": str(tmp_path / "cache"), "batch_size": 8, "max_batches_in_mem": 1}
    with pytest.raises(ConfigError, match="sum of its words"):
        pipeline(cache=cache)
    assert pipeline(cache={**cache, "path": None}).has_pipe("llm_synthesizrr")


def test_a_component_without_a_task_is_refused():
    with pytest.raises(ConfigError, match="has no task"):
        pipeline(task=None)


def test_types_are_checked_unless_switched_off():
    @spacy.registry.misc("test_untyped_model.v1")
    def make():
        return lambda prompts: prompts

    with pytest.raises(ValueError, match="one input argument"):
        pipeline(model={"@misc": "test_untyped_model.v1"})
    assert pipeline(model={"@misc": "test_untyped_model.v1"}, validate_types=False).has_pipe("llm_synthesizrr")


# ── spaCy's ways ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_missing_retriever_is_named():
    assert pipeline().analyze_pipes()["problems"] == {"llm_synthesizrr": ["doc._.synthesizrr_passages"]}
    nlp = pipeline()
    nlp.add_pipe("synthesizrr_retriever", first=True)
    assert not any(nlp.analyze_pipes()["problems"].values())


def test_labels_are_those_of_the_task():
    assert pipeline().pipe_labels["llm_synthesizrr"] == ["sport", "firms"]


BARE = """
import sys, spacy
nlp = spacy.load(sys.argv[1])
doc = nlp.make_doc("x")
row = {"v": 1, "id": "c", "strategy": "s", "labels": ["sport"], "seed_id": "s", "passage_id": "p"}
doc._.synthesizrr_planned = [{"candidate": row, "passage": "They won."}]
print(nlp(doc)._.synthesizrr[0]["fields"]["text"], nlp.pipe_labels["llm_synthesizrr"])
"""


def test_a_saved_pipeline_loads_where_nobody_imports_our_package(tmp_path):
    pipeline().to_disk(tmp_path / "saved")
    done = subprocess.run([sys.executable, "-W", "error", "-c", BARE, str(tmp_path / "saved")], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "about sport: They won. ['sport', 'firms']", done.stderr


def test_config_and_state_survive_disk_and_bytes(tmp_path):
    nlp = pipeline(task={"@llm_tasks": "synthesizrr.Refine.v1"})
    example = nlp.make_doc("won")
    example.cats = {"sport": 1.0}
    nlp.config["initialize"]["components"]["llm_synthesizrr"] = {"n_prompt_examples": 1}
    nlp.initialize(lambda: [Example(example, example)])
    nlp.to_disk(tmp_path / "saved")
    loaded = spacy.load(tmp_path / "saved")
    other = pipeline(task={"@llm_tasks": "synthesizrr.Refine.v1"}).from_bytes(nlp.to_bytes())
    templates = [pipe.get_pipe("llm_synthesizrr").task.prompt_template for pipe in (nlp, loaded, other)]
    assert templates[0] == templates[1] == templates[2] and "won" in templates[0]
    assert loaded.config.to_str() == nlp.config.to_str()


def test_an_override_holds_when_a_pipeline_is_loaded(tmp_path):
    pipeline().to_disk(tmp_path / "saved")
    loaded = spacy.load(tmp_path / "saved", config={"components.llm_synthesizrr.task.max_words": 7})
    assert loaded.get_pipe("llm_synthesizrr").task.words.max_words == 7


@pytest.fixture
def config_file(tmp_path):
    (tmp_path / "mine.jinja").write_text("{{ passage }} -> {{ verbalization }}", encoding="utf-8")
    path = tmp_path / "config.cfg"
    path.write_text(
        f"""
[nlp]
lang = "en"
pipeline = ["llm_synthesizrr"]

[components]

[components.llm_synthesizrr]
factory = "llm_synthesizrr"

[components.llm_synthesizrr.task]
@llm_tasks = "synthesizrr.Refine.v1"
labels = ["sport", "firms"]
template = {{"@misc": "spacy.FileReader.v1", "path": {json.dumps(str(tmp_path / "mine.jinja"))}}}

[components.llm_synthesizrr.model]
@llm_models = "synthesizrr.Scripted.v1"
template = "{{prompt}}"
""",
        encoding="utf-8",
    )
    return path


def test_spacy_llms_assemble_takes_overrides(config_file):
    nlp = assemble(config_file, overrides={"components.llm_synthesizrr.model.template": "<{prompt}>"})
    assert texts(nlp(plan(nlp, "cup"))) == ["<cup 0 -> about sport>"]


def test_spacy_assemble_writes_a_pipeline(config_file, tmp_path):
    command = [sys.executable, "-m", "spacy", "assemble", str(config_file), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    nlp = spacy.load(tmp_path / "out")
    assert texts(nlp(plan(nlp, "cup"))) == ["cup 0 -> about sport"]


def test_the_component_pickles(tmp_path):
    nlp = pipeline()
    component = nlp.get_pipe("llm_synthesizrr")
    component.model = Remembering(make_scripted(), ResponseStore(tmp_path / "a.sqlite"))
    copy = pickle.loads(pickle.dumps(component))
    assert texts(copy(plan(nlp, "cup"))) == ["about sport: cup 0"]
    copy.model.store.close()


def test_a_remembering_model_fits_the_types_that_spacy_llm_checks(tmp_path):
    from spacy_llm.ty import validate_type_consistency

    with ResponseStore(tmp_path / "a.sqlite") as answers:
        validate_type_consistency(pipeline().get_pipe("llm_synthesizrr").task, Remembering(make_scripted(), answers))


def test_a_failure_is_logged_by_nobody_and_kept_on_the_doc(caplog):
    nlp = pipeline(model={**SCRIPTED, "fail": {"every": 1, "kind": "rate_limited"}})
    with caplog.at_level(logging.WARNING):
        doc = nlp(plan(nlp, "cup"))
    assert reasons(doc) == ["rate_limited"] and texts(doc) == [None] and not caplog.records
    assert Failure("rate_limited") == ""
