"""What the rows are worth by measures: variety, closeness to gold, labels kept, entities, sources. Every number has its n beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from spacy_synthesizrr.report.data_tables import MEASURES, measure_tables
from spacy_synthesizrr.report.figures import Plot
from spacy_synthesizrr.report.heat import MOST, heat_map
from spacy_synthesizrr.report.parts import Maker, Numbers, Part, not_run
from spacy_synthesizrr.report.view import Cell, Table, commanded, decimals, percent
from spacy_synthesizrr.students.arms import MAIN

FILES = ("metrics.json",)
ABOUT_VARIETY = (
    "More varied: larger distinct-n, smaller compression ratio, smaller Self-BLEU. All of them move with the number and the length of the "
    "texts: only numbers of one table can be compared, and only where lengths are alike."
)
AS_GOLD = (
    'Rows called "gold" are gold rows in the place of synthetic ones, at the same size. Who comes nearer to gold than they do is no better '
    "than gold, but closer to its middle, or lucky with few rows."
)
BLEUS = {f"self_bleu_{n}": f"Self-BLEU-{n}" for n in range(1, 6)}
NGRAMS = (1, 2, 3, 5)
TYPES = 8  # of entities in the table
NAMED = 3  # entities of a type in the table


def variety(numbers: Numbers) -> Part:
    """Distinct n-grams, compression and Self-BLEU of all sets at equal size, the largest size that gold has too; lengths."""
    head: dict[str, Any] = {"anchor": "measures", "title": "Variety and length", "short": "Variety", "files": FILES}
    found = numbers["measures"]
    if not found:
        return Part(**head, missing=not_run("Measures", "measure"))
    smallest, *others = measure_tables(found)
    groups, per_label = _section(numbers, "groups"), _section(numbers, "labels") or {}
    first = _variety_table(_with_gold(groups)) if groups else smallest
    bleu = [_bleu_by_label(per_label)] if per_label and "missing" not in per_label else []
    return Part(**head, tables=(first, *bleu, *others), sentences=(ABOUT_VARIETY,))


def _variety_table(group: Mapping[str, Any]) -> Table:
    columns = {**MEASURES, **BLEUS} if any("self_bleu_5" in one for one in group["sets"].values()) else dict(MEASURES)
    rows = tuple(
        (name, decimals(one["words"]["value"], 1), *(decimals(one.get(key, {}).get("value")) for key in columns))
        for name, one in group["sets"].items()
    )
    return Table(f"Variety, on {group['n']:,} rows of each set", ("set", "mean words", *columns.values()), rows)


def _with_gold(groups: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """RETURNS (Mapping): The largest group that has dev or train rows in it; without gold the largest."""
    return next((group for group in reversed(groups) if {"dev", "train"} & set(group["sets"])), groups[-1])


def _bleu_by_label(found: Mapping[str, Any]) -> Table:
    names = list(dict.fromkeys(name for about in found.values() for name in about["sets"]))
    rows = tuple(
        (label, about["n"], *(decimals(about["sets"].get(name, {}).get("self_bleu_5", {}).get("value")) for name in names))
        for label, about in found.items()
    )
    return Table("Self-BLEU-5 within each label", ("label", "rows of each set", *names), rows)


def closeness(numbers: Numbers) -> Part | None:
    """How close the rows lie to gold by vectors, words and lengths, with gold itself in the rows' place beside."""
    vectors, mauve, gaps = (_section(numbers, name) for name in ("vectors", "mauve", "gaps"))
    if vectors is None or mauve is None or gaps is None:
        return None
    plots = tuple(_maps(vectors.get("labels", {})))
    tables = [*_mauve_tables(mauve), *_coverage_tables(vectors.get("coverage", {})), *_gap_tables(gaps), *_spread_tables(vectors)]
    sentences = [_sentence(about) for about in (mauve, vectors.get("coverage", {}), gaps, vectors) if "missing" in about]
    sentences += [*_small(vectors, gaps, vectors.get("coverage", {}), *mauve.get("labels", {}).values()), *_given_away(numbers)]
    if "embedder" in vectors:
        sentences.insert(0, f"Vectors are by {vectors['embedder']}; those of another embedder give other numbers.")
    if not tables and not plots:
        return Part("closeness", "Close to gold", missing=" ".join(dict.fromkeys(sentences)), files=FILES)
    sentences.append(AS_GOLD)
    return Part("closeness", "Close to gold", plots, tuple(tables), tuple(dict.fromkeys(sentences)), files=FILES)


def _sentence(about: Mapping[str, Any]) -> str:
    return str(about["missing"])


def _small(*sections: Mapping[str, Any]) -> Iterator[str]:
    """YIELDS (str): Which sets had too few rows for a comparison."""
    small = {name: count for about in sections for name, count in sorted((about.get("left_out") or {}).items())}
    if small:
        named = ", ".join(f"{name} ({count:,} rows)" for name, count in small.items())
        yield f"Too small to stand beside the main set and gold, and left out where these have many more rows: {named}."


