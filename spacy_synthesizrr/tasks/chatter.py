"""What chat models put around an answer: reasoning, code fences, "Sure! Here is …", closing notes, several texts at once.

Each function takes one kind of wrapping off, or says that there is none. People write such words too ("Here is the deal: …",
"Note: closed on Monday"), so a phrase must stand where a chat model puts it and speak of the answer itself.
"""

from __future__ import annotations

import re

MOST_NOTE = 600  # characters; a longer end is no note
QUOTES = {'"': '"', "'": "'", "“": "”", "„": "“", "«": "»", "»": "«", "‘": "’", "`": "`"}

_THOUGHT = re.compile(
    r"\A\s*<(think|thinking|thought|reasoning|analysis)>.*?</\1>|\A.*</(?:think|thinking|thought|reasoning|analysis)>", re.S | re.I
)
_OPEN_THOUGHT = re.compile(r"\A\s*<(?:think|thinking|thought|reasoning|analysis)>", re.I)
_FENCE = re.compile(r"\A(```+|~~~+)[^\n`]*\n(?P<inner>.*?)(?:\n\1.*|\Z)|\A```(?P<line>[^`\n]+)```\Z", re.S)

_SURE = (
    r"(?:sure(?: thing)?|certainly|of course|absolutely|okay|ok|gerne?|natürlich|klar|selbstverständlich|claro(?: que sí)?|por supuesto"
    r"|bien sûr|certainement|certo|certamente|com certeza|natuurlijk|zeker)\b"
)
_HERE = (
    r"(?:here(?:['’]s| is| are)|below is|hier (?:ist|sind|is|zijn|folgt)|nachfolgend|aquí (?:tienes?|está|va)|voici|ecco"
    r"|aqui (?:está|vai))\b"
    r"(?! (?:the|my) (?:thing|deal|problem|catch|point|issue|question)\b)"
)
_START = r"\A[*_¡]*"
_PREAMBLES = (
    re.compile(rf"{_START}(?:{_SURE}|{_HERE})[^\n]{{0,150}}[:：][*_]*\s*(?:\n+|\Z)", re.I),
    re.compile(rf"{_START}(?:based on|according to|using|following)\b[^\n]{{0,100}}\b{_HERE}[^\n]{{0,120}}[:：][*_]*\s*(?:\n+|\Z)", re.I),
    re.compile(rf"{_START}{_SURE}[!,.]*\s*{_HERE}[^\n]{{0,150}}\n\s*\n", re.I),
    re.compile(rf"{_START}(?:{_SURE}|i(?:['’]d| would) be (?:happy|glad) to help|happy to help)[^\n]{{0,40}}[!.]\s*\n+", re.I),
    re.compile(rf"{_START}{_SURE}[!,.]*\s*{_HERE}[^\n:：]{{0,100}}[:：][*_]*\s+", re.I),
)
_ONE_LINE = re.compile(rf"{_START}{_HERE}(?P<what>[^\n:：]{{0,60}})[:：][*_]*\s+", re.I)

