"""What students are compared with: TF-IDF and logistic regression of scikit-learn, and SetFit."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

Texts = list[str]


def sklearn_peer(train: tuple[Texts, Texts], test: tuple[Texts, Texts], *, seed: int, encoder: str, folder: Path) -> dict[str, Any]:
    """Words and pairs of words weighted by TF-IDF, logistic regression with C = 10."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    began = time.monotonic()
    vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    model = make_pipeline(vectors, LogisticRegression(C=10, max_iter=1000, random_state=seed)).fit(*train)
    seconds = time.monotonic() - began
    began = time.monotonic()
    score = float(model.score(*test))
    size = model[-1].coef_.nbytes + sum(len(word.encode()) + 8 for word in model[0].vocabulary_)  # a pickle would be about as large
    return {"test": score, "seconds": seconds, "docs_per_second": len(test[0]) / (time.monotonic() - began), "megabytes": size / 1e6}


def setfit_peer(train: tuple[Texts, Texts], test: tuple[Texts, Texts], *, seed: int, encoder: str, folder: Path) -> dict[str, Any]:
    """SetFit with its defaults, but for pairs: 20 iterations as in its paper (Tunstall et al. 2022), one epoch.

    encoder (str): Folder of a sentence-transformers model.
    """
    import torch
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    labels = sorted(set(train[1]))
    rows = Dataset.from_dict({"text": train[0], "label": [labels.index(label) for label in train[1]]})
    model = SetFitModel.from_pretrained(encoder)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device)
    args = TrainingArguments(
        output_dir=str(folder), num_iterations=20, num_epochs=1, batch_size=16, seed=seed, save_strategy="no", report_to="none"
    )
    trainer = Trainer(model=model, args=args, train_dataset=rows)
    began = time.monotonic()
    trainer.train()
    seconds = time.monotonic() - began
    began = time.monotonic()
    answers = [labels[int(index)] for index in model.predict(test[0])]
    took = time.monotonic() - began
    score = sum(answer == gold for answer, gold in zip(answers, test[1], strict=True)) / len(answers)
    size = sum(value.numel() * value.element_size() for value in model.model_body.parameters())
    return {"test": score, "seconds": seconds, "docs_per_second": len(test[0]) / took, "megabytes": size / 1e6, "device": device}


PEERS = {"scikit-learn": sklearn_peer, "SetFit": setfit_peer}
