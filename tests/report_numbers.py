"""Numbers and rows of a small run, for tests of the page: as JSON has them, without a run."""

from spacy_synthesizrr.report.browse import Confused
from spacy_synthesizrr.report.items import Item, Shown
from spacy_synthesizrr.report.page import Samples

HOSTILE = '</p><script>alert(1)</script> {{ 7 * 7 }} {% raw %} <img src="http://example.com/x.png" onerror="x()"> & "quoted"'
SCORES = {"p": 0.75, "r": 0.5, "f": 0.6, "rows": 4}
SPREAD = {"n": 2, "mean": 9.5, "sd": 0.7, "min": 9, "p5": 9.0, "p25": 9.2, "median": 9.5, "p75": 9.7, "p95": 9.9, "max": 10}
COUNTS = {"asked": 2, "planned": 2, "reserve": 1, "sent": 3, "answered": 2, "failed": {"timeout": 1}, "accepted": 1, "short": 1}
SIZED = {name: {"value": 0.5, "n": 2} for name in ("distinct_1", "distinct_2", "distinct_3", "compression_ratio")}
REASONS = ("rank", "leak", "below_window", "margin", "surplus")


def arm(name, dev=(), test=(), rows=12, why=""):
    splits = {
        split: {"scores": list(s), "mean": sum(s) / len(s) if s else None, "sd": 0.01 if s else None}
        for split, s in (("dev", dev), ("test", test))
    }
    about = {"name": name, "about": f"what {name} is", "rows": None if why else rows, "steps": None if why else 90, "why": why}
    interval = {"value": 0.75, "low": 0.7, "high": 0.81, "level": 0.95, "resamples": 1000} if test else None
    return {**about, **splits, "interval": interval, "ece": {"mean": 0.12, "sd": 0.01} if test else None}


def label_plan():
    return {"wanted": 2, "planned": 2, "reserve": 1, "missing": 0, "seeds": 3, "hits": 9, "turned_away": dict.fromkeys(REASONS, 1)}


NUMBERS = {
    "v": 1,
    "run": "tiny",
    "asked": {
        "task": "tiny", "task_file": "tiny/task.yml", "labels": ["sport", "science"], "exclusive": True, "strategy": "synthesizrr",
        "store": "memory", "teacher": "extractive", "student": "bow", "per_label": 2, "seed": 0, "lang": "en", "gpu_id": -1,
        "mode": "zero-shot", "copies": True, "documents": 5, "passages": 1234, "embedder": "lsa-256",
    },
    "findings": [{"tone": "bad", "text": "The student does not beat seed-only."}],
    "metric": "accuracy",
    "arms": [arm("main", [0.8, 0.9], [0.7, 0.8]), arm("seed-only", [0.8], [0.85]), arm("fewgen", why="not run: this teacher only copies")],
    "evaluation": {
        "rows": 8, "why": "", "per_label": {"sport": SCORES, "science": SCORES}, "majority": {"label": "sport", "score": 0.5},
        "copies": {"rows": 4, "equal": 3}, "seed": 1, "thresholds": {},
        "intervals": {name: {"value": 0.8, "low": 0.66, "high": 0.9, "level": 0.95, "resamples": 1000} for name in ("score", "macro_f")},
        "finish": {"v": 1, "temperature": 0.5, "rows": 60, "why": "", "dev": {}, "thresholds": {}, "notes": []},
        "calibration": {
            "temperature": 0.5, "rows": 8, "bins": 15, "ece": {"before": 0.31, "after": 0.12}, "brier": {"before": 0.4, "after": 0.3},
            "nll": {"before": 0.9, "after": 0.7},
            "reliability": [
                {"low": 0.6, "high": 2 / 3, "count": 3, "score": 0.64, "share": 1 / 3},
                {"low": 14 / 15, "high": 1.0, "count": 5, "score": 0.97, "share": 1.0},
            ],
        },
        "confusion": {
            "labels": ["sport", "science"],
            "cells": [
                {"gold": "sport", "predicted": "sport", "count": 4, "rows": [1, 2, 3, 4]},
                {"gold": "science", "predicted": "sport", "count": 3, "rows": [5, 7, 8]},
            ],
        },
    },
    "gold_left_out": {"dev": 0, "test": 3},
    "funnel": {
        "v": 1, "total": {**COUNTS, "rejected": {"synthesize": {"near_copy": 1}}},
        "labels": {"sport": {**COUNTS, "rejected": {"synthesize": {"near_copy": 1}}}}, "shortfalls": ["'sport': asked 2, got 1."],
    },
    "switched_off": ["near_copy is off."],
    "plan": {
        "v": 1, "mode": "zero-shot", "remarks": ["Similarity window of inputs: 0.10-0.80."],
        "labels": {"sport": label_plan(), "science": label_plan()},
        "windows": {"inputs": {"low": 0.1, "high": 0.8, "said": ""}, "pairs": {"low": 0.2, "high": 0.9, "said": ""}},
        "histogram": {"edges": [0.0, 0.5, 1.0], "counts": {"sport": [3, 1], "science": [2, 2]}},
        "settings": {"leaks": {"ngram": 8, "similarity": "window"}},
        "leaks": {"threshold": 0.9},
    },
    "leaks": {
        "counts": {"seeds": {}, "passages": {"equal": 1}},
        "head": [{"id": "abc", "what": "passage", "reason": "equal", "score": 1.0, "gold": "test:3"}],
    },
    "measures": {
        "sets": {
            name: {"labels": {"n": 2}, "lengths": {"words": SPREAD, "per_label": {"sport": {"words": SPREAD}}}}
            for name in ("main", "seeds")
        },
        "equal": {"n": 2, "seed": 0, "sets": {"main": SIZED, "seeds": SIZED}},
    },
    "versions": {"spacy": "3.8.18", "spacy-synthesizrr": "0.1.0"},
    "files": {
        "corpus": {"path": "tiny/corpus.jsonl", "bytes": 123456, "sha256": "ab" * 32},
        "config: store": {"path": "configs/store.memory.cfg", "sha256": "cd" * 32},
    },
    "keys": {},
    "reproduce": "python -m spacy project run all . --vars.run tiny",
}  # fmt: skip


