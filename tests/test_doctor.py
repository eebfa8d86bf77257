"""The doctor: what it finds, what it never does, and what it never shows."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import ROOT
from typer.testing import CliRunner

from spacy_synthesizrr.cli import app
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.doctor import machine, stores
from spacy_synthesizrr.doctor.findings import Finding, from_error, variables, without_secrets
from spacy_synthesizrr.doctor.machine import disk, gpu, packages, pipelines
from spacy_synthesizrr.doctor.stores import look_at_store
from spacy_synthesizrr.doctor.teachers import look_at_answers, look_at_teacher
from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.steps import index, prepare
from spacy_synthesizrr.stores.weaviate.making import make_weaviate_store

SECRET = "sk-Zq81mN4vT7pLw2"
CFG = Path("configs/x.cfg")
MEMORY = {"store": {"@misc": "synthesizrr.MemoryStore.v1"}, "embedder": {"@misc": "synthesizrr.LsaEmbedder.v1"}}


class Server(ThreadingHTTPServer):
    """Answers as told, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, dict]] = []
        self.status, self.body, self.headers_sent = 200, b'{"data": [{"id": "tiny:latest"}]}', {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def chat(self, **more):
        return {"teacher": {"@llm_models": "synthesizrr.ChatCompletions.v1", "base_url": f"{self.url}/v1", "model": "tiny", **more}}


class Handler(BaseHTTPRequestHandler):
    def answer(self) -> None:
        self.server.asked.append((self.command, self.path, dict(self.headers)))
        self.send_response(self.server.status)
        for name, value in {"content-length": str(len(self.server.body)), **self.server.headers_sent}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.body)

    do_GET = do_POST = answer

    def log_message(self, *args) -> None:
        pass


