"""The local transformers model, with torch. Run by test_models_hf_inside.py, in a child process that has it."""

import gc
import json
import math
import pickle
import random
import socket
import subprocess
import sys
import threading
import warnings
import weakref
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import spacy
import tiny_llm
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from spacy_synthesizrr.errors import ConfigError, TeacherError
from spacy_synthesizrr.models.answers.memory import remember
from spacy_synthesizrr.models.answers.responses import ResponseStore, request_hash
from spacy_synthesizrr.models.hf import noise as hf_noise
from spacy_synthesizrr.models.hf.model import make_hf_causal_lm
from spacy_synthesizrr.prompts import Answer, Prompt

LONGEST = 100
SHORT = {"max_tokens": LONGEST}
SAYS = ["a", "red", "green", "blue", "a red bed", "b", "nag", "e e e e e e", "under a green leaf", "c"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return str(tiny_llm.save(tmp_path_factory.mktemp("models") / "tiny"))


@pytest.fixture(scope="module")
def chatty(tmp_path_factory):
    return str(tiny_llm.save(tmp_path_factory.mktemp("models") / "chatty", template=tiny_llm.TEMPLATE))


def make(path, **settings):
    return make_hf_causal_lm(path, **{"parameters": SHORT, "device": "cpu", **settings})


def ask(model, prompts):
    return [result for [result] in model([prompt] for prompt in prompts)]


def told(results):
    """Texts, and kinds of failures."""
    return [getattr(result, "kind", str(result)) for result in results]


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_prompt_gets_an_answer_with_what_it_took_or_a_failure(tiny):
    results = ask(make(tiny), SAYS)
    answers = [(said, result) for said, result in zip(SAYS, results, strict=True) if isinstance(result, Answer)]
    assert len(answers) > 5
    reads = AutoTokenizer.from_pretrained(tiny)
    for said, answer in answers:
        assert (answer.model, answer.finish) == ("tiny", "stop")
        assert answer.prompt_tokens == len(reads(said)["input_ids"])
        assert 0 < answer.answer_tokens < LONGEST
        assert answer.request == request_hash(said, identity=make(tiny).identity)
    assert {result.kind for result in results if not isinstance(result, Answer)} <= {"truncated"}


def test_an_answer_does_not_depend_on_its_batch(tiny):
    prompts = [Prompt(said, draw=draw) for said in SAYS for draw in range(2)]
    alone = {(str(prompt), prompt.draw): text for prompt, text in zip(prompts, told(ask(make(tiny, batch_size=1), prompts)), strict=True)}
    for batch_size in (3, 20):
        mixed = random.Random(batch_size).sample(prompts, len(prompts))
        together = told(ask(make(tiny, batch_size=batch_size), mixed))
        assert together == [alone[str(prompt), prompt.draw] for prompt in mixed]


def test_draws_and_seeds_give_other_answers_and_the_same_ones_the_same(tiny):
    draws = [Prompt("a red bed", draw=draw) for draw in range(8)]
    first, again = (told(ask(make(tiny), draws)) for _ in range(2))
    other = told(ask(make(tiny, parameters={**SHORT, "seed": 1}), draws))
    assert first == again != other
    assert len({*first}) > 4


def test_a_temperature_of_0_takes_what_transformers_takes(tiny):
    model, reads = AutoModelForCausalLM.from_pretrained(tiny), AutoTokenizer.from_pretrained(tiny)
    for said in SAYS:
        ids = reads(said, return_tensors="pt")
        out = model.generate(**ids, do_sample=False, max_new_tokens=9)[0, ids["input_ids"].shape[1] :]
        [[result]] = make(tiny, parameters={"temperature": 0, "max_tokens": 9})([[said]])
        if 0 in out.tolist():
            assert result == reads.decode(out, skip_special_tokens=True)
        else:
            assert result.kind == "truncated"


def test_an_answer_that_is_cut_is_a_failure(tiny):
    results = ask(make(tiny, parameters={"max_tokens": 1}), SAYS)
    assert {*told(results)} <= {"truncated", "empty"}
    assert "token limit (1)" in next(result for result in results if result.kind == "truncated").detail


def test_an_answer_that_ends_with_its_last_token_is_whole(tiny):
    whole = ask(make(tiny), SAYS)
    length = min(answer.answer_tokens for answer in whole if isinstance(answer, Answer))
    at_the_end = ask(make(tiny, parameters={"max_tokens": length + 1}), SAYS)
    assert any(isinstance(result, Answer) and result.answer_tokens == length for result in at_the_end)
    assert all(a == b for a, b in zip(whole, at_the_end, strict=True) if isinstance(b, Answer))


def test_a_prompt_that_leaves_no_room_is_a_failure_and_never_cut(tiny):
    room = tiny_llm.CONTEXT - LONGEST
    fits, too_long = "a" * room, "a" * (room + 1)
    results = ask(make(tiny), [fits, too_long, "a"])
    assert results[1].kind == "too_long"
    assert f"{len(too_long)} tokens; {tiny_llm.CONTEXT} of context less max_tokens = {LONGEST} leave {room}" in results[1].detail
    assert "too_long" not in told([results[0], results[2]])
    assert told(ask(make(tiny, context_length=LONGEST + 10), ["a" * 11])) == ["too_long"]


def test_max_tokens_without_room_for_a_prompt_is_refused(tiny):
    with pytest.raises(ConfigError, match="max_tokens = 512 leaves no room for a prompt in the model's context of 256"):
        ask(make_hf_causal_lm(tiny), ["a"])


def test_a_text_ends_an_answer_and_is_no_part_of_it(tiny):
    prompts = [Prompt(said, draw=draw) for said in SAYS for draw in range(3)]
    free, stopped = ask(make(tiny), prompts), ask(make(tiny, parameters={**SHORT, "stop": ["g", "re"]}), prompts)
    changed = 0
    for before, after in zip(free, stopped, strict=True):
        if isinstance(before, Answer):
            place = min((before.find(stop) for stop in ("g", "re") if stop in before), default=len(before))
            assert str(after) == (before[:place] if before[:place].strip() else "")
            changed += place < len(before)
    assert changed > 5


def test_only_likely_tokens_are_drawn_where_that_is_set(tiny):
    greedy = told(ask(make(tiny, parameters={**SHORT, "temperature": 0}), SAYS))
    for only in ({"top_k": 1}, {"top_p": 1e-6}, {"min_p": 1.0}, {"temperature": 1e-6}):
        assert told(ask(make(tiny, parameters={**SHORT, **only}), SAYS)) == greedy
    assert told(ask(make(tiny), SAYS)) != greedy
    assert told(ask(make(tiny, parameters={**SHORT, "temperature": 0, "repetition_penalty": 5.0}), SAYS)) != greedy


def test_an_empty_answer_and_scores_that_are_no_numbers_are_failures(tmp_path):
    silent, broken = tiny_llm.model(), tiny_llm.model()
    torch.nn.init.zeros_(silent.lm_head.weight)  # all scores are equal: the first token, which is the end
    broken.lm_head.weight.data[5] = math.nan
    for made, kind in ((silent, "empty"), (broken, "malformed")):
        model = make(str(tiny_llm.save(tmp_path / kind, made=made)), parameters={"temperature": 0, "max_tokens": 5})
        assert told(ask(model, ["a"])) == [kind]


def test_what_the_model_says_of_sampling_holds_where_nothing_is_set(tiny, tmp_path):
    path = tiny_llm.save(tmp_path / "model")
    about = {"do_sample": True, "top_k": 1, "eos_token_id": 0, "max_length": 3, "temperature": 0.5}
    (path / "generation_config.json").write_text(json.dumps(about))
    assert told(ask(make(str(path)), SAYS)) == told(ask(make(tiny, parameters={**SHORT, "temperature": 0}), SAYS))


# ── prompts ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_messages_go_through_the_chat_template_where_there_is_one(chatty):
    reads = AutoTokenizer.from_pretrained(chatty)
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "red"}]
    runtime = make(chatty)._running()
    told = make(chatty, system="blue")
    for prompt, rendered in (("a", "<u>a\n<a>"), (Prompt("x", messages=turns), "<u>a\n<a>b\n<u>red\n<a>")):
        assert told._prepare(prompt).ids == reads(f"<s>blue\n{rendered}")["input_ids"]
        assert make(chatty)._prepare(prompt).ids == reads(rendered)["input_ids"]
    assert runtime is told._running()


