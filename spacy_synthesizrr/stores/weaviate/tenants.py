"""Where one index lies in Weaviate when corpora share a collection: in a tenant of it.

    Synthesizrr_NAME          the collection: one tenant per index; its description says for which embedder it is
    Synthesizrr_NAME_states   one object per tenant, which says what the description of a collection of its own would say

A state cannot lie in the tenant, where every count and search would have to pass it over, nor in the description of the
collection, which two writers of two tenants would take turns to spoil.
"""

from __future__ import annotations

import functools
import json
import re
import uuid
from typing import Any

from spacy_synthesizrr.candidates import NAMESPACE, digest
from spacy_synthesizrr.embedders.base import Embedder
from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.jsonl import dumps
from spacy_synthesizrr.stores.weaviate.connect import Link
from spacy_synthesizrr.stores.weaviate.faults import faults
from spacy_synthesizrr.stores.weaviate.schema import FORMAT, PREFIX, State, collection_name
from spacy_synthesizrr.stores.weaviate.settings import Place
from spacy_synthesizrr.stores.weaviate.table import Table
from spacy_synthesizrr.stores.weaviate.vectorizer import MODULES, module_of

TENANT, STATE = "tenant", "state"
LONGEST = 64  # characters of a tenant's name


def tenant_name(key: str) -> str:
    """RETURNS (str): The tenant of an index; keys that are no names of tenants get a hash."""
    plain = re.sub(r"[^0-9A-Za-z_-]", "_", key)[: LONGEST - 9]
    return key if plain == key and key else f"{plain}_{digest(key)[:8]}"


def shared_by(embedder: Embedder) -> str:
    """RETURNS (str): What tenants of one collection have in common: the embedder that queries need, whoever brought the vectors; and
    whether it is a module of the server that embeds passages as they come.
    """
    recipe = getattr(embedder, "inner", embedder).recipe
    return f"{recipe}-brought" if module_of(embedder) is None and recipe.startswith(MODULES) else str(recipe)