@pytest.fixture
def server():
    """A server that answers as told."""
    made = Server()
    thread = threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A project folder as working directory, and no variable that says where a server is."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs", ignore=shutil.ignore_patterns("*.local.cfg"))
    shutil.copyfile(ROOT / "project.yml", tmp_path / "project.yml")
    monkeypatch.chdir(tmp_path)
    for name in ("WEAVIATE_URL", "WEAVIATE_API_KEY", "WEAVIATE_GRPC_PORT", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def doctor(*words, code=0):
    done = CliRunner().invoke(app, ["doctor", *map(str, words)])
    assert done.exit_code == code, done.output + repr(done.exception)
    return done.output


def named(found, name):
    return next(each for each in found if each.name == name)


# the command


def test_a_project_that_needs_nothing_is_well(here):
    out = doctor()
    assert "configs/store.memory.cfg and configs/teacher.extractive.cfg, by project.yml" in out
    assert out.rstrip().endswith("All that these configs need is there.")


def test_it_changes_nothing(here):
    before = sorted(here.rglob("*"))
    doctor()
    doctor("--store", "weaviate", "--teacher", "openai", code=1)
    assert sorted(here.rglob("*")) == before


def test_json_says_the_same_for_programs(here):
    found = json.loads(doctor("--json"))
    assert found["ok"] and found["store"] == "configs/store.memory.cfg"
    assert {each["part"] for each in found["findings"]} == {"machine", "store", "teacher"}


def test_a_missing_key_ends_with_exit_code_1_and_the_cure(here):
    out = doctor("--teacher", "openai", code=1)
    assert "✘ $OPENAI_API_KEY" in out and "export OPENAI_API_KEY=…" in out
    assert not json.loads(doctor("--teacher", "openai", "--json", code=1))["ok"]


def test_a_run_says_which_configs_are_meant(walked):
    found = json.loads(doctor("--run", "tiny", "--json"))
    key = json.loads(walked.folder.file("index.json").read_text())["key"]
    assert found["chosen_by"] == "the run 'tiny'"
    assert named_json(found, f"index {key[:12]}")["detail"].endswith(", of this run")
    assert "answers.sqlite" in named_json(found, "answers")["detail"]


def named_json(found, name):
    return next(each for each in found["findings"] if each["name"] == name)


def test_a_run_whose_index_is_gone_is_not_well(walked):
    shutil.rmtree("index")
    assert "the run's index is gone" in doctor("--run", "tiny", code=1)


def test_a_run_whose_index_is_gone_from_among_others_is_not_well(walked):
    shutil.rmtree(next(path for path in Path("index").iterdir() if path.is_dir()))
    assert "the run's index is gone" in doctor("--run", "tiny", code=1)


def test_a_run_that_is_not_there_says_what_to_do(here):
    assert "prepare" in doctor("--run", "nothing", code=2)


def test_a_folder_without_a_project_says_how_to_get_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "synthesizrr init FOLDER" in doctor(code=1)


def test_a_wrong_name_of_a_config_gets_the_names_that_there_are(here):
    assert "Did you mean 'weaviate'" in doctor("--store", "weaviat", code=1)


def test_starting_it_imports_no_client_and_no_framework():
    probe = (
        "import sys; from typer.testing import CliRunner; from spacy_synthesizrr.cli import app; "
        "assert CliRunner().invoke(app, ['doctor', '--help']).exit_code == 0; "
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"spacy", "numpy", "weaviate", "grpc", "pyarrow", "aiohttp", "torch"}


# secrets


def test_a_key_is_never_shown(here, server, monkeypatch):
    monkeypatch.setenv("SOME_KEY", SECRET)
    server.status, server.body = 401, f"wrong key {SECRET}".encode()
    config = f"""[teacher]
@llm_models = "synthesizrr.ChatCompletions.v1"
base_url = "{server.url}/v1"
model = "tiny"
api_key_env = "SOME_KEY"
headers_env = {{"X-Token": "SOME_KEY"}}
"""
    (here / "configs" / "teacher.mine.cfg").write_text(config)
    for words in ((), ("--json",)):
        out = doctor("--teacher", "mine", *words, code=1)
        assert "refuses the key" in out and SECRET not in out


def test_a_key_in_the_wrong_place_is_never_shown(here):
    (here / "configs" / "store.mine.cfg").write_text(
        f'[store]\n@misc = "synthesizrr.WeaviateStore.v1"\n[store.connection]\napi_key_env = "{SECRET}"\n'
    )
    (here / "configs" / "teacher.mine.cfg").write_text(
        f'[teacher]\n@llm_models = "synthesizrr.ChatCompletions.v1"\nbase_url = "http://me:{SECRET}@127.0.0.1:1/v1"\nmodel = "x"\n'
    )
    out = doctor("--store", "mine", "--teacher", "mine", code=1)
    assert SECRET not in out and "name of an environment variable" in out and "password" in out


def test_a_password_in_the_address_of_weaviate_is_never_shown(here, monkeypatch):
    monkeypatch.setenv("WEAVIATE_URL", f"http://me:{SECRET}@127.0.0.1:1")
    assert SECRET not in doctor("--store", "weaviate", code=1)


def test_what_a_server_repeats_is_blanked_out(monkeypatch):
    monkeypatch.setenv("A_KEY", f"Bearer {SECRET}")
    (found,) = without_secrets([Finding("p", "n", "broken", f"said: {SECRET}", f"not {SECRET}")], ["A_KEY"])
    assert SECRET not in found.detail + found.cure


def test_variables_of_secrets_are_found_wherever_a_config_names_them():
    config = {"teacher": {"api_key_env": "A", "deep": [], "more": {"headers_env": {"x": "B", "y": "C"}, "api_key_env": None}}}
    assert variables(config) == {"A", "B", "C"}


# the teacher


def test_a_chat_server_is_asked_for_its_models_and_nothing_else(server):
    (found,) = look_at_teacher(server.chat(), CFG)
    assert (found.state, found.name) == ("ok", f"{server.url}/v1/models")
    assert [(method, path) for method, path, _ in server.asked] == [("GET", "/v1/models")]


def test_the_key_goes_with_it(server, monkeypatch):
    monkeypatch.setenv("SOME_KEY", SECRET)
    found = look_at_teacher(server.chat(api_key_env="SOME_KEY"), CFG)
    assert [each.state for each in found] == ["ok", "ok"]
    assert server.asked[0][2]["Authorization"] == f"Bearer {SECRET}"


def test_without_its_key_a_server_is_not_asked(server, monkeypatch):
    monkeypatch.delenv("SOME_KEY", raising=False)
    found = look_at_teacher(server.chat(api_key_env="SOME_KEY"), CFG)
    assert [each.state for each in found] == ["missing", "unknown"]
    assert server.asked == []


def test_a_model_that_is_not_there_is_named_with_those_that_are(server):
    (found,) = look_at_teacher(server.chat(model="large"), CFG)
    assert found.bad and "it has: tiny:latest" in found.detail and "ollama pull large" in found.cure


@pytest.mark.parametrize(("status", "state"), [(401, "broken"), (403, "broken"), (404, "unknown"), (500, "broken"), (429, "unknown")])
def test_what_a_status_says(server, status, state):
    server.status = status
    assert look_at_teacher(server.chat(), CFG)[0].state == state


def test_a_key_does_not_follow_a_redirect(server, monkeypatch):
    monkeypatch.setenv("SOME_KEY", SECRET)
    server.status, server.headers_sent = 302, {"location": f"{server.url}/elsewhere"}
    assert look_at_teacher(server.chat(api_key_env="SOME_KEY"), CFG)[-1].state == "unknown"
    assert len(server.asked) == 1


def test_something_that_is_no_chat_server_is_unknown(server):
    server.body = b"<html>"
    assert look_at_teacher(server.chat(), CFG)[0].state == "unknown"


def test_nobody_there_is_broken_with_a_cure():
    (found,) = look_at_teacher({"teacher": {"@llm_models": "synthesizrr.ChatCompletions.v1", "base_url": "http://127.0.0.1:9/v1"}}, CFG)
    assert found.bad and "no answer" in found.detail and "base_url" in found.cure


def test_an_address_with_a_query_keeps_it(server):
    config = server.chat()
    config["teacher"]["base_url"] = f"{server.url}/deployments/x?api-version=1"
    look_at_teacher(config, CFG)
    assert server.asked[0][1] == "/deployments/x/models?api-version=1"


def test_a_config_without_a_teacher_is_broken():
    assert look_at_teacher({}, CFG)[0].bad


def test_a_model_of_another_package_is_unknown():
    assert look_at_teacher({"teacher": {"@llm_models": "spacy.GPT-4.v2"}}, CFG)[0].state == "unknown"


def test_answers_are_counted_and_a_file_that_is_none_is_broken(tmp_path):
    assert look_at_answers(tmp_path / "none.sqlite").state == "ok"
    assert not (tmp_path / "none.sqlite").exists()
    with sqlite3.connect(tmp_path / "a.sqlite") as connection:
        connection.execute("CREATE TABLE answers (request TEXT)")
        connection.execute("INSERT INTO answers VALUES ('x')")
    connection.close()
    assert "1 answers" in look_at_answers(tmp_path / "a.sqlite").detail
    (tmp_path / "b.sqlite").write_bytes(b"no database" * 100)
    assert look_at_answers(tmp_path / "b.sqlite").bad


# the store


def test_indexes_are_listed_with_counts_and_embedder(tmp_path):
    from spacy_synthesizrr.candidates import Passage
    from spacy_synthesizrr.embedders.lsa import make_lsa_embedder
    from spacy_synthesizrr.stores.memory import make_memory_store

    root = make_memory_store(str(tmp_path / "index"))
    for key in ("whole", "half"):
        root.at(key).index([Passage(str(n), f"one text number{n}") for n in range(3)], make_lsa_embedder())
    (tmp_path / "index" / "half" / "vectors.npy").unlink()
    root.at("whole").delete(["1"])
    config = {**MEMORY, "store": {"@misc": "synthesizrr.MemoryStore.v1", "path": str(tmp_path / "index")}}
    found = look_at_store(config, CFG, of_run={"key": "half"})
    assert named(found, "index half").bad and "goes on where it stopped" in named(found, "index half").cure
    assert named(found, "index whole").detail.startswith("2 passages (1 deleted), lsa-v1-")


def test_without_an_address_it_says_whether_a_server_of_our_own_could_start(here, tmp_path):
    config = {**MEMORY, "store": {"@misc": "synthesizrr.WeaviateStore.v1", "embedded": {"binary_path": str(tmp_path / "bin")}}}
    found = look_at_store(config, CFG)
    assert named(found, "Weaviate").detail == "embedded: $WEAVIATE_URL is not set"
    assert named(found, "server").state == "missing" and "WEAVIATE_URL" in named(found, "server").cure
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / f"weaviate-v1.37.9-{hashlib.sha256(b'v1.37.9').hexdigest()}").touch()
    assert "binary of version 1.37.9" in named(look_at_store(config, CFG), "server").detail


