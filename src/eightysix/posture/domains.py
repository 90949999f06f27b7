"""Which credentials a pod holds, by domain, from its template and the objects around it; no Secret is ever read.

Four domains (`model.words.Domain`): the cluster's tokens, delivery (CI/CD, registries, model stores), the cloud, model
providers. Signals with their sources: `posture.tokens`, `posture.named`, `posture.cloudtokens`. How many domains a pod
holds is its density: two is what every pod has by default (a token, and the metadata service), so it is no alert.
"""

from __future__ import annotations

from collections.abc import Iterable

from eightysix.model.posture import Confidence, Credential
from eightysix.posture import cloudtokens, named, tokens
from eightysix.posture.holder import Holder
from eightysix.posture.lookup import lookup
from eightysix.posture.snapshot import Snapshot, Template

__all__ = ["credentials", "domains"]

_RANK = {Confidence.PROVED: 0, Confidence.INFERRED: 1, Confidence.ASSUMED: 2}
_ORDER = {"cluster": 0, "delivery": 1, "cloud": 2, "llm": 3}


def credentials(template: Template, snapshot: Snapshot) -> tuple[Credential, ...]:
    """The credentials of a template's pods, in an order that does not depend on how it is written: surest first within a
    domain. Asked again for the same template, the same answer is given without another look."""
    known = lookup(snapshot)
    memo = known.credentials.get(id(template))
    if memo is not None and memo[0] is template:
        return memo[1]
    holder = Holder(template, known)
    found: dict[tuple[str, str, str, str], Credential] = {}
    for reader in (tokens.read, cloudtokens.read, named.read):
        for credential in reader(holder):
            key = (credential.domain, credential.name, credential.signal, credential.target)
            before = found.get(key)
            if before is None or _RANK[credential.confidence] < _RANK[before.confidence]:
                found[key] = credential
    told = tuple(
        sorted(
            found.values(),
            key=lambda c: (_ORDER[c.domain], _RANK[c.confidence], c.signal, c.name, c.target, c.path),
        )
    )
    known.credentials[id(template)] = (template, told)
    return told


def domains(credentials: Iterable[Credential]) -> tuple[str, ...]:
    """The domains of some credentials, in the order of the words."""
    return tuple(sorted({credential.domain for credential in credentials}, key=_ORDER.__getitem__))
