"""The real LLM of the service tests answers as tests and teachers rely on."""

import os

import pytest

from services.ollama import install_model, install_ollama
from services.processes import ask

PROMPT = [{"role": "user", "content": "Write a headline about football."}]


def complete(ollama, **options):
    payload = {"model": ollama.model, "messages": PROMPT, "max_tokens": 40, "seed": 1, **options}
    return ask(f"{ollama.base_url}/chat/completions", payload)


def test_it_answers_a_chat_completion(ollama):
    answer = complete(ollama)
    assert answer["choices"][0]["message"]["role"] == "assistant"
    assert answer["choices"][0]["message"]["content"].strip()
    assert answer["usage"]["prompt_tokens"] > 0


def test_the_same_seed_gives_the_same_text_and_another_seed_another(ollama):
    texts = [complete(ollama, seed=seed, temperature=1.0)["choices"][0]["message"]["content"] for seed in (7, 7, 8)]
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize(("max_tokens", "finish"), [(3, "length"), (400, "stop")])
def test_it_says_whether_an_answer_was_cut(ollama, max_tokens, finish):
    answer = complete(ollama, max_tokens=max_tokens, temperature=0.0)
    assert answer["choices"][0]["finish_reason"] == finish
    assert (answer["usage"]["completion_tokens"] == max_tokens) == (finish == "length")


def test_it_lists_the_model(ollama):
    assert [row["id"] for row in ask(f"{ollama.base_url}/models")["data"]] == [ollama.model]


def test_it_listens_on_loopback_and_lives(ollama):
    assert ollama.base_url.startswith("http://127.0.0.1:")
    os.kill(ollama.pid, 0)  # raises when there is no such process


def test_what_is_installed_is_not_built_again(ollama, monkeypatch):
    monkeypatch.setenv("PATH", "")  # nothing could be built now
    assert install_ollama().is_file()
    assert install_model().is_file()
