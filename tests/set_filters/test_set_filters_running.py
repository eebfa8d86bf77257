"""Set filters see the finished set, take rows away, and say what they know of those that stay."""

from types import SimpleNamespace

import pytest
from spacy.util import registry

from spacy_synthesizrr.candidates import ACCEPTED, REJECTED, Candidate, Event, Seed
from spacy_synthesizrr.curation.verdicts import ACCEPT, SwitchedOff, Verdict, reject
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.jsonl import write_jsonl
from spacy_synthesizrr.set_filters.running import WORK, Rows, SetBinder, SetInputs, curated, read_set_filters


@pytest.fixture
def inputs(tmp_path):
    return SetInputs(ctx=None, arm="main", folder=tmp_path, lookup=None)


def write_rows(path, texts):
    seed = Seed.make(["sport"], {"text": "seed"})
    rows = [Candidate.plan(task="t", strategy="s", seed=seed, passage_id=f"p{number}") for number in range(len(texts))]
    write_jsonl(
        path, (row.after(Event("synthesize", ACCEPTED), fields={"text": text}).to_dict() for row, text in zip(rows, texts, strict=True))
    )
    return path


def shortest(rows):
    """Needs two looks at the set: how short is the shortest, and which are as short."""
    least = min(len(row.fields["text"]) for row in rows)
    yield from (reject("shortest", least) if len(row.fields["text"]) == least else ACCEPT for row in rows)


def curate(path, inputs, **filters):
    """What is kept, what is gone, what is told and what is off."""
    binders = {name: SetBinder(lambda found, made=made: made) for name, made in filters.items()}
    with curated(path, binders, inputs, kinds=dict.fromkeys(filters, "test.X.v1")) as found:
        return list(found.kept), [list(rows) for rows in found.gone], found.told, found.off


def texts(rows):
    return [row.fields["text"] for row in rows]


def test_set_filter_can_read_the_set_twice_and_takes_away(tmp_path, inputs):
    kept, [gone], _, _ = curate(write_rows(tmp_path / "rows.jsonl", ["aa", "b", "ccc"]), inputs, short=shortest)
    assert texts(kept) == ["aa", "ccc"]
    assert [(row.status, row.events[-1]) for row in gone] == [
        (REJECTED, Event("curate", REJECTED, "shortest", {"filter": "short", "score": 1}))
    ]


def test_second_filter_sees_what_the_first_left(tmp_path, inputs):
    kept, gone, _, _ = curate(write_rows(tmp_path / "rows.jsonl", ["aa", "b", "ccc"]), inputs, one=shortest, two=shortest)
    assert (texts(kept), [texts(rows) for rows in gone]) == (["ccc"], [["b"], ["aa"]])


def test_rows_that_a_filter_says_nothing_of_pass_as_they_are(tmp_path, inputs):
    path = write_rows(tmp_path / "rows.jsonl", ["aa", "b"])
    kept, [gone], _, _ = curate(path, inputs, nothing=lambda rows: (ACCEPT for _ in rows))
    assert (kept, gone) == (list(Rows(path)), [])


def test_detail_labels_and_weight_of_a_kept_row_are_kept_with_an_event(tmp_path, inputs):
    verdict = Verdict(True, score=0.2, detail={"relabelled_from": "sport"}, labels=("world",), weight=0.5)
    [row], _, _, _ = curate(write_rows(tmp_path / "rows.jsonl", ["aa"]), inputs, mend=lambda rows: (verdict for _ in rows))
    assert (row.labels, row.weight) == (("world",), 0.5)
    assert row.events[-1] == Event("curate", ACCEPTED, "", {"filter": "mend", "score": 0.2, "relabelled_from": "sport"})


def test_second_filter_sees_the_labels_that_the_first_gave(tmp_path, inputs):
    relabel = Verdict(True, labels=("world",))
    seen = []

    def look(rows):
        for row in rows:
            seen.append(row.labels)
            yield ACCEPT

    curate(write_rows(tmp_path / "rows.jsonl", ["aa"]), inputs, mend=lambda rows: (relabel for _ in rows), look=look)
    assert seen == [("world",)]


def test_no_filters_take_nothing_away(tmp_path, inputs):
    path = write_rows(tmp_path / "rows.jsonl", ["aa"])
    assert curate(path, inputs) == (list(Rows(path)), [], {}, ())


@pytest.mark.parametrize(("given", "error"), [(0, "gave 0 verdicts and no more"), (2, "gave more verdicts than there are rows")])
def test_filter_that_owes_or_invents_verdicts_is_refused(tmp_path, inputs, given, error):
    path = write_rows(tmp_path / "rows.jsonl", ["aa"])
    with pytest.raises(ConfigError, match=f"The set filter 'wild' {error}"):
        curate(path, inputs, wild=lambda rows: iter([ACCEPT] * given))
    assert not (tmp_path / WORK).exists()


def test_what_a_filter_tells_is_kept_with_its_kind(tmp_path, inputs):
    class Counts:
        def __call__(self, rows):
            self.seen = 0
            for _ in rows:
                self.seen += 1
                yield ACCEPT

        def told(self):
            return {"seen": self.seen}

    _, _, told, _ = curate(write_rows(tmp_path / "rows.jsonl", ["aa", "b"]), inputs, counts=Counts())
    assert told == {"counts": {"kind": "test.X.v1", "seen": 2}}


def test_filter_that_does_not_run_says_why(tmp_path, inputs):
    _, _, told, off = curate(write_rows(tmp_path / "rows.jsonl", ["aa"]), inputs, shy=SwitchedOff("nobody asked"))
    assert (told, off) == ({}, ("The set filter 'shy' is off: nobody asked.",))


def test_set_filters_do_not_read_test(inputs):
    with pytest.raises(ValueError, match="may read seeds, dev, train"):
        inputs.gold("test")


def test_labelled_file_that_the_task_does_not_name_has_no_rows(tmp_path):
    lookup = SimpleNamespace(task=SimpleNamespace(file=lambda kind: None))
    assert list(SetInputs(None, "main", tmp_path, lookup).gold("train")) == []


def test_set_filters_are_read_in_the_order_of_their_sections():
    registry.misc.register("test.Shortest.v1", func=lambda: SetBinder(lambda inputs: shortest))
    block = {"@misc": "test.Shortest.v1"}
    assert list(read_set_filters({"set_filters": {"b": dict(block), "a": dict(block)}})) == ["b", "a"]


@pytest.mark.parametrize("config", [{}, {"set_filters": {}}])
def test_no_section_means_no_set_filters(config):
    assert read_set_filters(config) == {}


def test_set_filters_that_are_no_section_are_a_config_error():
    with pytest.raises(ConfigError, match="x.cfg: 'set_filters' must be a section"):
        read_set_filters({"set_filters": 3}, path="x.cfg")


def test_row_filter_among_the_set_filters_is_a_config_error():
    with pytest.raises(ConfigError, match=r"\[set_filters\] 'a' describes no filter"):
        read_set_filters({"set_filters": {"a": {"@misc": "synthesizrr.NotEmpty.v1"}}}, path="x.cfg")


def test_set_filter_cannot_mend_a_text(tmp_path, inputs):
    with pytest.raises(ConfigError, match="'mends' gave the row .* a new text"):
        curate(write_rows(tmp_path / "rows.jsonl", ["aa"]), inputs, mends=lambda rows: (Verdict(True, text="a") for _ in rows))