def test_what_was_built_with_a_server_of_our_own_is_told_from_its_notes(here, tmp_path):
    home = tmp_path / "index" / "weaviate" / "Synthesizrr_5f3a"
    (home / "notes").mkdir(parents=True)
    (home / "about.json").write_text('{"embedder": {"id": "lsa-v1"}}')
    (home / "notes" / "corpus.json").write_text('{"passages": 1234}')
    found = look_at_store({**MEMORY, "store": {"@misc": "synthesizrr.WeaviateStore.v1", "path": "index"}}, CFG, of_run={"key": "5f3a"})
    about = named(found, "index 5f3a")
    assert about.detail == "1,234 passages, lsa-v1, as noted here; the server counts when it runs, of this run"


@pytest.mark.parametrize("path", ["afile", "afile/index"])
def test_a_path_that_is_a_file_is_broken(here, path):
    Path("afile").write_text("x")
    found = look_at_store({**MEMORY, "store": {"@misc": "synthesizrr.MemoryStore.v1", "path": path}}, CFG)
    assert named(found, "memory").bad and "is a file" in named(found, "memory").detail


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"passage": {"min_words": 5}}, "Did you mean 'passages'"),
        ({"passages": {"max_word": 5}}, "Did you mean 'max_words'"),
        ({"index": {"nam": "news"}}, "Did you mean 'name'"),
        ({"vector_cache": {"enable": True}}, "Did you mean 'enabled'"),
    ],
)
def test_a_slip_in_the_other_sections_is_broken(more, says):
    (found,) = look_at_store({**MEMORY, **more}, CFG)
    assert found.bad and says in found.detail + found.cure


