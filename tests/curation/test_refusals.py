"""The one rule that says whether a teacher declined."""

import pytest

from spacy_synthesizrr.curation.refusals import LANGUAGES, declines, knows


@pytest.mark.parametrize("text", ["DOES NOT FIT", "does not fit.", '"Does not fit"', "**DOES NOT FIT**"])
def test_the_marker_alone_is_a_refusal_in_any_case(text):
    assert declines(text, "DOES NOT FIT")


@pytest.mark.parametrize(
    "text", ["DOES NOT FIT: it is about fish.", "DOES NOT FIT\nThe text is about fish.", "I looked, but: DOES NOT FIT.", "No. DOES NOT FIT"]
)
def test_the_marker_as_written_at_the_start_or_the_end_is_a_refusal(text):
    assert declines(text, "DOES NOT FIT")


@pytest.mark.parametrize(
    "text",
    [
        "Club wins.\nDOES NOT FIT\nCoach leaves.",
        "Club wins.\n\n- DOES NOT FIT - Coach leaves.",
        "Club wins.\n**DOES NOT FIT**: no sport.\nCoach.",
    ],
)
def test_the_marker_on_a_line_between_texts_is_a_refusal(text):
    assert declines(text, "DOES NOT FIT")


@pytest.mark.parametrize(
    "text",
    [
        "New law does not fit the constitution, court says.", "The old coat does not fit", "DOES NOT FITTING",
        "Signs reading DOES NOT FIT went up in every shop.", "", "It reads:\nDOES NOT FIT went up in every shop.",
    ],
)  # fmt: skip
def test_the_words_of_the_marker_in_running_text_are_no_refusal(text):
    assert not declines(text, "DOES NOT FIT")


@pytest.mark.parametrize(("text", "refused"), [("none", True), ("None: it is about fish.", False), ("none: it is about fish", True),
                                               ("none of the clubs won", False), ("Of the clubs won none", False)])  # fmt: skip
def test_a_marker_that_looks_like_running_text_counts_only_when_punctuation_sets_it_apart(text, refused):
    assert declines(text, "none") is refused


def test_signs_in_the_marker_are_taken_literally():
    assert declines("Well: [NO (FIT)]", "[NO (FIT)]")
    assert not declines("N (O) FIT", "[NO (FIT)]")


@pytest.mark.parametrize(
    "text",
    [
        "I cannot write this.", "I can't help with that request.", "I cannot.", "I'm sorry, but I can't do that.", "I’m sorry",
        "I am sorry, I cannot summarize this article.", "As an AI language model, I …", "Sorry, I can't assist with that.",
        "I apologize, but I cannot generate it.", "I'm unable to provide a summary.", "Unfortunately, I am unable to comply.",
        '"I cannot fulfill this request."', "I'm sorry, as an AI I have no opinion", "As an AI, I do not hold opinions.",
        "I cannot generate content about this person.", "Unfortunately, I am unable to provide a headline for this article.",
        "This document does not contain any information about sport.", "Sorry, this article is not about sport.",
        "I don't have enough information to write this.", "  “I will not write this.”", "I'm just a language model, and I cannot say.",
        "I'm sorry, but the provided text is not related to sport.", "I won't be able to create such a review.",
    ],
)  # fmt: skip
def test_what_a_model_says_of_its_own_work_is_a_refusal(text):
    assert declines(text)


@pytest.mark.parametrize(
    "text",
    [
        "I cannot make sense of this blender.", "I can't give this place enough stars.", "Unfortunately I don't have much good to say.",
        "I cannot believe how good this film is.", "I'm sorry I bought this toaster.", "I can't recommend it enough.",
        "Sorry state of affairs at the club.", "As an airline, it fails.", "The minister said: I cannot comply.",
        "I can't get enough of it", "I can't recommend this kettle enough.", "Sorry, I won't be buying again.",
        "I can't help but smile at the ending.", "I cannot write enough good things about this lamp.", "Unfortunately the handle broke.",
        "As an aid to navigation it is useless.", "I'm sorry, but I will never return to this hotel.",
        "I'm sorry but there is no excuse for cold soup.", "I am unable to complete my transfer.", "I don't have access to my account.",
        "As an AI engineer, she built the first one.", "I'm an AI researcher by trade.", "I cannot complete this payment, please help.",
        "I can't believe I have to write this review", "I can't give a good review to this hotel.", "I could not finish this story.",
        "I can't provide enough praise for the staff.", "I cannot help myself, I love it.",
    ],
)  # fmt: skip
def test_texts_of_people_that_begin_alike_are_no_refusals(text):
    assert not declines(text)


