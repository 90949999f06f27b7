"""Whose use of an identity it was: one entry for all rungs of the ladder.

Feed it everything first (`observe`, in any order, as often as you like), then ask. The answers are functions of the set of
what was told, while no bound was hit (`full`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from eightysix.context.addresses import Learnt
from eightysix.context.attribution.cloud import attribute_use, with_token
from eightysix.context.attribution.contacts import Contacts, ProcessFact
from eightysix.context.attribution.federated import attribute_federated, attribute_login
from eightysix.context.attribution.known import Known, nobody
from eightysix.context.attribution.kubernetes import attribute_request
from eightysix.context.attribution.managed import attribute_managed
from eightysix.context.attribution.tokens import Tokens
from eightysix.context.inventory import Inventory
from eightysix.context.names import Validity, merge_names
from eightysix.context.pods import named_key
from eightysix.model.attribution import Attribution
from eightysix.model.event import Contact, Event
from eightysix.model.words import Grade, Kind

__all__ = ["Attributor"]


class Attributor:
    """Joins uses of identities to pods. Pure and deterministic: no clock, no file, and no order of what it was told."""

    def __init__(self, inventory: Inventory | None = None) -> None:
        self.inventory = inventory if inventory is not None else Inventory()
        self._known = Known(self.inventory, Contacts(), Tokens())
        self._managed: set[str] = set()
        self._told: dict[str, Attribution] = {}

    @property
    def full(self) -> tuple[str, ...]:
        """Bounds that were hit."""
        full = list(self.inventory.full)
        if self._known.contacts.full:
            full.append("too many contacts with metadata services and login endpoints")
        if self._known.tokens.full:
            full.append("too many token ids")
        return tuple(full)

    def observe(self, event: Event) -> None:
        """Take an event: every event tells something, if only that a node's kernel was looked at then."""
        self._forget()
        self.inventory.observe(event)
        self._known.contacts.observe(event)
        self._known.tokens.observe(event)
        if event.kind is Kind.CLOUD and _is_managed(event):
            self._managed.update(event.principals)

    def learn(self, learnt: Learnt) -> None:
        """Take what audit bodies told beside events."""
        self._forget()
        self.inventory.learn(learnt)
        self._known.tokens.bound.update(learnt.tokens)

    def note_plain(
        self, contacts: Mapping[str, Mapping[str, Contact]], names: Mapping[str, Mapping[str, Validity]]
    ) -> None:
        """Take plain connections and names of destinations as `detect.engine.Engine` keeps them."""
        self._forget()
        told = {}
        for key in contacts:
            pod = self.inventory.pod(key)
            other = names.get(named_key(pod.namespace, pod.name), {}) if pod is not None else {}
            told[key] = merge_names(names.get(key, {}), other)
        self._known.contacts.note_plain(contacts, told)

    def note_processes(self, trees: Mapping[str, Mapping[str, ProcessFact]]) -> None:
        """Take starts of programs as `detect.engine.Engine` keeps them (`trees`)."""
        self._forget()
        self._known.contacts.note_processes(trees)

    def _forget(self) -> None:
        if self._told or self._known.memo:
            self._told.clear()
            self._known.memo.clear()
            self._known.contacts.forget()

    def attribute(self, event: Event) -> Attribution:
        """Whose use of an identity `event` is: a request to the Kubernetes API, a sign-in, or something done in the cloud."""
        held = self._told.get(event.event_id)
        if held is None:
            held = self._attribute(event)
            if held.certain and held.grade is not Grade.C and (full := self.full):
                # What is missing may be another candidate; a token's own pod is told by the API server itself.
                held = replace(held, certain=False, why=f"{held.why}; a bound was hit: {full[0]}")
            self._told[event.event_id] = held
        return held

    def attribute_all(self, events: Iterable[Event]) -> list[Attribution]:
        """`attribute` for each."""
        return [self.attribute(event) for event in events]

    def _attribute(self, event: Event) -> Attribution:
        known = self._known
        if event.kind is Kind.API:
            return attribute_request(known, event)
        if event.kind is not Kind.CLOUD:
            return nobody("kind", "no use of an identity")
        if event.resource == "sign-in":
            return self._sign_in(event)
        managed = not self.inventory.same(event.principals).isdisjoint(self._managed)
        sign_in = known.tokens.sign_in(event.credential_id)
        if sign_in is not None and self._matches(event, sign_in):
            base = self._sign_in(sign_in)
            return with_token(known, event, sign_in, base, managed=_is_managed(sign_in))
        return attribute_use(known, event, managed=managed)

    def _sign_in(self, event: Event) -> Attribution:
        if event.federation:
            return attribute_federated(self._known, event)
        return (
            attribute_managed(self._known, event)
            if _is_managed(event)
            else attribute_login(self._known, event)
        )

    def _matches(self, event: Event, sign_in: Event) -> bool:
        """Whether a token's sign-in can be of this use: the same principal, and not after it."""
        ids = self.inventory.same(event.principals)
        return not ids.isdisjoint(self.inventory.same(sign_in.principals))


def _is_managed(event: Event) -> bool:
    """Whether a sign-in is of a managed identity's own (not by a federated token). A row that does not say of which kind
    it is counts as one where it has no address."""
    if event.resource != "sign-in" or event.federation:
        return False
    return event.activity == "managed-identity" or (not event.activity and not event.source_ip)