def item(text="A text.", *, status="accepted", reason="", label="sport", passage=0, marks=(), **more):
    return Item(
        "a1" * 16, "main", status, label, reason, (("text", text),), passage, 0, marks,
        (("similarity", "0.432"), ("rank", "3")), ("synthesize: accepted",), **more,
    )  # fmt: skip


def samples(*items, passage="A passage.", source="The Source", seed="A seed.", **more):
    return Samples(Shown(items, [(passage, source)], [(("text", seed),)]), {"main": {"accepted": 7, "rejected": 2}}, **more)


def with_test_rows(gold="science", student="sport", text="A test text."):
    right = Item("test:1", "test", "right", "sport", "", (("text", "Right."),))
    wrong = Item("test:5", "test", "wrong", gold, f"taken for {student}", (("text", text),))
    cells = {(gold, student): [5], ("sport", "sport"): [1]}
    return samples(item(), right, wrong, tested=Confused({5: (student,), 1: ("sport",)}, cells, dict.fromkeys(cells, 3)))


def measured():
    """What `measure` writes, cut down to one set beside gold."""
    bleus = {f"self_bleu_{n}": {"value": 0.5 / n, "n": 40} for n in range(1, 6)}
    sized = {"words": {"value": 20.5, "n": 40}, **{f"distinct_{n}": {"value": 0.4, "n": 40} for n in (1, 2, 3)}, **bleus}
    sized["compression_ratio"] = {"value": 2.0, "n": 40}
    lengths = {"words": {"n": 60, "mean": 20.0, "sd": 2.0, "min": 10, "median": 20, "max": 30}, "chars": {"n": 60}, "per_label": {}}
    words = {"divergence": 0.3, "known": 0.5, "strange": 0.2, "more": [{"word": "delve", "z": 3.0}], "less": []}
    gap = {"vocabulary": words, "lengths": {"gold": 20, "mean": 22, "ratio": 1.1, "distance": 2.5}}
    interval = {"value": 0.7, "low": 0.6, "high": 0.8}
    judged = {"n": 60, "seen": 2, "value": 0.7, "interval": interval, "shuffled": 0.25, "pairs": [{"asked": "a", "found": "b", "rows": 9}]}
    person = {"entropy": 1.5, "mentions": 9, "different": 4, "texts": 5, "top_share": 0.6, "top_texts": 0.4}
    person["top"] = [{"entity": "<b>Ann</b>", "mentions": 5, "share": 0.55}]
    source = {"n": 60, "different": 30, "mean": 2.0, "most": 5, "most_share": 0.1, "effective": 25.0}
    heat = {"labels": ["a", "b"], "n": [30, 30], "cosines": [[0.5, 0.1], [0.1, None]]}
    novel = {f"novel_{n}": 0.1 * n for n in (1, 2, 3, 5)}
    cover = {"value": 0.4, "radius": 0.3, "gold": 20, "n": 20}
    return {
        "sets": {"main": {"labels": {"n": 60}, "lengths": lengths}},
        "equal": {"n": 20, "seed": 0, "sets": {"main": sized}},
        "groups": [
            {"n": 20, "sets": {"main": sized, "seeds": sized, "dev": sized}},
            {"n": 40, "sets": {"main": sized, "dev": sized}},
            {"n": 60, "sets": {"main": sized, "random": sized}},
        ],
        "labels": {"a": {"n": 30, "sets": {"main": {"words": {"value": 20, "n": 30}, **bleus}}}},
        "entities": {"pipeline": "en_x 1.0", "n": 40, "sets": {"main": {"words": 20.5, "n": 40, "types": {"PERSON": person}}}},
        "preservation": {"trained_on": {"dev": 40}, "gold": {**interval, "value": 0.9, "low": 0.8, "high": 0.95}, "arms": {"main": judged}},
        "gaps": {"gold": "dev", "n": 20, "sets": {"main": gap, "gold": gap}},
        "vectors": {
            "embedder": "tiny", "fitted": False,
            "variety": {"n": 40, "sets": {"main": {"words": 20, "spread": 0.6, "nearest": {"median": 0.2}}}},
            "labels": {"main": heat, "gold": heat}, "coverage": {"gold": "dev", "n": 20, "sets": {"main": cover, "gold": cover}},
        },
        "mauve": {
            "embedder": "tiny", "fitted": False, "gold": "dev", "scaling": 1.0, "floor": 0.5,
            "labels": {
                "all labels": {"n": 40, "clusters": 4, "sets": {"main": {"mean": 0.8, "sd": 0.02}, "gold": {"mean": 0.97, "sd": None}}},
                "a": {"missing": "9 rows on each side; 30 are needed."},
            },
        },
        "novelty": {"against": "corpus", "passages": 99, "sets": {"main": {"n": 60, "words": 20, **novel}}},
        "sources": {"main": {"passages": source, "seeds": source}},
    }  # fmt: skip