def test_without_a_template_the_text_is_asked(tiny):
    reads = AutoTokenizer.from_pretrained(tiny)
    prompt = Prompt("a red b", messages=[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}])
    assert make(tiny)._prepare(prompt).ids == reads("a red b")["input_ids"]
    assert make(tiny, system="blue")._prepare("a").ids == reads("blue\n\na")["input_ids"]


def test_the_template_gets_its_options_and_may_refuse(tmp_path):
    template = "{% if loud %}{{ raise_exception('not so loud') }}{% endif %}{{ messages[-1].content }}"
    path = str(tiny_llm.save(tmp_path / "model", template=template))
    assert "refused" not in told(ask(make(path), SAYS))
    [refused] = ask(make(path, template_options={"loud": True}), ["a"])
    assert (refused.kind, "not so loud" in refused.detail) == ("refused", True)


def test_a_prompt_that_is_no_text_harms_nobody(tiny):
    results = ask(make(tiny), ["a", "half a pair \ud800", "a"])
    assert (results[1].kind, results[0]) == ("refused", results[2])


# ── random numbers ───────────────────────────────────────────────────────────────────────────────────────────────────


def splitmix(seed: int, step: int, place: int) -> float:
    """One number of `hf_noise.gumbel`, with Python's whole numbers."""
    mask = 2**64 - 1

    def mixed(value):
        value = ((value ^ value >> 30) * hf_noise.FIRST) & mask
        value = ((value ^ value >> 27) * hf_noise.SECOND) & mask
        return value ^ value >> 31

    key = mixed((seed + (step + 1) * hf_noise.GAMMA) & mask)
    uniform = ((mixed((key + (place + 1) * hf_noise.GAMMA) & mask) >> 11) + 0.5) * 2.0**-53
    return -math.log(-math.log1p(-uniform))


