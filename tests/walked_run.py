"""A small run, walked in this process as far as `measure`, whose texts try to break out of whatever shows them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOSTILE = '<script>alert("x")</script> {{ 7 * 7 }} {% raw %} <img src=x onerror=alert(1)> & <b>bold</b> \\x1b[31m'
TASK = """
name: tiny
k_seeds: 2
labels:
  sport: {verbalization: about sport, definition: Matches and races.}
  cooking: {verbalization: about cooking, definition: Dishes and kitchens.}
prompt: {instruction: "Write a headline {verbalization}.", min_words: 3, max_words: 60}
corpus: {path: corpus.jsonl, id: id, source: source}
seeds: {path: seeds.jsonl}
"""
SENTENCES = {
    "sport": """The striker scored late in the cup match. The keeper saved two penalties before the break. The league leaders lost at home
        again. A sprinter broke the national record on Sunday. The coach praised his young defenders. Fans sang through the whole second
        half. The rowing crew won by half a length. Her serve decided the tennis final. The cyclists climbed in heavy rain. A referee sent
        off the captain for arguing. The swimmer trains before dawn every day. The club signed a goalkeeper from abroad.""",
    "cooking": """The cook stirred the soup with butter and garlic. Fresh bread rose slowly beside the warm oven. She fried the onions until
        they were golden. The recipe asks for lemon and a pinch of salt. Roasted peppers give the sauce its colour. He kneaded the dough
        for ten minutes. The kitchen smelled of thyme and roast chicken. Boil the pasta in plenty of water. A spoon of honey sweetens the
        dressing. The pie needs an hour in the oven. They served the fish with boiled potatoes. Chop the parsley and grate the cheese.""",
}


def walk(path: Path) -> None:
    """Write a project and walk a run called "tiny" in it; the working directory is put back."""
    from spacy_synthesizrr.context import Context
    from spacy_synthesizrr.steps import curate, index, measure, plan, prepare, synthesize

    write_task(path / "tiny")
    shutil.copytree(ROOT / "configs", path / "configs")
    before = Path.cwd()
    os.chdir(path)
    try:
        prepare.run(prepare.Choices("tiny", "tiny", per_label=4))
        context = Context.open("tiny")
        for step in (index, plan, synthesize, curate, measure):
            step.run(context)
    finally:
        os.chdir(before)


def write_task(folder: Path) -> None:
    """Two labels, twelve passages and three seeds of each, all of them hostile."""
    folder.mkdir(parents=True)
    (folder / "task.yml").write_text(TASK)
    corpus, seeds = [], []
    for label, text in SENTENCES.items():
        sentences = [f"{part}." for part in " ".join(text.split()).removesuffix(".").split(". ")]
        for number in range(12):
            chosen = [sentences[(number + step) % 12] for step in (0, 1, 3, 6)]
            corpus.append(
                {"id": f"{label}{number}", "source": f"Gazette {HOSTILE}", "text": " ".join([*chosen, f"So {HOSTILE} they say."])}
            )
        seeds += [{"text": f"{sentences[number]} {sentences[number + 4]} {HOSTILE}", "label": label} for number in (0, 3, 6)]
    for name, rows in (("corpus", corpus), ("seeds", seeds)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
