"""What errors of a server show, and which addresses are taken."""

import pytest

from argilla_bridge.server.connect import connect
from argilla_bridge.server.faults import LONGEST, spoken
from argilla_bridge.settings import ServerSettings
from spacy_synthesizrr.errors import ConfigError

KEY = "argilla.apikey.ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.mark.parametrize("place", range(LONGEST - len(KEY) - 2, LONGEST + 2, 7))
def test_a_secret_that_is_cut_off_is_hidden_all_the_same(place):
    said = spoken("x" * place + " " + KEY, [KEY])
    assert KEY[:4] not in said


def test_a_secret_in_a_detail_that_is_no_text_is_hidden():
    assert spoken({"sent": [KEY]}, [KEY]) == '{"sent": ["***"]}'


@pytest.mark.parametrize("more", ["/?token=hf_secret", "/#hf_secret", "?hf_secret"])
def test_an_address_with_more_than_an_address_in_it_is_refused_and_not_shown(monkeypatch, more):
    monkeypatch.setenv("ARGILLA_API_URL", f"https://me.hf.space{more}")
    with pytest.raises(ConfigError, match=r"\$ARGILLA_API_URL has more than an address in it.*headers_env") as caught:
        connect(ServerSettings())
    assert "secret" not in str(caught.value)