def test_noise_is_what_the_formula_says():
    seeds = [0, 1, 2**63, 2**64 - 1]
    found = hf_noise.gumbel(torch.tensor([seed - 2**64 if seed >= 2**63 else seed for seed in seeds]), 7, 50)
    for number, seed in enumerate(seeds):
        assert found[number].tolist() == pytest.approx([splitmix(seed, 7, place) for place in range(50)], rel=1e-3, abs=1e-3)


def test_tokens_are_drawn_as_often_as_they_are_likely():
    count = 40_000
    scores = torch.tensor([0.0, 1.0, 2.0, -1.0, -math.inf])
    seeds = torch.arange(count) * 7919
    for step in (0, 1, 500):
        drawn = Counter((scores + hf_noise.gumbel(seeds, step, 5)).argmax(dim=-1).tolist())
        for token, share in enumerate(scores.softmax(dim=-1).tolist()):
            assert drawn[token] == pytest.approx(count * share, abs=4.5 * math.sqrt(count * share * (1 - share)))


def test_noise_of_neighbouring_seeds_steps_and_tokens_is_not_alike():
    seeds = torch.arange(200)
    noise = torch.stack([hf_noise.gumbel(seeds, step, 100) for step in range(20)])
    for axis in range(3):
        pairs = torch.stack(
            [noise.narrow(axis, 0, noise.shape[axis] - 1).flatten(), noise.narrow(axis, 1, noise.shape[axis] - 1).flatten()]
        )
        assert abs(float(torch.corrcoef(pairs)[0, 1])) < 0.01
    assert float(noise.mean()) == pytest.approx(0.5772, abs=0.01)  # of a Gumbel distribution
    assert float(noise.var()) == pytest.approx(math.pi**2 / 6, abs=0.03)


