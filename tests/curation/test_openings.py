"""What a chat model says about its answer is cut off, or the row is turned away."""

from dataclasses import replace
from pathlib import Path

import pytest

from spacy_synthesizrr.candidates import GENERATED, Candidate, Event, Seed
from spacy_synthesizrr.curation.chain import Chain
from spacy_synthesizrr.curation.openings import cut_opening, make_boilerplate, speaks_of_the_text
from spacy_synthesizrr.curation.verdicts import ACCEPT, FilterInputs, SwitchedOff, Verdict
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.synthesis import judge
from spacy_synthesizrr.taskfile import read_task

PAIR = read_task(Path(__file__).parents[1] / "fixtures" / "pair")
ROW = Candidate.plan(task="t", strategy="s", seed=Seed.make(["sport"], {"text": "a"}), passage_id="p")
TEXT = "Oslo wins the cup again."


def ask(text, **options):
    return make_boilerplate(**options)(FilterInputs(PAIR))(ROW, text, "")


@pytest.mark.parametrize(
    "opening",
    [
        "Here is a one-sentence summary of the article. ", "Here's the rewritten headline: ", "Sure, here is a short version - ",
        "Below is a possible headline for the U.S. article. ", "The following is a summary in one sentence:\n", "Rewritten headline: ",
        "**Headline:** ", "**Answer**: ", "I have written a headline for the article. ", "As an AI language model, I have no opinions. ",
        "As an AI, I cannot tell, but here is one: ", "Summary: ", "Here is a story that meets all the criteria:\n",
        "Here are two headlines:\n",
        "Here is a review based on the passage provided: ",
        "Hier ist eine Schlagzeile zum Artikel. ", "Voici un titre : ", "Aquí tienes un titular: ",
        "This is a rewritten version of the article. ",
    ],
)  # fmt: skip
def test_opening_is_cut_off_and_the_text_stays(opening):
    assert ask(opening + TEXT) == Verdict(True, detail={"repaired": "opening"}, text=TEXT)


@pytest.mark.parametrize(
    "text",
    [
        "Here is the deal: the club pays.", "Here is what we know about the fire. It began at noon.", "Sure, it works. Most of the time.",
        "Absolutely! The best toaster I ever had.", "Here are five teams to watch. Oslo leads.", "As an aid to navigation it is useless.",
        "This is a story of love.", "The summary judgment was overturned.", "The following day was dry. It rained later.",
        "As an AI researcher at Google, she led the team to the prize.",
        "As an AI startup in Paris, Mistral raised 400 million. It will hire.",
        "As an AI model, ImageNet was a jump. It won.", "Here is the story of a boy who lost his dog. He searched all winter.",
        "Below is the text of the treaty that both sides signed. It has nine articles.",
        "Here are the answers the minister gave: no, no, and never.", "The following are questions nobody asks a doctor. Why do I itch?",
        "Here is a summary of the plot. Boy meets girl.", "Here is a summary of the day. I read this text at night.",
        "Here is my review in one sentence: it broke.", "Here is the text of the article that got him fired. It is long.",
        "This is a rewritten version of the classic. I loved it.", "Final report: 12 dead in a fire", "Answer: no, and never again",
        "Here comes the story of the Hurricane.", "Review: a fine phone", TEXT,
    ],
)  # fmt: skip
def test_texts_of_people_that_open_alike_stay(text):
    assert ask(text) == ACCEPT


def test_opening_without_a_text_is_turned_away():
    assert ask("Here is a summary of the article.") == Verdict(False, "boilerplate")
    assert ask("Here is a summary of the article. Oslo wins") == Verdict(False, "boilerplate")
    assert ask("Here is a summary of the article. Oslo wins", min_words=2).text == "Oslo wins"


def test_openings_can_be_turned_away_altogether():
    assert ask(f"Here is a summary of the article. {TEXT}", action="reject") == Verdict(False, "boilerplate")


def test_further_openings_end_with_their_last_word():
    assert ask(f"tästä uutisesta:  {TEXT}", openings=["Tästä uutisesta"]).text == TEXT


@pytest.mark.parametrize("text", ["This article discusses the cup.", "The news piece describes a match.", "The summary highlights a club."])
def test_texts_about_a_text_are_turned_away_when_asked_for(text):
    assert speaks_of_the_text(text)
    assert ask(text) == ACCEPT
    assert ask(text, about_text=True) == Verdict(False, "about_text")
    assert ask(text, action="keep", about_text=True) == Verdict(False, "about_text")


@pytest.mark.parametrize("text", ["The story of a club that won.", "This film is about love.", "This report card shows a bad state."])
def test_texts_that_name_a_text_are_not_about_it(text):
    assert not speaks_of_the_text(text)


def test_keep_switches_it_off():
    assert isinstance(make_boilerplate(action="keep")(FilterInputs(PAIR)), SwitchedOff)


@pytest.mark.parametrize(("options", "error"), [({"action": "mend"}, "no action 'mend'"), ({"openings": [" "]}, "an opening is empty")])
def test_config_errors(options, error):
    with pytest.raises(ConfigError, match=error):
        make_boilerplate(**options)


def test_mended_row_keeps_the_text_before_in_its_event():
    written = f"Here is a summary of the article. {TEXT}"
    generated = ROW.after(Event("synthesize", GENERATED), fields={"hypothesis": written})
    done = judge(generated, "", Chain([make_boilerplate()(FilterInputs(PAIR))]), field="hypothesis")
    assert done.fields == {"hypothesis": TEXT} and done.id == generated.id
    assert done.events[-1] == Event("synthesize", "accepted", "", {"repaired": ["opening"], "before": written})


def test_nothing_is_cut_from_a_text_without_an_opening():
    assert cut_opening(TEXT) is None and cut_opening("") is None


def test_row_that_is_not_mended_is_the_same_row():
    generated = ROW.after(Event("synthesize", GENERATED), fields={"hypothesis": TEXT})
    done = judge(generated, "", Chain([make_boilerplate()(FilterInputs(PAIR))]), field="hypothesis")
    assert done == replace(generated, status="accepted", events=(*generated.events, Event("synthesize", "accepted")))


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ('Here is a summary of the article. "Oslo won the cup."', "Oslo won the cup."),
        ('"Here is a summary of the article. Oslo won the cup."', "Oslo won the cup."),
        ("“Here is a summary of the article. Oslo won the cup.”", "Oslo won the cup."),
        ('Here is a summary of the article. "Yes," she said, "we won."', '"Yes," she said, "we won."'),
        ('Here is a summary of the article. The song is "Oslo"', 'The song is "Oslo"'),
    ],
)
def test_quotes_that_wrapped_the_text_go_with_the_opening(written, left):
    assert cut_opening(written) == left