class Tenant(Table):
    """The tenant of one index.

    link (Link): The connection. place (Place): What the config says, `tenants` too.
    tenant (str): Its name.
    """

    def __init__(self, link: Link, tenant: str, place: Place) -> None:
        super().__init__(link, collection_name(place.tenants), place)
        self.tenant, self._shared = tenant, self.collection
        self.collection = self._shared.with_tenant(tenant)
        self._notes = f"{self.name}_states"
        self._states = link.client.collections.use(self._notes)

    @property
    def where(self) -> str:
        """RETURNS (str): Server, collection and tenant, for people."""
        return f"{self.link.where} (collection {self.name}, tenant {self.tenant})"

    def state(self) -> State | None:
        """What is known of the tenant; None when there is none.

        RAISES (StoreError): When it was written by another release, or the collection is somebody else's.
        """
        with self.speaking("reading the state of a tenant"):
            text = self._written() if self._recipe() is not None and self._shared.tenants.exists(self.tenant) else None
        if text is None:
            return None
        state = State.from_text(text)
        if state is None:
            raise StoreError(f"{self.where} was made by another release. Delete that tenant by hand, or name another collection.")
        return state

    def write_state(self, state: State) -> None:
        """Write what is known of the tenant."""
        from weaviate.classes.data import DataObject

        made = DataObject(properties={TENANT: self.tenant, STATE: state.to_text()}, uuid=self._id)

        def write() -> None:
            failed = self._states.data.insert_many([made]).errors
            if failed:
                raise StoreError(f"Weaviate did not take the state of {self.where}: {next(iter(failed.values())).message}")

        self.patiently("writing the state of a tenant", write)

    def admit(self, embedder: Embedder) -> None:
        """embedder (Embedder): Fitted or not.
        RAISES (StoreError): When the collection is for another embedder, or somebody else's.
        """
        recipe = self.patiently("reading the description of a collection", self._recipe)
        if recipe is not None and recipe != shared_by(embedder):
            raise StoreError(
                f"The collection {self.name} of Weaviate at {self.link.where} is for the embedder {recipe}, not for "
                f"{shared_by(embedder)}: its tenants share one. Give each embedder a collection of its own: "
                '[store] tenants = "ANOTHER_NAME"'
            )

    def create(self, state: State, embedder: Embedder) -> None:
        """Make the tenant, and what all tenants share when it is the first.

        embedder (Embedder): Fitted.
        """
        from weaviate.classes.config import Configure

        shared = Configure.multi_tenancy(enabled=True, auto_tenant_creation=False, auto_tenant_activation=True)
        self._make(dumps({"synthesizrr": FORMAT, "tenants": shared_by(embedder)}), state.kinds, embedder, multi_tenancy_config=shared)
        self.admit(embedder)  # another writer may have made it for another one
        self.add_kinds(state.kinds)
        self.patiently("making a collection", self._make_states)
        if self.patiently("asking for a tenant", lambda: self._shared.tenants.exists(self.tenant)) and self._written() is None:
            self._remove()  # nobody knows what is in it
        self.write_state(state)
        self.patiently("making a tenant", self._make_tenant)

    def drop(self) -> None:
        """Delete the tenant with all that is in it."""
        if self.patiently("reading the description of a collection", self._recipe) is not None:
            self._remove()
            self.patiently("deleting the state of a tenant", lambda: self._states.data.delete_by_id(self._id))

    def unindexed(self) -> int:
        """RETURNS (int): Vectors that the server has taken but not indexed yet; 0 where it indexes at once."""
        nodes = self.patiently("asking for its state", lambda: self.link.client.cluster.nodes(collection=self.name, output="verbose"))
        shards = (shard for node in nodes for shard in node.shards or ())
        return sum(shard.vector_queue_length for shard in shards if shard.name == self.tenant)

    def all_states(self) -> dict[str, State | None]:
        """RETURNS (dict): Of all tenants of the collection, by name; None for those of another release."""
        if self._recipe() is None or not self.link.client.collections.exists(self._notes):
            return {}
        rows: Any = self._states.iterator(return_properties=[TENANT, STATE])
        found = {str(each.properties[TENANT]): str(each.properties[STATE]) for each in rows}
        return {name: State.from_text(found[name]) for name in self._shared.tenants.get() if name in found}

    @property
    def _id(self) -> str:
        return str(uuid.uuid5(NAMESPACE, digest("tenant", self.tenant)))

    def _recipe(self) -> str | None:
        """RETURNS (Optional[str]): Of the embedder that the collection is for; None when there is no collection.

        RAISES (StoreError): When it is not one of ours.
        """
        if not self.link.client.collections.exists(self.name):
            return None
        try:
            row = json.loads(self._shared.config.get().description or "")
            if row["synthesizrr"] == FORMAT:
                return str(row["tenants"])
        except (ValueError, KeyError, TypeError):
            pass
        raise StoreError(
            f"The collection {self.name} of Weaviate at {self.link.where} was not made for tenants by this release, or by somebody else. "
            "Delete it by hand if nobody needs it, or name another one: [store] tenants = …"
        )

    def _written(self) -> str | None:
        if not self.link.client.collections.exists(self._notes):
            return None
        found = self._states.query.fetch_object_by_id(self._id, return_properties=[STATE])
        return None if found is None else str(found.properties[STATE])

    def _make_states(self) -> None:
        from weaviate.classes.config import Configure, DataType, Property

        column = functools.partial(Property, index_filterable=False, index_searchable=False)
        made = self.link.client.collections
        try:
            made.create(
                self._notes,
                description=dumps({"synthesizrr": FORMAT, "states": self.name}),
                properties=[column(name=name, data_type=DataType.TEXT) for name in (TENANT, STATE)],
                vector_config=Configure.Vectors.self_provided(),
            )
        except faults():
            if not made.exists(self._notes):
                raise

    def _make_tenant(self) -> None:
        try:
            self._shared.tenants.create(self.tenant)
        except faults():
            if not self._shared.tenants.exists(self.tenant):
                raise

    def _remove(self) -> None:
        self.patiently("deleting a tenant", lambda: self._shared.tenants.remove(self.tenant))


def all_states(some: Table) -> dict[str, State | None]:
    """What the server's indexes of one kind say of themselves: tenants of the same collection, or collections of their own.

    some (Table): Any of them, there or not.
    RETURNS (dict): By name (of the tenant; of the collection, without what all begin with); None for those of another release.
    """
    if isinstance(some, Tenant):
        return some.patiently("listing tenants", some.all_states)
    start = f"{PREFIX}_"
    listed = some.patiently("listing collections", some.link.client.collections.list_all)
    own = {name: about.description for name, about in listed.items() if name.startswith(start) and not _is_shared(about.description)}
    return {name.removeprefix(start): State.from_text(text) for name, text in own.items()}


def _is_shared(description: str | None) -> bool:
    """RETURNS (bool): Whether a collection is one that tenants share, or that keeps their states."""
    try:
        row = json.loads(description or "")
        return "synthesizrr" in row and ("tenants" in row or "states" in row)
    except (ValueError, TypeError):
        return False