def test_an_embedder_of_a_server_needs_a_store_on_one():
    block = {"@misc": "synthesizrr.WeaviateVectorizer.v1", "module": "text2vec-ollama"}
    found = named(look_at_store({**MEMORY, "embedder": block}, CFG), "embedder")
    assert found.bad and "synthesizrr.WeaviateStore.v1" in found.cure


def test_an_embedder_that_learns_made_no_vectors_of_a_collection(here):
    collection = {"@misc": "synthesizrr.WeaviateCollection.v1", "collection": {"name": "Articles", "text_property": "body"}}
    assert named(look_at_store({**MEMORY, "store": collection}, CFG), "embedder").bad


def test_a_run_whose_named_index_holds_another_corpus_is_not_well(walked):
    for name in ("one", "two"):
        path = Path("configs/store.memory.cfg")
        Path("configs/store.named.cfg").write_text(path.read_text().replace('"index"', '"named"') + '\n[index]\nname = "news"\n')
        prepare.run(prepare.Choices("tiny", name, store="named", per_label=4))
        assert index.run(Context.open(name))
        corpus = Path("tiny/corpus.jsonl")
        corpus.write_text("".join(corpus.read_text().splitlines(keepends=True)[:20]))
    doctor("--run", "two")
    assert "another run has brought it up to date" in doctor("--run", "one", code=1)


def test_an_index_of_a_server_of_our_own_that_is_gone_is_told(here, tmp_path):
    found = look_at_store({**MEMORY, "store": {"@misc": "synthesizrr.WeaviateStore.v1", "path": "index"}}, CFG, of_run={"key": "5f3a"})
    assert named(found, "index 5f3a").bad


def test_an_index_of_a_server_of_our_own_is_known_by_a_name_with_a_dash(here):
    config = {**MEMORY, "store": {"@misc": "synthesizrr.WeaviateStore.v1", "path": "index"}}
    home = make_weaviate_store("index").at("my-news").notes.parent
    home.mkdir(parents=True)
    (home / "about.json").write_text('{"embedder": {"id": "lsa-v1"}}')
    assert named(look_at_store(config, CFG, of_run={"key": "my-news"}), "index my-news").detail.endswith(", of this run")


def test_a_server_that_does_not_answer_is_broken_soon(here, monkeypatch):
    monkeypatch.setenv("WEAVIATE_URL", "http://127.0.0.1:9")
    found = look_at_store({**MEMORY, "store": {"@misc": "synthesizrr.WeaviateStore.v1"}}, CFG)
    assert named(found, "Weaviate").detail == "server: http://127.0.0.1:9 (by $WEAVIATE_URL)"
    assert named(found, "server").bad and "There are three ways" in named(found, "server").cure


