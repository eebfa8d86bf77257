"""Self-BLEU by nltk or by fast-bleu, for benchmarks/self_bleu.py: tokens from a file, scores and seconds as JSON to stdout."""

import json
import sys
import time


def by_nltk(texts: list[list[str]]) -> list[list[float]]:
    """RETURNS (List[List[float]]): Per n, the score of each text: sentence_bleu against all others, smoothed by method 1."""
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    smooth = SmoothingFunction().method1
    weights = [[1 / n] * n for n in range(1, 6)]
    each = [sentence_bleu(texts[:i] + texts[i + 1 :], text, weights, smooth) for i, text in enumerate(texts)]
    return [list(column) for column in zip(*each, strict=True)]


def by_fast_bleu(texts: list[list[str]]) -> list[list[float]]:
    """RETURNS (List[List[float]]): The same by its class SelfBLEU, one thread per core."""
    from fast_bleu import SelfBLEU

    found = SelfBLEU(texts, {n: [1 / n] * n for n in range(2, 6)}).get_score()  # it knows no n of 1
    return [list(found[n]) for n in range(2, 6)]


with open(sys.argv[2], encoding="utf-8") as file:
    read = json.load(file)
began, spent = time.monotonic(), time.process_time()
scores = {"nltk": by_nltk, "fast-bleu": by_fast_bleu}[sys.argv[1]](read)
took = {"seconds": time.monotonic() - began, "cpu": time.process_time() - spent}
print(json.dumps({**took, "scores": scores}))