@pytest.mark.parametrize(
    ("lang", "text"),
    [
        ("de", "Es tut mir leid, aber ich kann dabei nicht helfen."), ("de", "Ich kann diese Anfrage leider nicht erfüllen."),
        ("de", "Leider kann ich keine Schlagzeile zu diesem Artikel schreiben."), ("de", "Als KI-Sprachmodell habe ich keine Meinung."),
        ("de", "Entschuldigung, ich bin nicht in der Lage, diesen Text zusammenzufassen."), ("de", "Das kann ich nicht beantworten."),
        ("es", "Lo siento, pero no puedo ayudarte con eso."), ("es", "No puedo escribir un titular para este artículo."),
        ("es", "Como modelo de lenguaje, no tengo opiniones."), ("es", "Lamentablemente no puedo cumplir con esta solicitud."),
        ("fr", "Je suis désolé, mais je ne peux pas vous aider."), ("fr", "Je ne suis pas en mesure de rédiger ce texte."),
        ("fr", "En tant qu'IA, je n'ai pas d'opinion."),
        ("it", "Mi dispiace, ma non posso aiutarti."), ("it", "Non sono in grado di scrivere un titolo per questo articolo."),
        ("pt", "Desculpe, mas não posso ajudar com isso."), ("pt", "Não consigo gerar esse texto."),
        ("nl", "Het spijt me, maar daar kan ik niet mee helpen."), ("nl", "Ik kan geen samenvatting van dit artikel schrijven."),
        ("de", "I'm sorry, but I can't help with that."),
    ],
)  # fmt: skip
def test_refusals_in_other_languages_and_english_ones_anywhere(lang, text):
    assert declines(text, lang=lang)


@pytest.mark.parametrize(
    ("lang", "text"),
    [
        ("de", "Es tut mir leid, aber ich kann dieses Produkt nicht empfehlen."), ("de", "Ich kann mir nicht helfen, ich liebe es."),
        ("de", "Ich kann nicht glauben, dass ich diese Bewertung schreiben muss."), ("de", "Leider ist der Griff gebrochen."),
        ("de", "Ich kann nicht genug Gutes über dieses Hotel schreiben."), ("de", "Als Kind habe ich das geliebt."),
        ("es", "No puedo creer lo bueno que es."), ("es", "Lo siento por el equipo, que perdió otra vez."),
        ("es", "Como modelo, desfiló en París."), ("fr", "Je ne peux pas recommander ce film."), ("it", "Purtroppo si è rotto subito."),
        ("pt", "Infelizmente não posso recomendar."), ("nl", "Ik kan dit niet aanraden."),
    ],
)  # fmt: skip
def test_texts_in_other_languages_that_begin_alike_stay(lang, text):
    assert not declines(text, lang=lang)


def test_a_pipeline_of_many_languages_knows_all_openings():
    assert all(declines(text, lang="xx") for text in ("Lo siento, no puedo ayudarte.", "Ich kann dabei nicht helfen."))


def test_typical_openings_can_be_switched_off_while_the_marker_stays():
    assert not declines("As an AI language model, I cannot.", typical=False)
    assert declines("NO", "NO", typical=False)


def test_further_openings_are_plain_beginnings():
    assert declines("EI ONNISTU,  valitan.", openings=["ei onnistu"], lang="fi")


def test_it_says_which_languages_have_openings():
    assert [lang for lang in ("en", "de", "fi", "xx") if knows(lang)] == ["en", "de", "xx"]
    assert set(LANGUAGES) == {"en", "de", "es", "fr", "it", "nl", "pt"}
