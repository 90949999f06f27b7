"""How surely a use of an identity belongs to a pod: the ladder A to F, and what joined the two.

Grades (from the in-process sensor to a bare address) are those of `model.words.Grade`; what each rung joins by:

* A the sensor inside the pod told of it
* B the kernel saw the connection, with the process and the pod
* C the API server's audit event names the pod, or the id of the token that was issued to it
* D a federated token or a declared identity: the service account is certain, the pod is one of those that run as it
* E the node's identity, which all pods on the node pool share: the pods that asked the metadata service at that time
* F an address, or time alone
"""

from __future__ import annotations

from msgspec import Struct

from eightysix.model.words import Grade, Origin

__all__ = ["MAX_CANDIDATES", "Attribution", "Candidate"]

MAX_CANDIDATES = 32
"""Pods that one attribution names; `others` counts the rest."""


class Candidate(Struct, frozen=True):
    """A pod that a use may be of. `probability` is between 0 and 1, and those of one attribution, with `others`, add up
    to at most 1; `why` is in plain words."""

    pod: str
    uid: str
    probability: float
    why: str


class Attribution(Struct, frozen=True):
    """Whose something was. `join_key` names the fields that joined it (`credential-id`, `pod-uid`, `client-id+time`...);
    `certain` is True where one pod alone can have done it, by the records that there are. An attribution without
    candidates says that nothing joins the two, which clears nobody."""

    grade: Grade
    origin: Origin
    join_key: str
    certain: bool
    candidates: tuple[Candidate, ...] = ()
    others: int = 0
    why: str = ""