_NOTE_WORD = (
    r"(?:note|please note|n\.?b\.?|word count|explanation|disclaimer|hinweis|anmerkung|wortzahl|nota|remarque|opmerking|let op|toelichting)"
)
_OF_THE_ANSWER = (
    r"(?:i|i['’](?:ve|m|d)|ich|yo|je|ik|words?|wörtern?|palabras|mots|parole|palavras|woorden|headline|summary|request|instructions?|prompt"
    r"|documente?n?o?|passage|article|artikels?|artículo|articolo|artigo|text[oe]?s?|testo|tekst|schlagzeile|titular|titre|titolo|\d+)"
)
_NOTES = (
    re.compile(rf"\n\s*[*_(\[]*{_NOTE_WORD}[*_]*\s*[:：](?=.*\b{_OF_THE_ANSWER}\b).{{0,{MOST_NOTE}}}\Z", re.S | re.I),
    re.compile(
        r"\n\s*(?:let me know if|(?:i )?hope this helps|feel free to|would you like me to|if you(?:['’]d| would) like"
        r"|is there anything else)\b"
        r"(?=[^\n]*\b(?:adjust|change|revise|another|different|more|helps?|anything|modify|version|questions?)\b)[^\n]{0,200}\Z",
        re.I,
    ),
    re.compile(
        r"\n\s*(?:lass(?:en sie)? (?:es )?mich wissen|ich hoffe, das hilft|avísame si|déjame saber"
        r"|espero que (?:esto )?(?:te |le )?(?:ayude|sirva)|n['’]hésitez pas à|fammi sapere|laat (?:het )?me weten)\b[^\n]{0,200}\Z",
        re.I,
    ),
    re.compile(r"\s*[(\[](?:word count|words?|wörter|palabras|mots|parole|palavras|woorden)\s*[:=]\s*\d+[^)\]]{0,20}[)\]]\s*\Z", re.I),
    re.compile(r"\s*[(\[]\d+ (?:words|wörter|palabras|mots|parole|palavras|woorden)[)\]]\s*\Z", re.I),
    re.compile(r"\n\s*(?:-{3,}|\*{3,}|_{3,}|={3,})\s*\Z"),
)
_RULE = re.compile(r"\A(?:-{3,}|\*{3,}|_{3,}|={3,})\s*\n")
_EXAMPLE = r"(?:example|option|version|variant|beispiel|variante|ejemplo|opción|exemple|esempio|exemplo|voorbeeld)"
_FIRST, _SECOND = (
    re.compile(rf"{start}[*_#\s-]{{0,6}}(?:{_EXAMPLE}\s*)?{n}[.):][*_]*\s", re.I | re.M) for n, start in ((1, r"\A"), (2, "^"))
)
_BULLET, _BULLET_LINE = re.compile(r"\A[-*•][ \t]+(?=\S)"), re.compile(r"^[-*•][ \t]", re.M)


def without_thought(text: str) -> str | None:
    """RETURNS (str | None): What follows the reasoning that a model shows in tags; None without any that ends."""
    found = _THOUGHT.match(text)
    return text[found.end() :] if found else None


def still_thinks(text: str) -> bool:
    """RETURNS (bool): Whether a text begins with reasoning that never ends."""
    return _OPEN_THOUGHT.match(text) is not None


def without_fence(text: str) -> str | None:
    """RETURNS (str | None): The inside of a code fence that begins the text; what follows the fence is a remark."""
    found = _FENCE.match(text)
    return (found["inner"] or found["line"] or "") if found else None


def without_preamble(text: str, answer_header: str = "") -> str | None:
    """RETURNS (str | None): The text behind "Sure! Here is …"; on a line of its own, or on the answer's own line."""
    for pattern in (_RULE, *_PREAMBLES):
        if found := pattern.match(text):
            return text[found.end() :]
    found = _ONE_LINE.match(text)
    return text[found.end() :] if found and _names(found["what"], answer_header) else None


def _names(what: str, answer_header: str) -> bool:
    """Whether "Here is WHAT: …" names the answer: by all words of its header, or by a header of one word at its end."""
    wanted = [word for word in re.findall(r"\w+", answer_header.casefold()) if len(word) > 3]
    said = re.findall(r"\w+", what.casefold())
    return bool(wanted) and (said[-1:] == wanted if len(wanted) == 1 else set(wanted) <= set(said))


def without_note(text: str) -> str | None:
    """RETURNS (str | None): The text without a closing remark on itself, an offer to change it, or a count of its words."""
    for pattern in _NOTES:
        if (found := pattern.search(text)) and text[: found.start()].strip():
            return text[: found.start()]
    return None


def without_quotes(text: str) -> str | None:
    """RETURNS (str | None): The inside of one pair of wrapping quotes (`"a" and "b"` is not wrapped)."""
    if len(text) < 2 or QUOTES.get(text[0]) != text[-1]:
        return None
    inner = text[1:-1]
    # An apostrophe inside single quotes says nothing; any other closing mark inside means two quotations.
    return None if text[-1] in inner and text[-1] not in "'’" else inner


def without_bullet(text: str) -> str | None:
    """RETURNS (str | None): The text behind a bullet that is the only one; "- It opened." is a list of one."""
    return text[len(found[0]) :] if (found := _BULLET.match(text)) and not _BULLET_LINE.search(text, len(found[0])) else None


def is_list(text: str) -> bool:
    """RETURNS (bool): Whether a text is a numbered list: several texts where one was asked for."""
    return _FIRST.match(text) is not None and _SECOND.search(text) is not None
