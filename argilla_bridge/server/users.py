"""Who answered: ids of the server → names of accounts."""

from __future__ import annotations

from typing import Any

from argilla_bridge.server.connect import Link
from argilla_bridge.server.faults import Refused


def read_names(link: Link, workspace_id: str) -> dict[str, str]:
    """The people of a server. An owner sees all of them, an admin those of the workspace.

    RETURNS (Dict[str, str]): Id → name of the account; what people are called in our files is a matter of `people.People`.
    """
    return {str(each["id"]): str(each["username"]) for each in _people(link, workspace_id)}


def _people(link: Link, workspace_id: str) -> list[dict[str, Any]]:
    try:
        return list(link.call("GET", "/users")["items"])
    except Refused as error:
        if error.status != 403:
            raise
    return list(link.call("GET", f"/workspaces/{workspace_id}/users")["items"])
