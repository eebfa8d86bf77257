"""compose.yml: open to this machine alone, nothing preset, nothing unpinned, nothing that calls home."""

import re

import pytest
from conftest import ROOT
from ruamel.yaml import YAML

from spacy_synthesizrr.env_file import ADDRESSES, SECRETS
from spacy_synthesizrr.scaffold import template_folder

TEXT = (ROOT / "compose.yml").read_text(encoding="utf-8")
COMPOSE = YAML(typ="safe").load(TEXT)
SERVICES = COMPOSE["services"]
REQUIRED = re.compile(r"\$\{(\w+):\?([^}]+)\}")


def environments():
    return [(name, key, str(value)) for name, about in SERVICES.items() for key, value in about.get("environment", {}).items()]


@pytest.mark.parametrize("port", [port for about in SERVICES.values() for port in about.get("ports", ())])
def test_a_port_is_open_to_this_machine_alone(port):
    assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)


def test_every_variable_must_be_set():
    assert re.findall(r"(?<!\$)\$(?!\$)(?!\{\w+:\?)", TEXT) == []


def test_the_generated_file_sets_just_the_variables_that_are_wanted():
    assert {name for name, _ in REQUIRED.findall(TEXT)} == set(SECRETS)


def test_whoever_has_no_secrets_is_told_how_to_get_them():
    assert {cure for _, cure in REQUIRED.findall(TEXT)} == {"run synthesizrr env"}


@pytest.mark.parametrize(("service", "key", "value"), environments())
def test_a_secret_is_never_preset(service, key, value):
    if re.search(r"PASSWORD|SECRET|API_KEY|ALLOWED_KEYS|REDISCLI_AUTH", key):
        assert REQUIRED.fullmatch(value)
    assert not re.search(r"://[^/:@]*:(?!\$\{)[^@]*@", value)


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_pinned_to_a_release(name):
    assert re.search(r":v?\d+\.\d+\.\d+(-alpine)?$", SERVICES[name]["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_says_when_it_is_ready(name):
    check = SERVICES[name]["healthcheck"]
    assert "test" in check or name == "argilla-worker"


def test_what_a_service_keeps_lies_in_a_named_volume():
    used = {volume.split(":")[0] for about in SERVICES.values() for volume in about["volumes"]}
    assert used == set(COMPOSE["volumes"])


def test_weaviate_takes_nobody_without_a_key():
    about = SERVICES["weaviate"]["environment"]
    assert about["AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED"] == "false"
    assert about["AUTHENTICATION_APIKEY_ENABLED"] == "true"
    assert REQUIRED.fullmatch(about["AUTHENTICATION_APIKEY_ALLOWED_KEYS"]).group(1) == "WEAVIATE_API_KEY"


def test_nothing_calls_home():
    assert SERVICES["weaviate"]["environment"]["DISABLE_TELEMETRY"] == "true"
    assert all(SERVICES[name]["environment"]["HF_HUB_DISABLE_TELEMETRY"] == "1" for name in ("argilla", "argilla-worker"))
    assert SERVICES["elasticsearch"]["environment"]["ingest.geoip.downloader.enabled"] == "false"


def test_the_addresses_in_the_generated_file_are_those_of_the_ports():
    ports = {about["ports"][0].rsplit(":", 1)[0] for about in SERVICES.values() if "ports" in about}
    assert {address.removeprefix("http://") for address in ADDRESSES.values()} == ports


@pytest.mark.parametrize("name", [".gitignore", "MANIFEST.in"])
def test_the_generated_file_is_neither_kept_nor_packed(name):
    assert re.search(r"(?m)^(\.env$|global-exclude .*\.env\b)", (ROOT / name).read_text(encoding="utf-8"))


def test_it_is_part_of_a_new_project():
    assert (template_folder() / "compose.yml").read_text(encoding="utf-8") == TEXT


def test_its_weaviate_is_the_version_that_tests_run_on():
    from services.weaviate import VERSION

    assert SERVICES["weaviate"]["image"].endswith(f":{VERSION.removeprefix('v')}")


def test_a_weaviate_of_the_docs_has_the_same_name_each_time():
    command = next(line for line in (ROOT / "docs" / "stores.md").read_text(encoding="utf-8").splitlines() if "docker run -p" in line)
    assert f"-e CLUSTER_HOSTNAME={SERVICES['weaviate']['environment']['CLUSTER_HOSTNAME']} " in command
