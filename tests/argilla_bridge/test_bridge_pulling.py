import json
import tracemalloc
from dataclasses import replace

import pytest
from review_room import Room, candidate, row_of, schema, task

from argilla_bridge.rounds.adjudicating import adjudicate, answers
from argilla_bridge.rounds.ledger import Ledger
from argilla_bridge.rounds.pulling import FILES, pull
from argilla_bridge.rounds.pushing import push
from argilla_bridge.rows import DISCARDED, DRAFT, FIX, KEEP, REJECT, Vote
from argilla_bridge.settings import ReviewSettings
from argilla_bridge.showing.marking import escaped
from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.errors import ConfigError, RunFolderError
from spacy_synthesizrr.jsonl import read_jsonl, write_jsonl

SETTINGS = ReviewSettings(overlap=0.0)


class Review:
    """A run in review: rows that were pushed, people who answer, pulls."""

    def __init__(self, folder, settings=SETTINGS, number=6):
        self.folder, self.settings, self.news = folder, settings, []
        self.room = Room(folder / "room")
        self.candidates = [candidate(place, ["sport", "science", "cooking"][place % 3]) for place in range(number)]
        self.ledger = Ledger.open(folder / "review" / "ledger.sqlite")
        self.accept()
        self.push()

    def accept(self):
        write_jsonl(self.folder / "accepted.jsonl", (made.to_dict() for made in self.candidates))

    def push(self):
        return push(self.room, map(row_of, self.candidates), self.ledger, schema=schema(), settings=self.settings)

    def lose_ledger(self):
        self.ledger.close()
        for path in (self.folder / "review").glob("ledger*"):
            path.unlink()
        self.ledger = Ledger.open(self.folder / "review" / "ledger.sqlite")

    def say(self, user, number, *labels, **more):
        self.room.say(user, row_of(self.candidates[number]).id, *labels, **more)

    def pull(self, task=task()):  # noqa: B008
        out = self.folder / "review"
        return pull(self.room, self.ledger, self.folder / "accepted.jsonl", out, task=task, settings=self.settings, report=self.news.append)

    def adjudicate(self):
        making = lambda candidates: map(row_of, candidates)  # noqa: E731
        shape = schema(adjudication=True)
        return adjudicate(self.room, self.ledger, self.folder / "review", making=making, schema=shape, settings=self.settings)

    def rows(self, name):
        return list(read_jsonl(self.folder / "review" / name, Candidate.from_dict))

    def lines(self, name):
        return [json.loads(line) for line in (self.folder / "review" / name).read_text().splitlines()]

    def row(self, number, name="reviewed.jsonl"):
        return next(row for row in self.rows(name) if row.id == f"c{number}")


@pytest.fixture
def review(tmp_path):
    made = Review(tmp_path)
    yield made
    made.ledger.close()


def test_rows_that_nobody_looked_at_go_on_and_say_so(review):
    done = review.pull()
    assert (done.unreviewed, done.human, done.rejected) == (6, 0, 0)
    event = review.row(1).events[-1]
    assert (event.step, event.status, event.detail) == ("review", "accepted", {"label_source": "unreviewed", "annotators": 0})


def test_an_accepted_suggestion_is_human(review):
    review.say("ann", 0, "sport")
    assert review.pull().human == 1
    assert review.row(0).labels == ("sport",)
    assert review.row(0).events[-1].detail == {"label_source": "human", "annotators": 1, "agreement": 1.0}


def test_another_label_replaces_the_old_one_which_is_kept_in_the_event(review):
    review.say("ann", 0, "science")
    assert review.pull().relabelled == 1
    assert review.row(0).labels == ("science",)
    assert review.row(0).events[-1].detail["was"] == ["sport"]


def test_a_rejected_row_stands_among_those_turned_away(review):
    review.say("ann", 0, verdict=REJECT)
    review.say("ann", 1, status=DISCARDED)
    done = review.pull()
    assert (done.rejected, done.discarded, done.unreviewed) == (2, 1, 4)
    reasons = {row.id: (row.status, row.reason) for row in review.rows("turned_away.jsonl")}
    assert reasons == {"c0": ("rejected", "unusable"), "c1": ("rejected", "rejected_by_reviewers")}
    assert not {"c0", "c1"} & {row.id for row in review.rows("reviewed.jsonl")}


