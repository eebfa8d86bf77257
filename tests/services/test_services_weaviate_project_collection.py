"""The steps of the project on collections that somebody else made: without a corpus file, and without a write."""

import json
import uuid

import numpy as np
import pytest
import spacy
from conftest import make_project
from spacy.vectors import Vectors
from weaviate.classes.config import Configure, DataType, Property, Tokenization, VectorDistances
from weaviate.classes.data import DataObject

from spacy_synthesizrr.embedders.vectors import make_spacy_vectors
from spacy_synthesizrr.stores.weaviate.connect import connect
from spacy_synthesizrr.stores.weaviate.settings import Connection, Place


@pytest.fixture(scope="module")
def client(weaviate_modules):
    link = connect(Place(Connection(url=weaviate_modules.url, grpc_port=weaviate_modules.grpc_port)))
    yield link.client
    link.close()


STEPS = ("index", "plan", "synthesize")  # what comes then does not know where passages lie

STORE = """
[store]
@misc = "synthesizrr.WeaviateCollection.v1"
path = "index"

[store.collection]
name = "TheirDesk"
text_property = "body"
id_property = "key"
source_property = "outlet"

[store.connection]
url = "{url}"
grpc_port = {port}
"""


@pytest.fixture(scope="module")
def project(weaviate_modules, client, embeddings, tmp_path_factory):
    """The demo task without its corpus, whose passages lie in a collection of somebody."""
    made = make_project(tmp_path_factory.mktemp("theirs") / "project")
    folder = made.path / "assets" / "news_demo"
    rows = [json.loads(line) for line in (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    field = {"tokenization": Tokenization.FIELD, "index_searchable": False, "skip_vectorization": True}
    desk = client.collections.create(
        "TheirDesk",
        vector_config=Configure.Vectors.text2vec_ollama(api_endpoint=embeddings.url, model="words", source_properties=["body"]),
        properties=[
            Property(name="body", data_type=DataType.TEXT, vectorize_property_name=False),
            Property(name="key", data_type=DataType.TEXT, **field),
            Property(name="outlet", data_type=DataType.TEXT, **field),
        ],
    )
    objects = [DataObject(properties={"body": row["text"], "key": row["id"], "outlet": row["source"]}) for row in rows]
    assert not desk.data.insert_many(objects).has_errors
    (folder / "corpus.jsonl").unlink()
    task = (folder / "task.yml").read_text(encoding="utf-8")
    (folder / "task.yml").write_text("".join(line for line in task.splitlines(True) if not line.startswith("corpus:")), encoding="utf-8")
    config = STORE.format(url=weaviate_modules.url, port=weaviate_modules.grpc_port)
    (made.path / "configs" / "store.desk.cfg").write_text(config, encoding="utf-8")
    yield made, desk, len(rows)
    client.collections.delete("TheirDesk")
    embeddings.mend()


def test_the_project_runs_on_a_collection_that_is_there_without_a_corpus(project):
    made, desk, count = project
    before = desk.config.get().to_dict()
    said = ""
    assert made.run(command="prepare", run="desk", store="desk", per_label=3).returncode == 0
    for step in STEPS:
        done = made.command("spacy_synthesizrr", step, "--run", "desk")
        said += done.stdout + done.stderr
        assert done.returncode == 0, said
    assert "Warning" not in said
    assert f"{count} passages are in http" in said
    about = made.json("desk", "index.json")
    assert (about["passages"], about["documents"], about["rejected"]) == (count, None, {})
    assert about["embedder"]["id"].startswith("weaviate-text2vec-ollama-")
    ids = {each.properties["key"] for each in desk.iterator(return_properties=["key"])}
    rows = made.rows("desk", "synthesized.jsonl")
    assert len(rows) == 12
    assert {row["passage_id"] for row in rows} <= ids
    assert (desk.config.get().to_dict(), len(ids)) == (before, count)


def test_running_again_does_nothing_until_the_collection_changes(project):
    made, desk, count = project
    again = made.command("spacy_synthesizrr", "index", "--run", "desk")
    assert again.stdout == "index: nothing changed\n", again.stderr
    desk.data.insert({"body": "The mayor opened a bridge over the river on Monday.", "key": "new", "outlet": "wire"})
    assert made.command("spacy_synthesizrr", "index", "--run", "desk").returncode == 0
    assert made.json("desk", "index.json")["passages"] == count + 1


def test_a_task_without_a_corpus_needs_a_store_that_has_passages(project):
    made, _, _ = project
    done = made.run(command="prepare", run="memory", store="memory")
    assert done.returncode != 0
    assert "'corpus' is missing" in done.stdout + done.stderr
    assert "WeaviateCollection.v1" in done.stdout + done.stderr


def test_a_collection_without_vectors_is_searched_by_words_alone(project, weaviate_modules, client):
    made, desk, _ = project
    texts = [each.properties["body"] for each in desk.iterator(return_properties=["body"])]
    body = Property(name="body", data_type=DataType.TEXT)
    bare = client.collections.create("TheirWords", vector_config=Configure.Vectors.self_provided(), properties=[body])
    assert not bare.data.insert_many([DataObject(properties={"body": text}) for text in texts]).has_errors
    config = STORE.format(url=weaviate_modules.url, port=weaviate_modules.grpc_port)
    config = "".join(line for line in config.splitlines(True) if not line.startswith(("id_", "source_")))
    config = config.replace("TheirDesk", "TheirWords") + '[embedder]\n@misc = "synthesizrr.NoEmbedder.v1"\n'
    (made.path / "configs" / "store.words.cfg").write_text(config, encoding="utf-8")
    strategy = (made.path / "configs" / "strategy.synthesizrr.cfg").read_text(encoding="utf-8")
    vectors = strategy.replace('search = "hybrid"', 'search = "keyword"')
    words = vectors.replace("on = true", "on = false").replace('similarity = "window"', "similarity = null")
    for name, text in (("vectors", vectors), ("words", words)):
        (made.path / "configs" / f"strategy.{name}.cfg").write_text(text, encoding="utf-8")
        assert made.run(command="prepare", run=name, store="words", strategy=name, per_label=3).returncode == 0
        assert made.command("spacy_synthesizrr", "index", "--run", name).returncode == 0
    refused = made.command("spacy_synthesizrr", "plan", "--run", "vectors")
    assert refused.returncode == 2 and "on = false in [plan.margin]" in refused.stderr
    done = made.command("spacy_synthesizrr", "plan", "--run", "words")
    assert done.returncode == 0, done.stderr
    assert len({row["passage_id"] for row in made.rows("words", "planned.jsonl")}) >= 12
    client.collections.delete("TheirWords")


def test_a_named_local_embedder_is_tried_and_then_plans(project, weaviate_modules, client):
    made, desk, _ = project
    texts = {each.properties["key"]: each.properties["body"] for each in desk.iterator(return_properties=["key", "body"])}
    nlp, draw = spacy.blank("en"), np.random.default_rng(0)
    words = sorted({word for text in texts.values() for word in text.split()})
    nlp.vocab.vectors = Vectors(data=draw.normal(size=(len(words), 32)).astype("f4"), keys=[nlp.vocab.strings.add(word) for word in words])
    nlp.to_disk(made.path / "words")
    embedder = make_spacy_vectors(str(made.path / "words"))
    embedder.fit((), seed=0)
    cosine = Configure.VectorIndex.hnsw(distance_metric=VectorDistances.COSINE)
    brought = client.collections.create(
        "TheirVectors",
        vector_config=Configure.Vectors.self_provided(vector_index_config=cosine),
        properties=[Property(name="body", data_type=DataType.TEXT)],
    )
    rows = [DataObject(properties={"body": text}, uuid=uuid.uuid4(), vector=embedder.embed([text])[0].tolist()) for text in texts.values()]
    assert not brought.data.insert_many(rows).has_errors
    before = brought.config.get().to_dict()
    config = STORE.format(url=weaviate_modules.url, port=weaviate_modules.grpc_port)
    config = "".join(line for line in config.splitlines(True) if not line.startswith(("id_", "source_")))
    config = config.replace("TheirDesk", "TheirVectors")
    config += '[embedder]\n@misc = "synthesizrr.SpacyVectors.v1"\npipeline = "words"\n'
    (made.path / "configs" / "store.brought.cfg").write_text(config, encoding="utf-8")
    assert made.run(command="prepare", run="brought", store="brought", per_label=3).returncode == 0
    done = made.command("spacy_synthesizrr", "index", "--run", "brought")
    assert done.returncode == 0, done.stderr
    done = made.command("spacy_synthesizrr", "plan", "--run", "brought")
    assert done.returncode == 0, done.stderr
    ids = {str(row.uuid) for row in rows}
    assert {row["passage_id"] for row in made.rows("brought", "planned.jsonl")} <= ids
    assert made.json("brought", "index.json")["embedder"]["id"] == embedder.id
    assert (brought.config.get().to_dict(), brought.aggregate.over_all(total_count=True).total_count) == (before, len(rows))
    client.collections.delete("TheirVectors")