# ── memory ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("no"), RuntimeError("DefaultCPUAllocator: can't allocate memory"), MemoryError()])
def test_a_batch_that_does_not_fit_is_halved_and_the_answers_stay_the_same(tiny, monkeypatch, error):
    prompts = [Prompt(said, draw=draw) for said in SAYS for draw in range(2)]
    expected = told(ask(make(tiny), prompts))
    model, sizes = make(tiny, batch_size=8, read_ahead=1), []
    generate = model._running().model.generate

    def little(**about):
        sizes.append(len(about["input_ids"]))
        if sizes[-1] > 2:
            raise error
        return generate(**about)

    monkeypatch.setattr(model._running().model, "generate", little)
    assert told(ask(model, prompts)) == expected
    assert sizes[:4] == [8, 4, 2, 2]
    assert sizes.count(8) == 1


def test_a_prompt_that_does_not_fit_alone_is_a_failure(tiny, monkeypatch):
    model = make(tiny)
    generate = model._running().model.generate

    def little(**about):
        if about["input_ids"].shape[1] > 10:
            raise torch.OutOfMemoryError("no")
        return generate(**about)

    monkeypatch.setattr(model._running().model, "generate", little)
    results = told(ask(model, ["a", "b" * 30, "a"]))
    assert results == [results[0], "too_long", results[0]]


def test_what_the_cpu_says_when_memory_is_too_small_is_understood(tiny):
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        torch.empty(2**50)
    assert make(tiny)._running().out_of_memory(caught.value)


def test_another_error_is_not_taken_for_that(tiny, monkeypatch):
    model = make(tiny)

    def broken(**about):
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(model._running().model, "generate", broken)
    with pytest.raises(RuntimeError, match="shapes differ"):
        ask(model, ["a"])


def test_models_share_what_is_in_memory_as_long_as_one_lives(tmp_path):
    path = str(tiny_llm.save(tmp_path / "model", made=tiny_llm.model(seed=1)))
    first, second = make(path), make(path, parameters={"max_tokens": 9, "temperature": 0})
    loaded = weakref.ref(first._running())
    shared = second._running() is loaded(), make(path, dtype="bfloat16")._running() is loaded()
    first.close()
    kept = second._running() is loaded()
    second.close()
    gc.collect()
    assert (shared, kept, loaded()) == ((True, False), True, None)


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_gguf_and_safetensors_of_one_model_answer_alike(tiny, tmp_path):
    path = tiny_llm.save_gguf(tmp_path / "tiny.gguf")
    model = make(str(path))
    assert (model.context_length, model.name) == (tiny_llm.CONTEXT, "tiny.gguf")
    assert told(ask(model, SAYS)) == told(ask(make(tiny), SAYS))


@pytest.mark.parametrize(("dtype", "found"), [("auto", "float16"), ("float32", "float32"), ("bfloat16", "bfloat16")])
def test_numbers_are_of_the_type_that_is_set_or_saved(tmp_path, dtype, found):
    path = str(tiny_llm.save(tmp_path / "model", made=tiny_llm.model().half()))
    assert make(path, dtype=dtype)._running().model.dtype == getattr(torch, found)


def test_a_folder_needs_no_network(tiny, chatty, monkeypatch):
    def connect(*about):
        raise AssertionError(f"tried to reach {about}")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    for path in (tiny, chatty):
        make(path).close()
        gc.collect()
        assert ask(make(path), SAYS)


