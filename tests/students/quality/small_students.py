"""Small trained classifiers of every architecture that spaCy has, for the tests of what is done to them afterwards."""

from __future__ import annotations

import random

import spacy
from spacy.language import Language
from spacy.training import Example
from spacy.util import fix_random_seed

from spacy_synthesizrr.students.config import StudentTask

WORDS = {
    "sport": "goal match striker coach league".split(),
    "business": "bank shares profit market merger".split(),
    "science": "cell orbit genome telescope fossil".split(),
}
LABELS = tuple(WORDS)
EXCLUSIVE, SEVERAL = StudentTask(LABELS, True, "en"), StudentTask(LABELS, False, "en")
TOK2VEC = {"@architectures": "spacy.HashEmbedCNN.v2", "pretrained_vectors": None, "width": 16, "depth": 1, "embed_size": 200,
           "window_size": 1, "maxout_pieces": 2, "subword_features": False}  # fmt: skip
ARCHITECTURES = {
    "bow": {"@architectures": "spacy.TextCatBOW.v3", "ngram_size": 1, "no_output_layer": False, "length": 512},
    "ensemble": {
        "@architectures": "spacy.TextCatEnsemble.v2",
        "tok2vec": TOK2VEC,
        "linear_model": {"@architectures": "spacy.TextCatBOW.v3", "ngram_size": 1, "no_output_layer": False, "length": 512},
    },
    "reduce": {
        "@architectures": "spacy.TextCatReduce.v1", "tok2vec": TOK2VEC, "use_reduce_first": False, "use_reduce_last": True,
        "use_reduce_max": True, "use_reduce_mean": True,
    },
    "cnn": {"@architectures": "spacy.TextCatCNN.v2", "tok2vec": TOK2VEC},
    "attention": {"@architectures": "spacy.TextCatParametricAttention.v1", "tok2vec": TOK2VEC},
}  # fmt: skip


def rows(number: int, *, seed: int = 0, exclusive: bool = True, noise: float = 0.2) -> list[tuple[str, dict[str, float]]]:
    """Texts of six words, most of them of their labels; some labels are wrong, so that no classifier can be sure."""
    chance = random.Random(seed)
    found = []
    for _ in range(number):
        wanted = [chance.choice(LABELS)] if exclusive else [label for label in LABELS if chance.random() < 0.4]
        words = [
            chance.choice(WORDS[chance.choice(wanted or LABELS) if chance.random() < 0.7 else chance.choice(LABELS)]) for _ in range(6)
        ]
        given = [chance.choice(LABELS)] if exclusive and chance.random() < noise else wanted
        found.append((f"The {' and the '.join(words)}.", {label: float(label in given) for label in LABELS}))
    return found


def student(architecture: str, task: StudentTask, *, steps: int = 15, model: dict | None = None) -> Language:
    """A pipeline with one classifier, trained for a few steps."""
    about = dict(model or ARCHITECTURES[architecture])
    if "linear_model" in about:
        about["linear_model"] = {**about["linear_model"], "exclusive_classes": task.exclusive}
    else:
        about["exclusive_classes"] = task.exclusive
    return trained(about, task, steps=steps)


def trained(model: dict, task: StudentTask, *, steps: int) -> Language:
    fix_random_seed(0)
    nlp = spacy.blank("en")
    component = nlp.add_pipe(task.component, config={"model": model})
    for label in task.labels:
        component.add_label(label)
    examples = [Example.from_dict(nlp.make_doc(text), {"cats": cats}) for text, cats in rows(96, exclusive=task.exclusive)]
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.01
    for step in range(steps):
        nlp.update(examples[(step * 32) % 96 :][:32], sgd=optimizer)
    return nlp