def test_a_draft_changes_nothing_but_is_kept(review):
    review.say("ann", 0, "science", status=DRAFT)
    done = review.pull()
    assert (done.drafts, done.unreviewed) == (1, 6)
    assert [vote["status"] for vote in review.lines("votes.jsonl")] == ["draft"]


def test_an_edited_text_has_an_event_of_its_own(review):
    review.say("ann", 0, "sport", verdict=FIX, text="A corrected text.")
    assert review.pull().edited == 1
    row = review.row(0)
    assert row.fields == {"text": "A corrected text."}
    assert [event.step for event in row.events] == ["curate", "edit", "review"]
    assert row.events[1].detail == {"text_before": "Text number 0.", "annotators": 1}


def test_a_correction_that_changes_nothing_is_no_edit(review):
    review.say("ann", 0, "sport", text=" Text number 0. ")
    assert review.pull().edited == 0
    assert [event.step for event in review.row(0).events] == ["curate", "review"]


def test_a_text_that_cannot_be_shown_as_it_is_keeps_its_votes(tmp_path):
    """A carriage return becomes a line break, a control character a replacement character; nobody has edited the text by that."""
    review = Review(tmp_path)
    text = "One.\r\nTwo \x07 & <b>three</b>."
    review.candidates[0] = candidate(0, "sport", text=text)
    review.accept(), review.push()
    review.say("ann", 0, "science", text="One.\nTwo \ufffd & <b>three</b>.")
    done = review.pull()
    assert (done.changed, done.human, done.edited) == (0, 1, 0)
    assert review.row(0).fields == {"text": text}
    review.ledger.close()


def test_reasons_are_in_the_event(review):
    review.say("ann", 0, verdict=REJECT, reason="not English")
    review.pull()
    assert review.row(0, "turned_away.jsonl").events[-1].detail["reasons"] == ["not English"]


def test_every_row_is_in_one_of_the_two_files(review):
    for number, status in enumerate(["submitted", "discarded", "draft"]):
        review.say("ann", number, "sport", status=status)
    review.pull()
    found = [row.id for name in ("reviewed.jsonl", "turned_away.jsonl") for row in review.rows(name)]
    assert sorted(found) == [f"c{number}" for number in range(6)]


def test_pulling_again_gives_the_same_files(review):
    review.say("ann", 0, "science"), review.say("bob", 0, "sport"), review.say("bob", 2, status=DISCARDED)
    review.pull()
    before = {name: (review.folder / "review" / name).read_bytes() for name in FILES}
    review.room.said.reverse()
    review.pull()
    assert {name: (review.folder / "review" / name).read_bytes() for name in FILES} == before


def test_a_later_pull_knows_more(review):
    review.say("ann", 0, "sport")
    review.pull()
    review.say("bob", 1, "cooking")
    assert review.pull().human == 2
    assert review.row(1).labels == ("cooking",)


def test_a_vote_read_twice_counts_once(review):
    review.say("ann", 0, "science")
    review.room.said *= 2
    review.pull()
    assert len(review.lines("votes.jsonl")) == 1
    assert review.row(0).events[-1].detail["annotators"] == 1


def test_candidates_that_share_a_row_share_its_votes(tmp_path):
    review = Review(tmp_path)
    review.candidates = [replace(one, fields={"text": "The same."}, labels=("sport",)) for one in review.candidates[:2]]
    review.accept(), review.push()
    review.say("ann", 0, "science")
    assert review.pull().human == 2
    review.ledger.close()


def test_votes_do_not_hold_for_a_text_that_changed_since(review):
    review.say("ann", 0, "science")
    review.candidates[0] = candidate(0, "sport", text="A new answer of the teacher.")
    review.accept()
    done = review.pull()
    assert (done.changed, done.human, done.unreviewed) == (1, 0, 6)
    assert "Push again" in review.news[0]
    review.push()
    assert review.pull().changed == 0


