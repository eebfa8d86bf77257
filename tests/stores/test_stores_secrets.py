"""No secret is shown or kept: neither what a config of a Weaviate holds nor what the environment says of its address."""

import pytest
import spacy

from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.secret_names import is_secret_variable, secret_setting
from spacy_synthesizrr.stores.weaviate.making import make_weaviate_collection, make_weaviate_store
from spacy_synthesizrr.stores.weaviate.settings import address
from spacy_synthesizrr.stores.weaviate.vectorizer import make_weaviate_vectorizer

SECRET = "hunter2s3cr3t"
MAPPED = {"name": "Articles", "text_property": "body"}
ADDRESSES = [f"http://me:{SECRET}@127.0.0.1:1", f"me:{SECRET}@host", f"http://host:8080/?apikey={SECRET}", f"http://me:1?{SECRET}@host"]


@pytest.mark.parametrize("url", ADDRESSES)
@pytest.mark.parametrize("make", [make_weaviate_store, lambda path: make_weaviate_collection(MAPPED, path)], ids=["store", "collection"])
def test_a_location_never_shows_a_secret_of_the_address(tmp_path, monkeypatch, make, url):
    monkeypatch.setenv("WEAVIATE_URL", url)
    assert make(str(tmp_path)).location.startswith("Weaviate at an address that cannot be used, collection ")


def test_a_location_shows_host_and_port(tmp_path, monkeypatch):
    monkeypatch.setenv("WEAVIATE_URL", "https://search.example.org")
    assert make_weaviate_collection(MAPPED, str(tmp_path)).location == "https://search.example.org:443, collection Articles"


def test_a_server_of_our_own_is_not_taken_for_one_that_the_environment_names(tmp_path, monkeypatch):
    monkeypatch.setenv("WEAVIATE_URL", "http://127.0.0.1:8080")
    assert make_weaviate_store(str(tmp_path), connection={"reach": "embedded"}).location.startswith("embedded Weaviate, ")


@pytest.mark.parametrize("url", ADDRESSES)
def test_a_message_never_shows_a_secret_of_the_address(url):
    with pytest.raises(ConfigError) as caught:
        address(url)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("url", ADDRESSES)
def test_an_address_with_a_secret_is_refused_before_a_config_can_be_written(tmp_path, url):
    with pytest.raises(ConfigError, match="The address of Weaviate") as caught:
        make_weaviate_store(str(tmp_path), connection={"url": url})
    assert SECRET not in str(caught.value)


def test_a_pipeline_does_not_take_an_address_with_a_password(tmp_path):
    nlp = spacy.blank("en")
    store = {"@misc": "synthesizrr.WeaviateStore.v1", "path": str(tmp_path), "connection": {"url": ADDRESSES[0]}}
    with pytest.raises(ConfigError, match="holds a user name or a password"):
        nlp.add_pipe("synthesizrr_retriever", config={"store": store})
    nlp.to_disk(tmp_path / "nlp")
    assert SECRET not in (tmp_path / "nlp" / "config.cfg").read_text()


@pytest.mark.parametrize(
    "name", ["OPENAI_APIKEY", "COHERE_API_KEY", "AUTHENTICATION_APIKEY_ALLOWED_KEYS", "HF_TOKEN", "AWS_SECRET_KEY", "DB_PASSWORD"]
)
def test_a_secret_for_a_server_of_our_own_is_refused_and_not_shown(tmp_path, name):
    with pytest.raises(ConfigError, match=f"'{name}' looks like a secret.* export {name}=…") as caught:
        make_weaviate_store(str(tmp_path), embedded={"environment": {name: SECRET}})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENABLE_MODULES", "text2vec-openai"),
        ("AUTHENTICATION_APIKEY_ENABLED", "true"),
        ("AUTHENTICATION_APIKEY_USERS", "synthesizrr"),
        ("ENABLE_TOKENIZER_GSE", "true"),
        ("TOKENIZER_CONCURRENCY_COUNT", "4"),
        ("ORIGIN", "http://127.0.0.1:8080"),
    ],
)
def test_a_variable_that_is_no_secret_may_be_given(name, value):
    assert not is_secret_variable(name, value)


@pytest.mark.parametrize("name", ["ORIGIN", "X"])
@pytest.mark.parametrize("value", [f"http://me:{SECRET}@host", "sk-1234567890abc"])
def test_a_value_that_is_a_secret_is_one_under_any_name(name, value):
    assert is_secret_variable(name, value)


@pytest.mark.parametrize(
    "settings",
    [
        {"headers": {"Authorization": SECRET}},
        {"token": SECRET},
        {"accessToken": SECRET},
        {"X-Api-Key": SECRET},
        {"deep": [{"er": {"clientSecret": SECRET}}]},
        {"header": f"Bearer {SECRET}"},
        {"baseURL": f"https://host/v1?api-key={SECRET}"},
        {"more": {"baseURL": f"https://me:{SECRET}@host/v1"}},
    ],
)
def test_a_secret_among_the_settings_of_a_module_is_refused_and_not_shown(settings):
    with pytest.raises(ConfigError, match="looks like a secret|holds a user name or a password, or a key") as caught:
        make_weaviate_vectorizer("text2vec-openai", settings)
    assert SECRET not in str(caught.value)


def test_settings_of_modules_are_no_secrets():
    known = {"model": "x", "baseURL": "https://host:1/v1?api-version=2", "maxTokens": 5, "dimensions": 256, "isAzure": True}
    assert secret_setting(known | {"projectId": "p", "options": {"keep_alive": "5m"}, "list": ["a", {"b": None}]}) == ""
