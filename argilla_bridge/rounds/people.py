"""Who answered: one number per person, which stays, and what to call them in files.

On a server a person is an account, in a file a name: names that differ in blanks or capitals are one person, and so are an account
and a name in a file that are the same. Whose account is gone keeps number and name.
"""

from __future__ import annotations

from argilla_bridge.rounds.ledger import Ledger
from argilla_bridge.rows import Vote
from argilla_bridge.settings import ReviewSettings
from spacy_synthesizrr.errors import ConfigError

PSEUDONYM = "annotator-{}"


def folded(name: str) -> str:
    """RETURNS (str): The same for every spelling of a name."""
    return " ".join(name.split()).casefold()


class People:
    """The people of a run, in its ledger.

    settings (ReviewSettings): `names` come first, then pseudonyms where they are wanted, then the names that people have.
    """

    def __init__(self, ledger: Ledger, settings: ReviewSettings) -> None:
        self._ledger, self._settings = ledger, settings
        self._names = {folded(account): name for account, name in settings.names.items()}
        self._numbers: dict[tuple[str, str], int] = {}
        self._called: dict[int, str] = {}

    def number(self, vote: Vote) -> int:
        """RETURNS (int): Of whoever gave a vote, from 1 in the order in which they were seen first; nobody ever gets that of another."""
        seen = (vote.person, vote.user)
        if seen not in self._numbers:
            self._numbers[seen] = self._find(vote)
            self._called.clear()
        return self._numbers[seen]

    def _find(self, vote: Vote) -> int:
        unnamed = vote.person == vote.user  # an account that the place knows no more, or does not tell us about
        keys = [key for key in (vote.person, "" if unnamed else folded(vote.user)) if key]
        with self._ledger.writing() as connection:
            known = [found[0] for key in keys for found in connection.execute("SELECT person FROM keys WHERE key = ?", (key,))]
            if not known:
                known = [connection.execute("INSERT INTO people (name) VALUES (?)", (vote.user,)).lastrowid]
            elif vote.person and not unnamed:
                connection.execute("UPDATE people SET name = ? WHERE person = ?", (vote.user, known[0]))
            connection.executemany("INSERT OR IGNORE INTO keys VALUES (?, ?)", [(key, known[0]) for key in keys])
        return int(known[0])

    def name(self, number: int) -> str:
        """What to call a person.

        RAISES (ConfigError): When `names` gives somebody the name of another.
        """
        if number not in self._called:
            self._called = self._all()
        return self._called[number]

    def _all(self) -> dict[int, str]:
        found: dict[int, str] = {}
        taken: set[str] = set()
        for number, account in self._ledger.read("SELECT person, name FROM people ORDER BY person"):
            plain = PSEUDONYM.format(number) if self._settings.pseudonyms else account
            found[number] = self._names.get(folded(account), plain)
            if found[number] in taken and self._names:
                raise ConfigError(
                    f"[review] names calls '{account}' '{found[number]}', as somebody else is called; their votes could not be told apart."
                )
            taken.add(found[number])
        return found
