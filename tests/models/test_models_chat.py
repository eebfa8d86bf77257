"""The chat model against a server that behaves: order, concurrency, the store, spaCy."""

import pickle
import threading
import tracemalloc

import pytest
import spacy
from asking import ask, ask_once, chat, kinds, texts
from faulty import HANG, OK, Fault, FaultServer, always, prompt_of

from spacy_synthesizrr.errors import TeacherError
from spacy_synthesizrr.models.answers.memory import remember
from spacy_synthesizrr.models.answers.responses import ResponseStore
from spacy_synthesizrr.models.scripted import make_scripted
from spacy_synthesizrr.prompts import Answer, Prompt


@pytest.fixture(scope="module")
def calm():
    with FaultServer() as running:
        yield running


def test_answers_come_in_order_with_what_they_cost(calm, store):
    with chat(calm, store, parameters={"max_tokens": 50}) as model:
        groups = [list(group) for group in model(iter([["a", "b"], [], ["c"]]))]
    assert groups == [["answer to a", "answer to b"], [], ["answer to c"]]
    answer = groups[0][0]
    assert isinstance(answer, Answer)
    assert (answer.model, answer.prompt_tokens, answer.answer_tokens, answer.finish) == ("m", 10, 5, "stop")
    assert store.get(answer.request) == answer


def test_requests_are_in_flight_together_up_to_the_limit(store):
    with FaultServer(seconds=0.05) as server:
        answers = ask_once(server, store, texts(60), requests={"max_in_flight": 20})
    assert (kinds(answers), server.peak) == ({"answer": 60}, 20)


def test_prompts_are_taken_lazily(store):
    taken = []

    def prompts():
        for text in texts(1000):
            taken.append(text)
            yield [text]

    with FaultServer(seconds=0.01) as server, chat(server, store, requests={"max_in_flight": 4}) as model:
        answers = iter(model(prompts()))
        next(answers)
        assert len(taken) <= 30
        answers.close()


def test_what_the_store_knows_is_not_asked(store):
    with FaultServer() as server:
        first = ask_once(server, store, texts(10))
        second = ask_once(server, store, [*texts(10), "new"])
    assert second[:10] == first
    assert server.prompts[10:] == ["new"]


def test_equal_requests_in_flight_share_one_answer(store):
    with FaultServer(seconds=0.05) as server:
        answers = ask_once(server, store, ["same"] * 20)
    assert (len(server.asked), set(answers)) == (1, {"answer to same"})


def test_draws_are_asked_apart_each_with_a_seed_of_its_own(store):
    with FaultServer() as server:
        ask_once(server, store, [Prompt("same", draw=draw) for draw in range(3)], parameters={"seed": 7})
    assert sorted(body["seed"] for body in server.asked) == [7, 8, 9]


def test_the_body_is_what_the_config_says(calm, store):
    turns = [("user", "q"), ("assistant", "a"), ("user", "r")]
    prompt = Prompt("q", messages=[{"role": role, "content": content} for role, content in turns])
    calm.asked.clear()
    parameters = {"temperature": 0.7, "max_tokens": 9, "response_format": {"type": "json_object"}}
    ask_once(calm, store, [prompt], model="big", system="be brief", parameters=parameters, extra_body={"top_k": 4})
    roles = [(message["role"], message["content"]) for message in calm.asked[0]["messages"]]
    assert roles == [("system", "be brief"), *turns]
    assert {key: value for key, value in calm.asked[0].items() if key != "messages"} == {"model": "big", "top_k": 4, **parameters}


def test_a_hung_request_does_not_stall_the_rest(store):
    with FaultServer(lambda number, body: HANG if prompt_of(body) == "prompt 0" else OK) as server:
        answers = ask_once(
            server, store, texts(200), requests={"max_in_flight": 4, "connect_timeout": 1, "read_timeout": 0.5, "max_retries": 0}
        )
        assert kinds(answers) == {"timeout": 1, "answer": 199}
        assert len(server.asked) == 200


def test_the_rest_runs_while_the_first_request_hangs(store):
    seen = threading.Event()

    def plan(number, body):
        if len(server.asked) >= 100:
            seen.set()
        return HANG if number == 0 else OK

    with FaultServer(plan) as server, chat(server, store, requests={"max_in_flight": 2, "read_timeout": 30}) as model:
        told = []

        def first_answer():
            with pytest.raises(TeacherError, match="closed") as caught:
                next(iter(model([text] for text in texts(120))))
            told.append(caught)

        asking = threading.Thread(target=first_answer, daemon=True)
        asking.start()
        assert seen.wait(20)
        model.close(grace=0)
        asking.join(20)
        assert told