def test_code_that_comes_with_a_model_is_not_run(tmp_path):
    path, trace = tiny_llm.save(tmp_path / "model"), tmp_path / "ran"
    (path / "own.py").write_text(f"open({str(trace)!r}, 'w')\nfrom transformers import LlamaConfig as C, LlamaForCausalLM as M\n")
    about = json.loads((path / "config.json").read_text())
    own = {"auto_map": {"AutoConfig": "own.C", "AutoModelForCausalLM": "own.M"}, "model_type": "a_new_one", "architectures": ["M"]}
    (path / "config.json").write_text(json.dumps({**about, **own}))
    with pytest.raises(TeacherError, match="wants to run code that lies beside it, and that is never done"):
        ask(make(str(path)), ["a"])
    assert not trace.exists()


def test_a_pickle_beside_safetensors_is_not_read(tiny, tmp_path):
    path = tiny_llm.save(tmp_path / "model")
    (path / "pytorch_model.bin").write_bytes(b"no pickle")
    assert told(ask(make(str(path)), SAYS)) == told(ask(make(tiny), SAYS))


def test_a_damaged_model_says_so(tmp_path):
    path = tiny_llm.save(tmp_path / "model")
    (path / "model.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00no json!")
    with pytest.raises(TeacherError, match="cannot be loaded on cpu"):
        ask(make(str(path)), ["a"])


def test_a_device_that_is_not_there_is_named(tiny):
    with pytest.raises(TeacherError, match="no device 'cuda:9'.*'auto', 'cpu'"):
        ask(make(tiny, device="cuda:9"), ["a"])


HUB = """
import sys
from spacy_synthesizrr.errors import SynthesizrrError
from spacy_synthesizrr.models.hf.model import make_hf_causal_lm
try:
    model = make_hf_causal_lm(sys.argv[1], revision=sys.argv[2] or None)
    print(model.context_length, model.files.folder.name, model.identity)
except SynthesizrrError as error:
    print(type(error).__name__, error)
"""