def test_votes_on_rows_that_are_gone_are_kept_and_told(tmp_path):
    review = Review(tmp_path, ReviewSettings(overlap=0.0, stale="keep"))
    review.say("ann", 0, "science")
    review.candidates[0] = candidate(0, "sport", text="A new answer.")
    review.accept(), review.push()
    done = review.pull()
    assert (done.strays, done.human) == (1, 0)
    assert len(review.lines("votes.jsonl")) == 1
    assert "no more in this run" in review.news[0]
    review.ledger.close()


def test_a_label_that_the_task_does_not_have_decides_nothing(review):
    review.say("ann", 0, "politics")
    done = review.pull()
    assert (done.foreign, done.human, done.unreviewed) == (1, 0, 6)
    assert "argilla-bridge relabel" in review.news[0]


def test_what_was_asked_is_written_down(tmp_path):
    review = Review(tmp_path)
    review.pull()
    asked = {line["candidate"]: line for line in review.lines("asked.jsonl")}
    row = row_of(review.candidates[3]).id
    assert asked["c3"] == {"v": 1, "row": row, "candidate": "c3", "labels": ["sport"], "score": 0.3, "shown": True}
    assert [line["row"] for line in review.lines("asked.jsonl")] == sorted(line["row"] for line in asked.values())
    review.ledger.close()


def test_rows_beyond_the_most_were_not_asked(tmp_path):
    review = Review(tmp_path, ReviewSettings(overlap=0.0, rows=2))
    assert review.pull().unreviewed == 6
    assert len(review.lines("asked.jsonl")) == 2
    review.ledger.close()


def test_a_failed_pull_leaves_the_old_files(review):
    review.pull()
    before = {name: (review.folder / "review" / name).read_bytes() for name in FILES}
    review.say("ann", 0, "science")
    with (review.folder / "accepted.jsonl").open("a") as file:
        file.write("no json\n")
    with pytest.raises(Exception, match="accepted.jsonl:7"):
        review.pull()
    assert {name: (review.folder / "review" / name).read_bytes() for name in FILES} == before
    assert not list((review.folder / "review").glob(".*.part"))


# ties


def test_a_tie_waits_among_those_turned_away_and_goes_to_a_judge(review):
    review.say("ann", 0, "science"), review.say("bob", 0, "sport")
    assert review.pull().ties == 1
    assert review.row(0, "turned_away.jsonl").reason == "tie"
    done = review.adjudicate()
    assert (done.new, list(done.places)) == (1, ["adjudication"])
    (row,) = review.room.lines("adjudication").values()
    assert row["fields"]["answers"] == "- **science** (1)\n- **sport** (1)"
    assert (row["suggestion"], "planned_label" in row["metadata"], "seed" in row["fields"]) == (None, False, False)


def test_the_judge_decides(review):
    review.say("ann", 0, "science"), review.say("bob", 0, "sport")
    review.pull(), review.adjudicate()
    (row,) = review.room.lines("adjudication")
    review.room.say("judge", row, "science", dataset="adjudication")
    done = review.pull()
    assert (done.ties, done.relabelled) == (0, 1)
    assert review.row(0).events[-1].detail == {"label_source": "human", "annotators": 3, "agreement": 0.6667, "was": ["sport"]}


def test_a_judged_row_stays_and_is_not_sent_again(review):
    review.say("ann", 0, "science"), review.say("bob", 0, "sport")
    review.pull(), review.adjudicate()
    (row,) = review.room.lines("adjudication")
    review.room.say("judge", row, "science", dataset="adjudication")
    review.pull()
    done = review.adjudicate()
    assert (done.new, done.removed, done.kept) == (0, 0, 1)
    assert list(review.room.lines("adjudication")) == [row]
    assert review.pull().human == 1


def test_a_tie_that_dissolves_is_taken_away_from_the_judge(review):
    review.say("ann", 0, "science"), review.say("bob", 0, "sport")
    review.pull(), review.adjudicate()
    review.say("cleo", 0, "sport")
    review.pull()
    done = review.adjudicate()
    assert (done.removed, review.room.lines("adjudication")) == (1, {})