def test_the_window_bounds_what_is_taken_while_the_first_request_hangs(store):
    taken = []

    def prompts():
        for text in texts(1000):
            taken.append(text)
            yield [text]

    timing = {"max_in_flight": 2, "read_ahead": 8, "connect_timeout": 0.5, "read_timeout": 0.5, "max_retries": 0}
    with FaultServer(lambda number, body: HANG if number == 0 else OK) as server, chat(server, store, requests=timing) as model:
        answers = iter(model(prompts()))
        next(answers)
        assert len(taken) <= 2 * 8 + 1
        answers.close()


def test_memory_is_flat_in_the_number_of_prompts(calm, store):
    def peak(rows, start):
        with chat(calm, store, requests={"max_in_flight": 8}) as model:
            tracemalloc.start()
            for _ in model([f"{start + number} " + "long " * 200] for number in range(rows)):
                calm.forget()
            size = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return size

    peak(100, 0)
    assert peak(1500, 1000) < 1.5 * peak(300, 10_000) + 300_000


def test_a_stream_that_is_not_read_to_its_end_leaves_nothing_behind(store):
    with FaultServer(seconds=0.05) as server, chat(server, store, requests={"max_in_flight": 4}) as model:
        for _ in range(3):
            answers = iter(model([text] for text in texts(50)))
            next(answers)
            answers.close()
        assert ask(model, texts(50)) == [f"answer to {text}" for text in texts(50)]
    assert max(server.paid.values()) == 1


def test_two_streams_share_one_pool(store):
    with FaultServer(seconds=0.01) as server, chat(server, store, requests={"max_in_flight": 4}) as model:
        pairs = list(zip(model([t] for t in texts(40)), model([t] for t in texts(40, 20)), strict=True))
    assert [str(one[0]) for one, _ in pairs] == [f"answer to {text}" for text in texts(40)]
    assert (server.peak, len(server.asked)) == (4, 60)


def test_the_model_is_usable_again_after_close(store):
    with FaultServer() as server, chat(server, store) as model:
        ask(model, ["a"])
        model.close()
        assert ask(model, ["a", "b"]) == ["answer to a", "answer to b"]
    assert len(server.asked) == 2


def test_without_a_store_a_temporary_one_serves(calm):
    with chat(calm) as model:
        assert ask(model, ["a", "a"]) == ["answer to a"] * 2


def test_the_configs_own_store_is_shared_by_runs(calm, store, tmp_path):
    shared = str(tmp_path / "shared" / "answers.sqlite")
    calm.asked.clear()
    for scope in ("one", "two"):
        ask_once(calm, store, ["a"], responses=shared, scope=scope)
    assert (len(calm.asked), len(store)) == (1, 0)


def test_a_port_or_the_pace_changes_no_key_but_path_and_parameters_do(store):
    with FaultServer() as one, FaultServer() as two:
        ask_once(one, store, ["a"])
        ask_once(two, store, ["a"], requests={"max_in_flight": 3}, budget={"max_requests": 9})
        ask_once(two, store, ["a"], parameters={"temperature": 0.5})
        ask_once(two, store, ["a"], system="s")
        ask_once(two, store, ["a"], endpoint_identity="other")
    assert (len(one.asked), len(two.asked)) == (1, 3)


def test_remember_gives_the_store_to_a_model_that_owns_it_and_wraps_others(calm, store):
    with chat(calm) as model:
        assert remember(model, store) is model
        ask(model, ["a"])
        assert len(store) == 1
    assert remember(make_scripted(), store).store is store


def test_the_store_is_for_its_owner_only(calm, tmp_path):
    path = tmp_path / "new" / "answers.sqlite"
    ask_once(calm, None, ["a"], responses=str(path))
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


# ── spaCy ────────────────────────────────────────────────────────────────────────────────────────────────────────────