def ask_hub(name, revision="", **variables):
    """Find a hub's model in a process of its own: the hub's client reads its variables when it is imported."""
    import os

    done = subprocess.run(
        [sys.executable, "-c", HUB, name, revision],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout


COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(tmp_path):
    """A server that behaves like the hub for two models: one with safetensors, one with a pickle only."""
    models = {"lab/safe": tiny_llm.save(tmp_path / "safe"), "lab/pickled": tmp_path / "pickled"}
    models["lab/pickled"].mkdir()
    for name, content in {"config.json": b"{}", "pytorch_model.bin": pickle.dumps({})}.items():
        (models["lab/pickled"] / name).write_bytes(content)
    (models["lab/safe"] / "pytorch_model.bin").write_bytes(pickle.dumps({}))
    asked = []

    class Hub(BaseHTTPRequestHandler):
        def respond(self):
            path = self.path.split("?")[0]
            asked.append(path)
            name = next((name for name in models if f"{name}/" in f"{path}/"), None)
            if name is None:
                return self.reply(404, b"{}", {"X-Error-Code": "RepoNotFound"})
            if "/tree/" in path:
                rows = [
                    {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": file.name} for file in models[name].iterdir()
                ]
                return self.reply(200, json.dumps(rows).encode(), {"content-type": "application/json"})
            if path.startswith("/api/"):
                about = {"id": name, "sha": COMMIT, "siblings": [{"rfilename": file.name} for file in models[name].iterdir()]}
                return self.reply(200, json.dumps(about).encode(), {"content-type": "application/json"})
            content = (models[name] / path.rpartition("/")[2]).read_bytes()
            return self.reply(200, content, {"ETag": '"' + path.rpartition("/")[2] + '"', "X-Repo-Commit": COMMIT})

        do_GET = do_HEAD = do_POST = respond

        def reply(self, status, body, headers):
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *about):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        where = {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_HUB_OFFLINE": "0", "NO_PROXY": "127.0.0.1"}
        yield {**where, "HF_HUB_CACHE": str(tmp_path / "cache"), "HF_HUB_DISABLE_XET": "1"}, asked
        server.shutdown()


def test_a_hub_name_is_downloaded_once_without_its_pickles(hub, tmp_path):
    where, asked = hub
    first = ask_hub("lab/safe", **where)
    assert first.startswith(f"{tiny_llm.CONTEXT} {COMMIT} ")
    assert any(path.endswith("model.safetensors") for path in asked)
    count = len(asked)
    offline = ask_hub("lab/safe", **{**where, "HF_HUB_OFFLINE": "1"})
    assert (offline, len(asked)) == (first, count)
    # the same files in a folder are the same model
    assert json.loads(first.split(" ", 2)[2])["files"] == make(str(tmp_path / "safe")).digest
    assert "pickled" in ask_hub("lab/pickled", **where)
    assert not [path for path in asked if path.endswith(".bin")]


def test_a_hub_name_that_cannot_be_had_says_what_to_do(hub):
    where, _ = hub
    assert ask_hub("lab/none", **where).startswith("TeacherError synthesizrr.HFCausalLM.v1: 'lab/none' is neither a folder here")
    assert "hf download lab/safe" in ask_hub("lab/safe", **{**where, "HF_HUB_OFFLINE": "1"})


# ── with spaCy and the store ─────────────────────────────────────────────────────────────────────────────────────────


def test_answers_are_remembered_and_nothing_is_loaded_for_known_ones(tiny, tmp_path, monkeypatch):
    first = make(tiny)
    with ResponseStore(tmp_path / "answers.sqlite") as store:
        before = ask(remember(first, store, identity=first.identity), SAYS)
        known = [said for said, result in zip(SAYS, before, strict=True) if isinstance(result, Answer)]
        assert len(store) == len(known)
        monkeypatch.setattr("spacy_synthesizrr.models.hf.runtime.load", None)  # would fail
        again = ask(remember(make(tiny, batch_size=1), store, identity=first.identity), known)
        assert again == [result for result in before if isinstance(result, Answer)]
        assert all(answer.answer_tokens and answer.request for answer in again)


@pytest.mark.parametrize("factory", ["llm", "llm_synthesizrr"])
def test_it_works_with_the_tasks_of_spacy_llm(tiny, factory, tmp_path):
    model = {"@llm_models": "synthesizrr.HFCausalLM.v1", "model": tiny, "parameters": {"max_tokens": 20}, "context_length": 4096}
    nlp = spacy.blank("en")
    nlp.add_pipe(factory, name="llm", config={"task": {"@llm_tasks": "spacy.TextCat.v3", "labels": ["a", "b"]}, "model": model})
    with nlp.select_pipes(enable=["llm"]):
        docs = list(nlp.pipe(["red", "green", "blue"]))
    assert all({*doc.cats} == {"a", "b"} for doc in docs)
    nlp.to_disk(tmp_path / "nlp")
    again = spacy.load(tmp_path / "nlp")
    assert again.get_pipe("llm")._model.identity == nlp.get_pipe("llm")._model.identity
    assert [doc.cats for doc in again.pipe(["red", "green", "blue"])] == [doc.cats for doc in docs]


def test_it_says_nothing_and_warns_of_nothing(tiny, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gc.collect()
        assert ask(make(tiny, parameters={"max_tokens": 30, "stop": ["x"], "top_p": 0.9}), [*SAYS, "a" * 200])
    subprocess.run(["true"], check=True)  # forks, after the tokenizer ran
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_weights_stay_behind_when_it_is_pickled(tiny):
    model = make(tiny)
    before = told(ask(model, SAYS))
    data = pickle.dumps(model)
    assert len(data) < 5000
    assert told(ask(pickle.loads(data), SAYS)) == before
    assert Path(tiny).is_dir()