def test_more_answers_make_another_row_for_the_judge(review):
    review.say("ann", 0, "science"), review.say("bob", 0, "sport")
    review.pull(), review.adjudicate()
    review.say("cleo", 0, "cooking")
    review.pull()
    done = review.adjudicate()
    assert (done.new, done.removed) == (1, 1)
    (row,) = review.room.lines("adjudication").values()
    assert "cooking" in row["fields"]["answers"]


def test_the_same_ties_are_sent_once(review):
    review.say("ann", 0, "science"), review.say("bob", 0, "sport")
    review.pull(), review.adjudicate()
    review.pull()
    done = review.adjudicate()
    assert (done.new, done.unchanged) == (0, 1)


def test_without_ties_no_dataset_is_made(review):
    review.say("ann", 0, "science")
    review.pull()
    assert review.adjudicate().places == {}
    assert not (review.room.folder / "adjudication.id").exists()


def test_ties_that_are_dropped_need_no_judge(tmp_path):
    review = Review(tmp_path, ReviewSettings(overlap=0.0, ties="drop"))
    review.say("ann", 0, "science"), review.say("bob", 0, "sport")
    done = review.pull()
    assert (done.ties, done.rejected) == (0, 1)
    assert review.adjudicate().new == 0
    review.ledger.close()


def test_a_tie_that_the_suggestion_breaks_says_so(tmp_path):
    review = Review(tmp_path, ReviewSettings(overlap=0.0, ties="suggestion"))
    review.say("ann", 0, "science"), review.say("bob", 0, "sport")
    assert review.pull().suggestion == 1
    assert review.row(0).events[-1].detail["label_source"] == "suggestion"
    review.ledger.close()


def test_a_judge_s_vote_is_found_without_the_ledger(review):
    review.say("ann", 0, "science"), review.say("bob", 0, "sport")
    review.pull(), review.adjudicate()
    (row,) = review.room.lines("adjudication")
    review.room.say("judge", row, "science", dataset="adjudication")
    review.say("cleo", 0, "cooking")  # with this the row for a judge would be another one
    review.lose_ledger()
    review.push()
    done = review.pull()
    assert (done.ties, done.strays, review.row(0).labels) == (0, 0, ("science",))
    review.adjudicate()
    assert list(review.room.lines("adjudication")) == [row]


def test_two_judges_are_no_dead_end(review):
    review.say("ann", 0, "science"), review.say("bob", 0, "sport")
    review.pull(), review.adjudicate()
    (row,) = review.room.lines("adjudication")
    review.room.say("one", row, "science", dataset="adjudication", updated_at="2026-01-01T10:00:00+00:00")
    review.room.say("two", row, "sport", dataset="adjudication", updated_at="2026-01-01T11:00:00+00:00")
    assert review.pull().ties == 0
    assert review.row(0).labels == ("sport",)


def test_a_tie_is_no_tie_before_all_have_answered(tmp_path):
    review = Review(tmp_path, ReviewSettings(overlap=0.0, min_submitted=3))
    review.say("ann", 0, "science"), review.say("bob", 0, "sport")
    done = review.pull()
    assert (done.waiting, done.ties, done.unreviewed) == (1, 0, 6)
    assert review.row(0).events[-1].detail == {"label_source": "unreviewed", "annotators": 2, "agreement": 0.5}
    assert review.adjudicate().new == 0
    review.say("cleo", 0, "cooking")
    assert review.pull().ties == 1
    review.ledger.close()


# nothing is lost


def test_a_vote_outlives_the_account_that_gave_it(review):
    review.say("ann", 0, "science"), review.say("bob", 1, "cooking")
    review.pull()
    review.room.said = [vote for vote in review.room.said if vote.user != "ann"]
    done = review.pull()
    assert (done.human, done.submitted, done.missing) == (2, 2, 1)
    assert [vote["user"] for vote in sorted(review.lines("votes.jsonl"), key=lambda vote: vote["user"])] == ["ann", "bob"]
    assert "1 answers were not found" in review.news[-1]