def test_a_secret_header_whose_variable_is_not_set_is_named(here, monkeypatch):
    monkeypatch.setenv("WEAVIATE_URL", "http://127.0.0.1:9")
    monkeypatch.delenv("PROXY_TOKEN", raising=False)
    connection = {"headers_env": {"X-Proxy-Token": "PROXY_TOKEN"}}
    found = look_at_store({**MEMORY, "store": {"@misc": "synthesizrr.WeaviateStore.v1", "connection": connection}}, CFG)
    assert named(found, "$PROXY_TOKEN").bad


def test_an_embedder_without_its_package_names_the_extra(monkeypatch):
    monkeypatch.setattr(stores, "version", lambda name: None)
    found = look_at_store({**MEMORY, "embedder": {"@misc": "synthesizrr.FastEmbed.v1", "model": "x"}}, CFG)
    assert named(found, "embedder").cure == "pip install 'spacy-synthesizrr[embed]'"


@pytest.mark.parametrize("name", ["FastEmbed", "SentenceTransformers"])
def test_a_model_is_not_looked_for_in_the_network(monkeypatch, name):
    monkeypatch.setattr(stores, "version", lambda name: "1.0")
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("asked the network"))
    found = named(look_at_store({**MEMORY, "embedder": {"@misc": f"synthesizrr.{name}.v1", "model": "some/model"}}, CFG), "embedder")
    assert found.state == "ok" and "downloaded when it is first needed" in found.detail


def test_a_folder_without_a_model_is_a_fault(tmp_path):
    found = look_at_store({**MEMORY, "embedder": {"@misc": "synthesizrr.FastEmbed.v1", "folder": str(tmp_path)}}, CFG)
    assert named(found, "embedder").bad


def test_a_store_that_is_misspelt_is_one_line():
    (found,) = look_at_store({"store": {"@misc": "synthesizrr.MemoryStor.v1"}}, CFG)
    assert found.bad and "\n" not in found.detail


# the machine


def test_an_extra_that_is_missing_is_no_fault_and_has_its_command(monkeypatch):
    known = machine.version
    monkeypatch.setattr(machine, "version", lambda name: None if name == "pyarrow" else known(name))
    found = named(packages(), "[parquet]")
    assert (found.state, found.bad, found.cure) == ("missing", False, "pip install 'spacy-synthesizrr[parquet]'")


def test_a_package_that_we_need_and_is_gone_is_a_fault(monkeypatch):
    known = machine.version
    monkeypatch.setattr(machine, "version", lambda name: None if name == "srsly" else known(name))
    assert packages()[0].bad and packages()[0].cure == "pip install srsly"


def test_every_extra_is_looked_at():
    assert {"[embed]", "[parquet]", "[prices]", "[transformers]", "[weaviate]"} <= {each.name for each in packages()}


def test_pipelines_are_told_by_their_vectors(tmp_path, monkeypatch):
    for name, width in (("with_some", 300), ("without_any", 0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
        (tmp_path / name / "meta.json").write_text(json.dumps({"version": "1.0", "vectors": {"width": width, "vectors": 20}}))
        about = tmp_path / f"{name}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[spacy_models]\n{name} = {name}\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = pipelines()
    assert found.state == "ok"
    assert "with_some 1.0 (vectors 20 × 300)" in found.detail and "without_any 1.0 (no vectors)" in found.detail


def test_a_gpu_that_a_run_asks_for_and_is_not_there_is_a_fault(monkeypatch):
    monkeypatch.setattr(machine, "gpus", list)
    assert gpu(needed=True).bad and not gpu().bad


@pytest.mark.parametrize(
    ("free", "used", "embedded", "bad"),
    [(2**29, 2**30, False, True), (2**31, 2**36, True, True), (2**31, 2**36, False, False), (2**35, 2**34, True, False)],
)
def test_a_disk_is_full_before_it_is_full(tmp_path, monkeypatch, free, used, embedded, bad):
    sizes = type("Usage", (), {"free": free, "used": used, "total": free + used})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: sizes)
    assert disk(tmp_path / "not" / "there", hosts_weaviate=embedded).bad is bad


def test_an_error_of_ours_is_cut_into_what_and_cure():
    found = from_error("p", "n", StoreError("No server answers at http://x (Timed out.). Start one: see here. Or two."))
    assert found.detail == "No server answers at http://x (Timed out.)."
    assert found.cure == "Start one: see here. Or two."