def _given_away(numbers: Numbers) -> Iterator[str]:
    """YIELDS (str): How many rows give a dev or test row away, and whether they were measured."""
    main = ((numbers.get("gate") or {}).get("arms") or {}).get(MAIN) or {}
    gone = sum(count for reason, count in main.items() if reason != "rows")
    if gone and _section(numbers, "rows") == "exported":
        yield f"{gone:,} rows of the main arm give a dev or test row away; they are neither exported nor measured."
    elif gone:
        yield (
            f"All accepted rows are measured. Of those of the main arm {gone:,} give a dev or test row away and are not exported; they "
            f"make rows look nearer to gold, and their labels easier. Measure again without them: {commanded('measure', numbers['run'])}"
        )


def _maps(found: Mapping[str, Any]) -> Iterator[tuple[Plot, str]]:
    """YIELDS (Tuple[Plot, str]): One map for the rows and one for gold, on one scale."""
    values = [value for about in found.values() for row in about["cosines"] for value in row if value is not None]
    for name, about in found.items():
        if values and len(about["labels"]) <= MOST:
            title = "Labels of the rows against each other" if name == MAIN else "Labels of gold against each other"
            plot = heat_map(about["labels"], about["cosines"], name=f"heat_{name}", title=title, low=min(values), high=max(values))
            yield plot, f"{title}: mean cosine of {sum(about['n']):,} texts."


def _mauve_tables(mauve: Mapping[str, Any]) -> Iterator[Table]:
    labels = mauve.get("labels", {})
    if not labels:
        return
    names = list(dict.fromkeys(name for about in labels.values() for name in about.get("sets", {})))
    rows: list[tuple[Cell, ...]] = []
    for label, about in labels.items():
        if "missing" in about:
            rows.append((label, about["missing"], None, *(None for _ in names)))
        else:
            rows.append((label, f"{about['n']:,}", about["clusters"], *(_mean(about["sets"].get(name)) for name in names)))
    caption = (
        f"MAUVE against {mauve['gold']} rows (1: the same distribution; {decimals(mauve['floor'])}: nothing in common; "
        f"scaling {mauve['scaling']:g})"
    )
    yield Table(caption, ("label", "rows on each side", "clusters", *names), tuple(rows), words=(1,))


def _mean(about: Mapping[str, Any] | None) -> str:
    if about is None:
        return decimals(None)
    return decimals(about["mean"]) + ("" if about["sd"] is None else f" ± {about['sd']:.3f}")


def _coverage_tables(found: Mapping[str, Any]) -> Iterator[Table]:
    if "sets" in found:
        rows = tuple((name, percent(about["value"])) for name, about in found["sets"].items())
        caption = f"Gold rows ({found['gold']}) with a row as near as half of them have another gold row, {found['n']:,} of each set"
        yield Table(caption, ("set", "covered, %"), rows)


def _gap_tables(found: Mapping[str, Any]) -> Iterator[Table]:
    if "sets" not in found:
        return
    rows = tuple(
        (
            name,
            decimals(about["vocabulary"]["divergence"]),
            percent(about["vocabulary"]["known"]),
            percent(about["vocabulary"]["strange"]),
            decimals(about["lengths"]["mean"], 1),
            decimals(about["lengths"]["distance"], 1),
        )
        for name, about in found["sets"].items()
    )
    head = ("set", "divergence of words, bits", "gold's words known, %", "words gold has not, %", "mean words", "length shift, words")
    yield Table(f"Words and lengths against {found['gold']} rows, {found['n']:,} of each set", head, rows)
    main = found["sets"].get(MAIN, {}).get("vocabulary", {"more": [], "less": []})
    listed = [(", ".join(one["word"] for one in main[side])) for side in ("more", "less")]
    if any(listed):
        used = tuple(zip(("more often than gold", "less often than gold"), listed, strict=True))
        yield Table("Words that the rows use", ("how", "words"), used, words=(1,))


def _spread_tables(vectors: Mapping[str, Any]) -> Iterator[Table]:
    if "variety" in vectors:
        rows = tuple(
            (name, decimals(about["words"], 1), decimals(about["spread"]), decimals(about["nearest"]["median"]))
            for name, about in vectors["variety"]["sets"].items()
        )
        head = ("set", "mean words", "mean distance", "distance to the nearest, median")
        yield Table(f"Cosine distances within each set, {vectors['variety']['n']:,} rows of each", head, rows)