def test_a_vote_outlives_the_dataset_in_which_it_was_given(review):
    review.say("ann", 0, "science")
    review.pull()
    review.room.delete("main")
    review.room.said = []
    review.push()
    done = review.pull()
    assert (done.human, done.missing, done.strays) == (1, 1, 0)
    assert review.row(0).labels == ("science",)


def test_a_push_keeps_the_votes_on_the_rows_that_it_removes(review):
    old = review.candidates[2]
    review.say("bob", 2, "science")  # and nobody pulls
    review.candidates[2] = candidate(2, text="Another text.")
    review.accept()
    done = review.push()
    assert (done.removed, done.answers, review.room.said) == (1, 1, [])
    done = review.pull()
    assert (done.strays, done.human, [vote["labels"] for vote in review.lines("votes.jsonl")]) == (1, 0, [["science"]])
    review.candidates[2] = old
    review.accept(), review.push()
    assert review.pull().human == 1


def test_what_somebody_says_now_takes_the_place_of_what_they_said(review):
    review.say("ann", 0, "science")
    review.pull()
    review.room.said = []
    review.say("ann", 0, "cooking")
    assert (review.pull().submitted, review.row(0).labels) == (1, ("cooking",))
    review.room.said = []
    review.say("ann", 0, "cooking", status=DRAFT)
    done = review.pull()
    assert (done.submitted, done.drafts, done.human) == (0, 1, 0)


def test_a_draft_that_is_gone_is_gone(review):
    review.say("ann", 0, "science", status=DRAFT)
    review.pull()
    review.room.said = []
    done = review.pull()
    assert (done.drafts, done.missing, review.lines("votes.jsonl")) == (0, 0, [])


def test_votes_stay_when_a_pull_fails(review):
    review.say("ann", 0, "science")
    (review.folder / "accepted.jsonl").write_text("no json\n")
    with pytest.raises(Exception, match="accepted.jsonl:1"):
        review.pull()
    review.room.said = []
    review.accept()
    assert review.pull().human == 1


def test_without_the_ledger_nothing_is_decided_before_a_push(review):
    review.say("ann", 0, "science")
    review.lose_ledger()
    with pytest.raises(RunFolderError, match="Push first"):
        review.pull()
    review.push()
    assert review.pull().human == 1


# people


def test_people_keep_number_and_name_when_accounts_go(tmp_path):
    review = Review(tmp_path, ReviewSettings(overlap=0.0, pseudonyms=True))
    review.say("ann", 0, "science", person="id-1"), review.say("bob", 0, "science", person="id-2")
    review.pull()
    before = {vote["user"] for vote in review.lines("votes.jsonl")}
    assert before == {"annotator-1", "annotator-2"}
    review.room.said = [vote for vote in review.room.said if vote.user == "bob"]
    review.say("cleo", 1, "science", person="id-3")
    review.pull()
    users = {(vote["row_id"], vote["user"]) for vote in review.lines("votes.jsonl")}
    assert {user for row, user in users if row == row_of(review.candidates[0]).id} == before
    assert {user for row, user in users if row == row_of(review.candidates[1]).id} == {"annotator-3"}
    text = (tmp_path / "review" / "votes.jsonl").read_text()
    assert not any(word in text for word in ('"ann"', '"bob"', "id-1"))
    review.ledger.close()


def test_one_person_in_several_spellings_and_places_is_one(review):
    review.say("Ann  Smith", 0, "science", person="id-1")
    review.pull()
    review.room.said = []
    review.say("ann smith", 0, "sport")  # in a file
    review.pull()
    review.room.said = []
    review.say("id-1", 0, "cooking", person="id-1")  # seen by an admin who does not see the account
    done = review.pull()
    assert (done.submitted, review.row(0).labels) == (1, ("cooking",))
    assert [vote["user"] for vote in review.lines("votes.jsonl")] == ["Ann  Smith"]


def test_people_get_the_names_that_the_settings_give_them(tmp_path):
    review = Review(tmp_path, ReviewSettings(overlap=0.0, names={"Ann Smith": "A"}, pseudonyms=True))
    review.say("ann smith", 0, "science"), review.say("bob", 1, "science")
    review.pull()
    assert sorted(vote["user"] for vote in review.lines("votes.jsonl")) == ["A", "annotator-2"]
    review.settings = ReviewSettings(overlap=0.0, names={"Ann Smith": "bob"})
    with pytest.raises(ConfigError, match="calls '(ann smith|bob)' 'bob'"):
        review.pull()
    review.ledger.close()


