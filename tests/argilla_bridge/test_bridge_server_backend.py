"""What the backend asks of a server, where an answer can be told without one."""

from uuid import UUID

from argilla_bridge.server.backend import MOST_REMOVED, OURS, ArgillaBackend
from argilla_bridge.server.paging import PAGE
from argilla_bridge.server.shapes import Held
from argilla_bridge.settings import ReviewSettings


class Records:
    """The link to a server with records and two accounts, which counts what it is asked."""

    url = "http://there"

    def __init__(self, number):
        self.there = [{"id": str(UUID(int=place)), "external_id": f"r{place}"} for place in range(number)]
        self.asked = []

    def call(self, method, path, params=None, **request):
        self.asked.append(method)
        if path == "/users":
            return {"items": [{"id": "1", "username": "ann"}, {"id": "2", "username": "bob"}]}
        if method == "DELETE":
            gone = params["ids"].split(",")
            assert len(gone) <= MOST_REMOVED
            self.there = [each for each in self.there if each["id"] not in gone]
            return None
        return {"items": self.there[params["offset"] :][: params["limit"]], "total": len(self.there)}


def backend(link, **settings):
    made = ArgillaBackend(link, ReviewSettings(**settings), "workspace", "news")
    made._at["main"] = ("id", Held((), (), (), ()))
    return made


def test_rows_of_any_number_are_removed_after_one_look_at_all():
    link = Records(2 * PAGE + 10)
    backend(link).remove("main", (f"r{place}" for place in range(1, 2 * PAGE + 10, 2)))
    assert [each["external_id"] for each in link.there] == [f"r{place}" for place in range(0, 2 * PAGE + 10, 2)]
    assert link.asked == ["GET"] * 3 + ["DELETE"] * 6


def test_no_row_to_remove_asks_nothing():
    link = Records(10)
    backend(link).remove("main", iter(()))
    assert link.asked == []


def test_a_name_for_somebody_who_has_no_account_is_told():
    assert backend(Records(0), names={"ann": "A"}).news() == []
    (line,) = backend(Records(0), names={"ann": "A", "bbo": "B"}).news()
    assert "names has 'bbo', and no account" in line and "Did you mean 'bob'?" in line


def test_only_a_draft_that_carries_our_note_is_made_anew():
    made = backend(Records(0))
    half = {"status": "draft", "metadata": {OURS: {"task": "news"}}}
    assert made._is_half(half)
    assert not made._is_half({**half, "status": "ready"})
    assert not made._is_half({**half, "metadata": None})
    assert not made._is_half({**half, "metadata": {"theirs": 1}})