def preserved(numbers: Numbers) -> Part | None:
    """Whether a judge that never saw the rows finds the labels that were asked for."""
    found = _section(numbers, "preservation")
    if found is None:
        return None
    if "missing" in found:
        return Part("preserved", "Labels kept", missing=_sentence(found), files=FILES)
    own = found["gold"]
    rows = tuple(
        (name, about["n"], percent(about["value"]), _between(about["interval"]), percent(about["shuffled"]), about["seen"])
        for name, about in found["arms"].items()
    )
    head = ("set", "rows", "the label asked for, %", "95 % interval", "with shuffled labels, %", "left out: known to every judge")
    tables = [Table("Rows whose label a judge finds again", head, rows)]
    if pairs := found["arms"].get(MAIN, {}).get("pairs"):
        mistaken = tuple((pair["asked"], pair["found"], pair["rows"]) for pair in pairs)
        tables.append(Table("What the judge took for what, most often", ("asked for", "found", "rows"), mistaken, words=(1,)))
    learnt = " and ".join(f"{count:,} {kind} rows" for kind, count in found["trained_on"].items())
    sentences = (
        f"Judges are linear classifiers trained on {learnt}, each without one fold of them. On those they reach {percent(own['value'])} % "
        f"({_between(own)}): that is what they can be trusted for, and a set above it is not labelled better than gold but easier. Every "
        "row, gold or not, is judged by one that was not trained on it, on the seed that it came from, or on a field that it carries.",
        *_chosen(numbers),
        *_given_away(numbers),
    )
    return Part("preserved", "Labels kept", tables=tuple(tables), sentences=sentences, files=FILES)


def _chosen(numbers: Numbers) -> Iterator[str]:
    """YIELDS (str): That a filter left the rows, or gave the labels, that such judges find right."""
    filters = ((numbers.get("curation") or {}).get("arms") or {}).get(MAIN, {}).get("filters", {})
    names = [
        name
        for name, about in filters.items()
        if about.get("acted") in ("reject", "relabel") or (about.get("labels") and about.get("keep"))
    ]
    if names:
        yield (
            f"Set filters ({', '.join(names)}) left the rows, or gave them the labels, that a classifier finds right. That raises this "
            "share whether or not labels are right."
        )


def _between(about: Mapping[str, Any] | None) -> str:
    return decimals(None) if about is None else f"{percent(about['low'])} to {percent(about['high'])}"


def named(numbers: Numbers) -> Part | None:
    """Who and what the rows name, and whether it is always the same."""
    found = _section(numbers, "entities")
    if found is None:
        return None
    if "missing" in found:
        return Part("entities", "Entities", missing=_sentence(found), files=FILES)
    sets = found["sets"]
    kinds = list(dict.fromkeys(kind for about in sets.values() for kind in about["types"]))[:TYPES]
    entropies = tuple((kind, *(decimals(about["types"].get(kind, {}).get("entropy"), 2) for about in sets.values())) for kind in kinds)
    caption = f"Entropy of the entities of each type, bits, on {found['n']:,} rows of each set"
    tables = [Table(caption, ("type", *sets), entropies)]
    top: list[tuple[Cell, ...]] = []
    for name, about in sets.items():
        for kind in [kind for kind in kinds if kind in about["types"]]:
            one = about["types"][kind]
            first = ", ".join(f"{best['entity']} ({percent(best['share'])})" for best in one["top"][:NAMED])
            top.append((f"{name}: {kind}", one["mentions"], one["different"], first, percent(one["top_texts"])))
    head = ("set and type", "mentions", "different", "most named, with their share in %", "rows that name one of the top, %")
    tables.append(Table("Most named entities", head, tuple(top), words=(3,)))
    words = ", ".join(f"{name} {decimals(about['words'], 1)}" for name, about in sets.items())
    sentences = (
        f"Found by {found['pipeline']}. The higher the entropy, the less often the same name comes back. Mean words of the rows: {words}.",
        *_small(found),
    )
    return Part("entities", "Entities", tables=tuple(tables), sentences=sentences, files=FILES)


def sources(numbers: Numbers) -> Part | None:
    """From how many places the rows come, and how much of them stands there word for word."""
    found, novelty = _section(numbers, "sources"), _section(numbers, "novelty")
    if found is None or novelty is None:
        return None
    missing = [_sentence(about) for about in (found, novelty) if "missing" in about]
    tables = []
    if "missing" not in found:
        rows = tuple(
            (f"{name}: {kind}", one["n"], one["different"], one["most"], decimals(one["effective"], 1))
            for name, about in found.items()
            for kind, one in about.items()
        )
        head = ("set and source", "rows", "different sources", "rows of one at most", "effective number of sources")
        tables.append(Table("Where rows come from", head, rows))
    if "missing" not in novelty:
        shares = tuple(
            (name, one["n"], decimals(one["words"], 1), *(percent(one[f"novel_{n}"]) for n in NGRAMS))
            for name, one in novelty["sets"].items()
        )
        against = "the corpus" if novelty["against"] == "corpus" else "the passages that rows were made from"
        caption = f"N-grams that stand nowhere in {against} ({novelty['passages']:,} passages), in percent"
        tables.append(Table(caption, ("set", "rows", "mean words", *(f"{n} words" if n > 1 else "1 word" for n in NGRAMS)), shares))
    if not tables:
        return Part("sources", "Sources", missing=" ".join(missing), files=FILES)
    note = "What is novel is not better for that: names and figures that no passage holds are novel too."
    return Part("sources", "Sources", tables=tuple(tables), sentences=(*missing, note), files=FILES)


def _section(numbers: Numbers, name: str) -> Any:
    """RETURNS (Any): A section of metrics.json; None where measuring has not been done, or by an earlier release."""
    return (numbers.get("measures") or {}).get(name)


PARTS: tuple[Maker, ...] = (variety, closeness, preserved, named, sources)