# what an answer says


def test_a_reject_needs_no_label_that_is_there(review):
    review.say("ann", 0, "politics", verdict=REJECT)
    done = review.pull()
    assert (done.foreign, done.rejected, done.reasons) == (0, 1, {"unusable": 1})


def test_a_fix_without_a_text_is_told_and_decides_nothing(review):
    review.say("ann", 0, "science", verdict=FIX)
    done = review.pull()
    assert (done.unfinished, done.human, done.unreviewed) == (1, 0, 6)
    assert "'fix' without a corrected text" in review.news[0]


def test_a_row_that_no_label_fits_goes_on_without_one(tmp_path):
    review = Review(tmp_path)
    review.say("ann", 0, verdict=KEEP)
    assert review.pull(task(exclusive=False)).relabelled == 1
    assert (review.row(0).labels, review.row(0).events[-1].detail["was"]) == ((), ["sport"])
    done = review.pull()  # where each row has one label it is not finished
    assert (done.unfinished, done.human) == (1, 0)
    review.ledger.close()


def test_ends_of_lines_are_no_edit(tmp_path):
    review = Review(tmp_path)
    review.candidates[0] = candidate(0, "sport", text="One.\nTwo.")
    review.accept(), review.push()
    review.say("ann", 0, "sport", verdict=FIX, text="One.\r\nTwo.")
    assert review.pull().edited == 0
    review.ledger.close()


def test_candidates_that_share_a_row_get_one_answer(tmp_path):
    review = Review(tmp_path, ReviewSettings(overlap=0.0, ties="suggestion"), number=0)
    review.candidates = [candidate(1, "sport", text="The same."), candidate(2, "science", text="The same.")]
    review.accept(), review.push()
    review.say("ann", 0, "sport"), review.say("bob", 0, "science")
    review.pull()
    assert [row.labels for row in review.rows("reviewed.jsonl")] == [("sport",), ("sport",)]  # as people saw it suggested
    review.ledger.close()


def test_answers_are_shown_without_names_and_harmless():
    votes = [
        Vote("r", "ann", "submitted", ("sport",), text="<b>Better</b>."),
        Vote("r", "bob", "submitted", ("sport", "science")),
        Vote("r", "cleo", "discarded", reason="![x](http://example.com/x.png)"),
        Vote("r", "dan", "draft", ("cooking",)),
    ]
    text = answers(votes)
    assert text.splitlines() == [
        "- **turn it away** (1)", f"    - why: {escaped('![x](http://example.com/x.png)')}",
        f"- **{escaped('science + sport')}** (1)", "- **sport** (1)", f"    - corrected: {escaped('<b>Better</b>.')}",
    ]  # fmt: skip
    assert not {"ann", "bob", "cleo"} & set(text.split())
    assert "<b>" not in text and "](" not in text


def test_memory_does_not_grow_with_the_votes(tmp_path):
    class Crowd(Room):
        def votes(self, dataset):
            if dataset == "main":
                for place in range(self.number):
                    yield Vote(f"r{place}", "ann", "submitted", ("sport",), reason="because " * 400)

    peaks = []
    for number in (10, 300, 1200):  # the first one pays for what is loaded once
        folder = tmp_path / str(number)
        room = Crowd(folder / "room")
        room.number = number
        with Ledger.open(folder / "ledger.sqlite") as ledger:
            write_jsonl(folder / "accepted.jsonl", (candidate(place).to_dict() for place in range(number)))
            made = (replace(row_of(candidate(place)), id=f"r{place}") for place in range(number))
            push(room, made, ledger, schema=schema(), settings=SETTINGS)
            tracemalloc.start()
            pull(room, ledger, folder / "accepted.jsonl", folder / "review", task=task(), settings=SETTINGS)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[2] < peaks[1] + 300_000, peaks  # the reasons alone are 1 and 4 MB