LLM = {
    "textcat": (
        {"@llm_tasks": "spacy.TextCat.v3", "labels": ["sport", "science"]},
        "sport",
        lambda doc: doc.cats == {"sport": 1.0, "science": 0.0},
    ),
    "ner": ({"@llm_tasks": "spacy.NER.v2", "labels": ["PERSON"]}, "PERSON: Ada", lambda doc: [ent.text for ent in doc.ents] == ["Ada"]),
    "raw": ({"@llm_tasks": "spacy.Raw.v1"}, "hello", lambda doc: doc._.llm_reply == "hello"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("factory", ["llm", "llm_synthesizrr"])
@pytest.mark.parametrize("name", LLM)
def test_every_task_of_spacy_llm_works(name, factory):
    task, answer, holds = LLM[name]
    with FaultServer(always(Fault(answer=answer))) as server:
        nlp = spacy.blank("en")
        model = {"@llm_models": "synthesizrr.ChatCompletions.v1", "base_url": server.url, "model": "m"}
        nlp.add_pipe(factory, name="asker", config={"task": task, "model": model})
        docs = list(nlp.pipe(["Ada plays chess.", "Ada wins."]))
        assert all(holds(doc) for doc in docs)
        nlp.get_pipe("asker")._model.close()


def test_it_can_be_pickled_also_after_use(calm, store):
    with chat(calm, store, system="s") as model:
        ask(model, ["a"])
        copy = pickle.loads(pickle.dumps(model))
        assert copy.identity == model.identity
        assert ask(copy, ["a"]) == ["answer to a"]
        copy.close()


def test_more_than_one_process_is_refused_with_the_way_out(calm):
    nlp = spacy.blank("en")
    model = {"@llm_models": "synthesizrr.ChatCompletions.v1", "base_url": calm.url, "model": "m"}
    nlp.add_pipe("llm_synthesizrr", config={"task": {"@llm_tasks": "spacy.Raw.v1"}, "model": model})
    calm.asked.clear()
    with pytest.raises(ValueError, match="n_process = 1"):
        list(nlp.pipe(["a", "b"], n_process=2))
    assert not calm.asked


def test_a_missing_key_is_named_at_the_first_prompt_and_not_before(calm, monkeypatch):
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with chat(calm, api_key_env="NO_SUCH_KEY") as model, pytest.raises(TeacherError, match="NO_SUCH_KEY is not set"):
        ask(model, ["a"])


def test_an_answer_that_cannot_be_written_ends_everything(calm, store, monkeypatch):
    import spacy_synthesizrr.models.answers.ledger as ledger
    from spacy_synthesizrr.errors import RunFolderError

    def full(*args, **kwargs):
        raise OSError("disk full")

    with chat(calm, store) as model:
        monkeypatch.setattr(ledger, "write", full)
        with pytest.raises(RunFolderError, match="disk full.*no answer is handed on that is not kept"):
            ask(model, ["a"])


def test_two_processes_of_one_store_do_not_lose_answers(calm, tmp_path):
    path = tmp_path / "answers.sqlite"
    with ResponseStore(path) as one, ResponseStore(path) as two, chat(calm, one) as first, chat(calm, two) as second:
        threads = [threading.Thread(target=ask, args=(model, texts(50, start))) for model, start in ((first, 0), (second, 50))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(one) == 100


def test_what_the_callers_prompts_raise_comes_after_the_answers_that_were_paid(calm, store):
    def prompts():
        yield from ([text] for text in texts(20))
        raise ValueError("bad row 20")

    with chat(calm, store, requests={"max_in_flight": 4}) as model:
        answers = []
        with pytest.raises(ValueError, match="bad row 20"):
            answers.extend(model(prompts()))
        assert len(answers) == 20


def test_docs_without_prompts_are_not_taken_without_end(store):
    taken = []

    def prompts():
        yield ["slow"]
        for number in range(10_000):
            taken.append(number)
            yield []

    with FaultServer(seconds=0.3) as server, chat(server, store, requests={"max_in_flight": 1, "read_ahead": 8}) as model:
        assert next(iter(model(prompts()))) == ["answer to slow"]
        assert len(taken) < 100


def test_closing_and_asking_again_forgets_neither_answers_nor_caps_without_a_store_of_ones_own(calm):
    calm.forget()
    with chat(calm, budget={"max_requests": 3}) as model:
        for _ in range(2):
            assert kinds(ask(model, texts(6))) == {"answer": 3, "budget": 3}
            model.close()
    assert len(calm.asked) == 3


def test_a_seed_counts_up_by_the_draw_wherever_it_stands(calm, store):
    calm.forget()
    ask_once(calm, store, [Prompt("p", draw=draw) for draw in range(3)], extra_body={"seed": 7})
    assert [body["seed"] for body in calm.asked] == [7, 8, 9]


def test_a_parameter_that_is_null_is_not_set(calm, store):
    calm.forget()
    ask_once(calm, store, ["p"], parameters={"temperature": None, "top_p": 0.5})
    assert "temperature" not in calm.asked[0] and calm.asked[0]["top_p"] == 0.5


def test_a_new_store_at_a_relative_path_is_told_of(calm, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    ask_once(calm, None, ["p"], responses="answers/kept.sqlite")
    assert str(tmp_path / "answers" / "kept.sqlite") in caplog.text
