"""Three ways to train one encoder: our architecture, the Hugging Face Trainer, and spacy-curated-transformers. One way per process.

    python benchmarks/students_encoders.py ours SETS ENCODER
    python benchmarks/students_encoders.py trainer SETS ENCODER
    python benchmarks/students_encoders.py curated SETS ENCODER      # beside spacy-curated-transformers 0.3.1 and NumPy below 2.4

SETS is a folder with gold-400.jsonl and test.jsonl, as `students.py --prepare` writes them; ENCODER a folder with a BERT. All take
the same 32 rows a step, the same number of steps, learning rate (with 6 % warm-up) and most tokens. CPU seconds of one thread. Adds a
line to results/students_encoders.jsonl.
"""

from __future__ import annotations

import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

STEPS, ROWS, RATE, TOKENS, TEST, SEED = 60, 32, 1e-4, 64, 500, 0
HERE = Path(__file__).parent
Set = tuple[list[str], list[str]]


def read(path: Path, most: int) -> Set:
    """RETURNS (Tuple[List[str], List[str]]): Texts and labels."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()[:most]]
    return [row["text"] for row in rows], [row["label"] for row in rows]


def with_spacy(config: dict[str, Any], train: Set, test: Set) -> tuple[float, Callable[[], list[str]]]:
    """Train a spaCy pipeline on batches in a fixed order; the config's optimizer is ours in both cases."""
    import random

    from spacy.training import Example
    from spacy.util import load_model_from_config
    from thinc.api import Adam, fix_random_seed, warmup_linear

    fix_random_seed(SEED)
    nlp = load_model_from_config(config, auto_fill=True)
    labels = sorted(set(train[1]))
    cats = [{name: float(name == label) for name in labels} for label in train[1]]
    examples = [Example.from_dict(nlp.make_doc(text), {"cats": one}) for text, one in zip(train[0], cats, strict=True)]
    nlp.initialize(lambda: examples)
    rate: Any = warmup_linear(RATE, round(0.06 * STEPS), STEPS)
    optimizer = Adam(rate, L2=0.01, grad_clip=1.0, use_averages=False)
    began = time.process_time()
    order = random.Random(SEED)
    for step in range(STEPS):
        place = step * ROWS % len(examples)
        if place < ROWS:
            order.shuffle(examples)
        nlp.update(examples[place : place + ROWS], sgd=optimizer, drop=0.1)
        optimizer.step_schedules()
    seconds = time.process_time() - began
    return seconds, lambda: [max(doc.cats, key=lambda name: doc.cats[name]) for doc in nlp.pipe(test[0])]


def ours(train: Set, test: Set, encoder: str) -> tuple[float, Callable[[], list[str]]]:
    """`synthesizrr.TransformerTextCat.v1`."""
    model = {"@architectures": "synthesizrr.TransformerTextCat.v1", "name": encoder, "exclusive_classes": True, "max_length": TOKENS}
    return with_spacy(
        {"nlp": {"lang": "en", "pipeline": ["textcat"]}, "components": {"textcat": {"factory": "textcat", "model": model}}}, train, test
    )


def curated(train: Set, test: Set, encoder: str) -> tuple[float, Callable[[], list[str]]]:
    """spacy-curated-transformers, with a listener."""
    about = json.loads((Path(encoder) / "config.json").read_text(encoding="utf-8"))
    names = {"hidden_width": "hidden_size", "num_hidden_layers": "num_hidden_layers", "num_attention_heads": "num_attention_heads"}
    names |= {"intermediate_width": "intermediate_size", "vocab_size": "vocab_size"}
    prefix = "spacy-curated-transformers"
    trunk = {"@architectures": f"{prefix}.BertTransformer.v1", **{ours: about[theirs] for ours, theirs in names.items()}}
    trunk |= {"piece_encoder": {"@architectures": f"{prefix}.BertWordpieceEncoder.v1"}}
    trunk |= {"with_spans": {"@architectures": f"{prefix}.WithStridedSpans.v1"}}
    listener = {"@architectures": f"{prefix}.LastTransformerLayerListener.v1", "width": about["hidden_size"]}
    listener |= {"upstream": "transformer", "pooling": {"@layers": "reduce_mean.v1"}}
    reduced = {f"use_reduce_{name}": name == "mean" for name in ("first", "last", "max", "mean")}
    textcat = {"@architectures": "spacy.TextCatReduce.v1", "exclusive_classes": True, "tok2vec": listener, **reduced}
    loaders = {"encoder_loader": "HFTransformerEncoderLoader", "piecer_loader": "HFPieceEncoderLoader"}
    loading = {name: {"@model_loaders": f"{prefix}.{loader}.v1", "name": encoder} for name, loader in loaders.items()}
    components = {"transformer": {"factory": "curated_transformer", "model": trunk}, "textcat": {"factory": "textcat", "model": textcat}}
    config = {"nlp": {"lang": "en", "pipeline": list(components)}, "components": components}
    return with_spacy({**config, "initialize": {"components": {"transformer": loading}}}, train, test)


def trainer(train: Set, test: Set, encoder: str) -> tuple[float, Callable[[], list[str]]]:
    """The Hugging Face Trainer with the encoder's own head."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding, Trainer, TrainingArguments

    labels, tokenizer = sorted(set(train[1])), AutoTokenizer.from_pretrained(encoder)

    def rows(some: Set) -> Iterator[dict[str, Any]]:
        for text, label in zip(*some, strict=True):
            yield {**tokenizer(text, truncation=True, max_length=TOKENS), "label": labels.index(label)}

    torch.manual_seed(SEED)
    model = AutoModelForSequenceClassification.from_pretrained(encoder, num_labels=len(labels))
    with tempfile.TemporaryDirectory() as name:
        how = TrainingArguments(
            name, max_steps=STEPS, per_device_train_batch_size=ROWS, learning_rate=RATE, warmup_steps=round(0.06 * STEPS),
            weight_decay=0.01, seed=SEED, report_to=[], use_cpu=True, save_strategy="no", disable_tqdm=True, logging_strategy="no",
        )  # fmt: skip
        done = Trainer(model=model, args=how, train_dataset=list(rows(train)), data_collator=DataCollatorWithPadding(tokenizer))
        began = time.process_time()
        done.train()
        seconds = time.process_time() - began
        return seconds, lambda: [labels[int(index)] for index in done.predict(list(rows(test))).predictions.argmax(axis=1)]


def main() -> None:
    """Train one way and add a line."""
    way, sets, encoder = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    train, test = read(sets / "gold-400.jsonl", 400), read(sets / "test.jsonl", TEST)
    seconds, answer = {"ours": ours, "trainer": trainer, "curated": curated}[way](train, test, encoder)
    began = time.process_time()
    answers = answer()
    speed = len(answers) / (time.process_time() - began)
    score = sum(one == gold for one, gold in zip(answers, test[1], strict=True)) / len(answers)
    found = {"way": way, "steps": STEPS, "train_cpu_s": round(seconds, 1), "docs_per_cpu_s": round(speed, 1), "test": round(score, 4)}
    found |= {"rows": len(train[0]), "test_rows": len(answers), "max_length": TOKENS, "python": platform.python_version()}
    print(found)
    with (HERE / "results" / "students_encoders.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
