"""Whether a teacher declined: the one rule, for the parsing of answers and for the filter `NotRefused`.

Two signs count. The task's *refusal marker*, which the prompt tells the teacher to write: as the whole answer, or as
written at the start or the end of one. And *typical openings*: what chat models say of their own work. People begin
alike ("I cannot recommend this enough", "I am unable to complete my transfer"), so an opening needs three things: a first
person that cannot, a verb of a teacher's trade, and a thing that a teacher makes or is asked for.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from spacy_synthesizrr.words import folded

REFUSED = "refused"
ANY_LANGUAGE = ("xx", "mul")  # spaCy's codes of pipelines for many languages
_CLAUSE = r"[^.!?;:,]"


@dataclass(frozen=True)
class _Words:
    """How teachers decline in one language; all are regular expressions over folded text.

    sorry: An apology. unable: "I cannot". serve: What needs no object ("help with that"). write: What does. thing: The
    object. hedge: Words after "unable" that show a person's praise or blame. self: How a model names itself.
    last (str): Where verbs stand at the end of the clause: the negation, which the clause must hold too.
    """

    sorry: str
    unable: str
    serve: str
    write: str
    thing: str
    hedge: str
    self: str
    last: str = ""

    def pattern(self) -> str:
        """RETURNS (str): One pattern for the start of an answer."""
        start = rf"(?:{self.sorry})\W+(?:(?:but|aber|pero|mais|ma|mas|maar|that|que|dat|dass)\W+)?"
        unable = rf"(?:{self.unable})"
        hedged = rf"(?![^.!?]{{0,100}}\b(?:{self.hedge})\b)"
        if self.last:
            does = rf"(?:\b(?:{self.serve})\b|(?=.{{0,100}}\b(?:{self.thing})\b).{{0,100}}\b(?:{self.write})\b)"
            does = does.replace(".{", _CLAUSE + "{")
            cannot = rf"{unable}\b{hedged}(?={_CLAUSE}{{0,100}}\b(?:{self.last})\b){_CLAUSE}{{0,100}}?{does}"
        else:
            does = rf"(?:(?:{self.serve})|(?:{self.write})\b(?: [^\s.!?;:,]+){{0,6}}? (?:{self.thing})\b)"
            cannot = rf"{unable}\b{hedged}\W+{does}"
        return rf"(?:{start})?(?:{cannot}|{self.self})|(?:{start})?{unable}$|(?:{self.sorry})$"


_ENGLISH_AI = r"(?:ai(?: language)?(?: model| assistant)?|artificial intelligence|(?:large )?language model)"
_ABOUT = (
    r"(?:(?:this|the)(?: provided| given)? (?:document|article|passage|text)(?: above| provided)? (?:"
    r"(?:does not|doesn't) (?:relate to|contain (?:enough|any) information)|(?:is not|isn't) (?:related to|relevant|suitable|about)\b)"
    r"|i (?:do not|don't) have (?:enough|sufficient) information (?:to|about|in|on)\b"
    r"|i (?:do not|don't) have access to (?:the |that |this |any )?(?:full |original )?"
    r"(?:article|document|text|passage|internet|real-time)\b)"
)
_WORDS = {
    "en": _Words(
        sorry=r"(?:i(?:'m| am) )?(?:very |so |really )?sorry|i apologi[sz]e(?: for [^.!?,;]{0,40})?|my apologies|unfortunately|i'm afraid",
        unable=(
            r"i(?: can ?not| can't| won't| will not|(?: am|'m) (?:not able|unable) to| (?:won't|will not) be able to| must decline to"
            r"| (?:do not|don't) feel comfortable)"
        ),
        serve=(
            r"help (?:you )?with (?:this|that|your|the)\b|help(?: you)?(?:[.!;]|$)|assist\b|comply\b|fulfil+ (?:this|that|your|the)\b"
            r"|do (?:that|so|this)(?:\W|$)|answer (?:this|that|your)\b"
            r"|(?:(?:re)?write|writing|generate|produce|create|summari[sz]e|complete) (?:this|that|it|one)(?: for you)?(?:[.!;,]|$)"
        ),
        write=(
            r"provid\w*|(?:re)?writ\w*|generat\w*|creat\w*|produc\w*|compos\w*|craft\w*|draft\w*|summari[sz]\w*|paraphras\w*"
            r"|complete|give you|offer you"
        ),
        thing=(
            r"requests?|prompt|task|headlines?|title|summar(?:y|ies)|articles?|reviews?|text|content|examples?|response|answer|document|passage"
            r"|story|post|tweet|questions?|premise|hypothesis|statements?|sentences?|instructions?|information|assistance|material|opinions?"
        ),
        hedge=r"enough|without",
        self=(
            rf"as an? {_ENGLISH_AI}(?:,| i\b| (?:trained|created|developed)\b|$)"
            rf"|i(?:'m| am)(?: just| only)? an? {_ENGLISH_AI}(?:[.,;]| and\b| (?:trained|created|developed)\b|$)|{_ABOUT}"
        ),
    ),
    "de": _Words(
        sorry=r"(?:es )?tut mir (?:sehr |wirklich )?leid|leider|entschuldigung|entschuldige|verzeihung|ich bedau[e]?re",
        unable=r"ich (?:kann|darf|werde)|(?:(?:das|dies|dabei|damit|hierbei|hier|dem|leider|so etwas) )?kann ich|ich bin|ich sehe mich",
        serve=(
            r"(?:weiter)?helfen|behilflich sein|nachkommen|beantworten"
            r"|(?:anfrage|bitte|aufgabe|wunsch|anforderung)[^.!?;:,]{0,30} (?:erfüllen|bearbeiten|entsprechen|ausführen)"
            r"|nicht in der lage, [^.!?]{0,80}(?:zu (?:helfen|schreiben|erstellen|verfassen|generieren|beantworten)|zusammenzufassen)"
        ),
        write=r"schreiben|verfassen|erstellen|generieren|formulieren|erzeugen|zusammenfassen|liefern|umschreiben",
        thing=(
            r"schlagzeilen?|überschrift(?:en)?|texte?s?|artikels?|zusammenfassung(?:en)?|inhalte?|beitr(?:ag|äge)|rezension(?:en)?"
            r"|bewertung(?:en)?|s(?:atz|ätze)|beispiele?|antwort(?:en)?|meldung|anfrage|dokument|kommentar|titel|vorspann"
        ),
        hedge=r"genug|genügend|mir|ohne",
        self=(
            r"als (?:eine? |reines |grosses )?(?:ki|künstliche intelligenz|(?:ki[- ])?sprachmodell|ki[- ]modell|ki[- ]assistent(?:in)?)"
            r"(?:,| (?:kann|habe|bin|darf|besitze)\b|$)"
        ),
        last=r"nicht|kein\w*",
    ),
    "nl": _Words(
        sorry=r"het spijt (?:me|mij)|sorry|helaas|mijn excuses|excuses",
        unable=r"ik (?:kan|mag|zal)|(?:(?:daar|dat|dit|hier|daarmee|hiermee|helaas) )?kan ik|ik ben",
        serve=(
            r"helpen|beantwoorden|(?:verzoek|vraag|opdracht)[^.!?;:,]{0,30} (?:voldoen|uitvoeren)"
            r"|niet in staat (?:om )?[^.!?]{0,80}te (?:helpen|schrijven|maken|genereren|beantwoorden)"
        ),
        write=r"schrijven|maken|opstellen|genereren|samenvatten|leveren|geven",
        thing=r"kop|titel|samenvatting|artikel|tekst|inhoud|recensie|beoordeling|zin|voorbeeld|antwoord|verzoek|document|bericht",
        hedge=r"genoeg|zonder",
        self=r"als (?:een )?(?:ai|(?:ai[- ])?taalmodel|ai[- ](?:model|assistent))(?:,| (?:kan|heb|ben|mag)\b|$)",
        last=r"niet|geen",
    ),
    "es": _Words(
        sorry=r"lo siento(?: mucho)?|lo lamento|lamento|lamentablemente|desafortunadamente|disculp[ae]|mis disculpas|perdón",
        unable=r"(?:yo )?no (?:puedo|podré|soy capaz de|me es posible|estoy en condiciones de)",
        serve=(
            r"ayudar(?:te|le|los|les)?\b|asistir(?:te|le)?\b|cumplir (?:con )?(?:esta|esa|est[ea]|tu|su)\b|atender (?:esta|esa|tu|su)\b"
            r"|responder (?:a )?(?:esta|esa|eso|esto|tu|su)\b|hacer (?:eso|esto)\b"
        ),
        write=r"proporcionar(?:te)?|escribir|generar|crear|redactar|resumir|completar|elaborar|ofrecer(?:te)?|producir|reescribir",
        thing=(
            r"solicitud|petición|titular(?:es)?|título|textos?|artículos?|resumen|contenidos?|reseñas?|ejemplos?|respuestas?|información"
            r"|oraci(?:ón|ones)|frases?|mensajes?|comentarios?|noticias?|documento|eso|esto"
        ),
        hedge=r"suficientes?|sin",
        self=(
            r"(?:como|soy) (?:un |una )?(?:modelo de (?:lenguaje|ia|inteligencia artificial)|ia|inteligencia artificial"
            r"|asistente (?:virtual|de ia))(?:,| no\b|$)"
        ),
    ),
    "fr": _Words(
        sorry=r"(?:je suis )?(?:vraiment )?désolée?|malheureusement|je regrette|je m'excuse|navrée?",
        unable=r"je ne (?:peux|pourrai|suis)(?: malheureusement)? pas(?: en mesure (?:de|d')| capable (?:de|d'))?",
        serve=(
            r"(?:vous |t'|te )?aider\b|répondre à (?:cette|cela|votre|ta)\b|(?:donner suite|accéder) à (?:cette|votre|ta)\b"
            r"|satisfaire (?:cette|votre|ta)\b"
        ),
        write=r"fournir|écrire|rédiger|générer|créer|résumer|produire|proposer|traiter|effectuer",
        thing=(
            r"demande|requête|titres?|textes?|articles?|résumé|contenus?|avis|exemples?|réponses?|informations?|phrases?|messages?"
            r"|commentaires?|document|passage|cela|chapeau"
        ),
        hedge=r"assez|sans",
        self=(
            r"en tant qu(?:e |')(?:un |une )?(?:modèle (?:de langage|d'ia|linguistique)|ia|intelligence artificielle"
            r"|assistant (?:ia|virtuel))(?:,| je\b|$)"
        ),
    ),
    "it": _Words(
        sorry=r"mi (?:dispiace|scuso)|purtroppo|scusa(?:mi)?|mi spiace|spiacente",
        unable=r"non (?:posso|potrò|sono in grado di|mi è possibile)",
        serve=r"aiutar(?:ti|la|vi)?\b|assister(?:ti|la)\b|soddisfare (?:questa|la tua|la sua)\b|rispondere a (?:questa|quest[oa]|tale)\b",
        write=r"fornire|fornirti|scrivere|generare|creare|redigere|riassumere|completare|produrre|elaborare",
        thing=(
            r"richiesta|titol[oi]|test[oi]|articol[oi]|riassunto|contenut[oi]|recension[ei]|esemp(?:io|i)|rispost[ae]|informazioni|fras[ei]"
            r"|messaggi?o?|comment[oi]|documento|notizi[ae]|questo"
        ),
        hedge=r"abbastanza|senza",
        self=(
            r"(?:come|in quanto|essendo) (?:un |una |un')?(?:modello (?:linguistico|di linguaggio|di ia)|ia|intelligenza artificiale"
            r"|assistente (?:virtuale|ia))(?:,| non\b|$)"
        ),
    ),
    "pt": _Words(
        sorry=r"sinto muito|desculp[ae](?:-me)?|lamento|infelizmente|peço desculpas?",
        unable=r"(?:eu )?não (?:posso|consigo|poderei|sou capaz de|estou apt[oa] a|me é possível)",
        serve=(
            r"ajudar\b|ajudá-l[oa]\b|te ajudar\b|auxiliar\b|atender (?:a )?(?:esta|essa|este|esse|seu|sua)\b"
            r"|responder (?:a )?(?:esta|essa|isso|sua)\b|fazer isso\b"
        ),
        write=r"fornecer|escrever|gerar|criar|redigir|resumir|completar|produzir|elaborar",
        thing=(
            r"solicitação|pedido|títulos?|manchetes?|textos?|artigos?|resumo|conteúdos?|resenhas?|avaliaç(?:ão|ões)|exemplos?|respostas?"
            r"|informaç(?:ão|ões)|frases?|mensage(?:m|ns)|comentários?|documento|notícias?|isso"
        ),
        hedge=r"suficientes?|sem",
        self=(
            r"(?:como|sou) (?:um |uma )?(?:modelo de (?:linguagem|ia)|ia|inteligência artificial"
            r"|assistente (?:virtual|de ia))(?:,| não\b|$)"
        ),
    ),
}
LANGUAGES = tuple(_WORDS)


def knows(lang: str) -> bool:
    """RETURNS (bool): Whether the project has typical openings of a language (English ones count in all)."""
    return lang in LANGUAGES or lang in ANY_LANGUAGE


def declines(text: str, marker: str = "", *, lang: str = "en", typical: bool = True, openings: Sequence[str] = ()) -> bool:
    """Whether a teacher declined.

    text (str): Its answer.
    marker (str): The task's refusal marker; see `marked`.
    lang (str): Language of the task: its openings count beside the English ones, which teachers use in any language.
    typical (bool): Whether typical openings count.
    openings (Sequence[str]): Further beginnings of refusals; case, whitespace and outer punctuation do not count.
    """
    if marker.strip() and marked(text, marker.strip()):
        return True
    if not typical and not openings:
        return False
    plain = folded(text.replace("’", "'"))
    if any(plain.startswith(folded(opening.replace("’", "'"))) for opening in openings):
        return True
    return typical and _openings(lang).match(plain) is not None


def marked(text: str, marker: str) -> bool:
    """Whether an answer is the marker (case, outer punctuation and markup aside), or begins or ends with it as written.

    A marker in capitals may also stand at the start of a line, set apart: teachers write a text, then that it does not fit, then
    another. One without capitals looks like running text ("none of the clubs won"), so punctuation must set it apart anywhere.
    """
    plain = text.strip().strip("*_`#\"'“”„«» \t")
    if folded(plain) == folded(marker):
        return True
    literal = re.escape(marker)
    if marker.isupper():
        line = rf"^[*_`#>\"'“”„«» \t-]*{literal}[*_`\"'“”„«» \t]*(?:[.:;,!?)\]—–-]|$)"
        return re.search(rf"\A{literal}(?!\w)|(?<!\w){literal}[.!]?\Z|{line}", plain, re.MULTILINE) is not None
    before, after = r"(?<=[.:;,!?\n(\[—–-])\s*", r"(?=\s*[.:;,!?\n)\]—–-])"
    return re.search(rf"\A{literal}{after}|{before}{literal}[.!]?\Z", plain) is not None


@functools.lru_cache(maxsize=16)
def _openings(lang: str) -> re.Pattern[str]:
    chosen = LANGUAGES if lang in ANY_LANGUAGE else dict.fromkeys(["en", lang])
    return re.compile("|".join(rf"(?:{_WORDS[name].pattern()})" for name in chosen if name in _WORDS))
