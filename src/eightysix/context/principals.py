"""The operator's word for which cloud principal a service account stands for."""

from __future__ import annotations

from collections.abc import Sequence

from eightysix.model.errors import UsageError

__all__ = ["MAX_IDENTITIES", "identities"]

MAX_IDENTITIES = 10_000
"""Declared identities; a cluster has at most some hundreds of service accounts with one."""

_HEX = frozenset("0123456789abcdef-")


def identities(told: Sequence[str]) -> dict[str, frozenset[str]]:
    """`NAMESPACE/SERVICEACCOUNT=ID` (or `*=ID`, what the metadata service gives to every pod of the nodes) to ids by
    service account. Raises `UsageError` for anything else."""
    if len(told) > MAX_IDENTITIES:
        raise UsageError(f"more than {MAX_IDENTITIES} identities", "Name those of the pods in question.")
    found: dict[str, frozenset[str]] = {}
    for text in told:
        account, _, principal = text.strip().partition("=")
        principal = principal.strip().lower()
        namespace, slash, name = account.partition("/")
        named = account == "*" or (slash and namespace and name and "/" not in name)
        if not named or len(principal) != 36 or principal.count("-") != 4 or not _HEX.issuperset(principal):
            raise UsageError(
                f"--identity takes NAMESPACE/SERVICEACCOUNT=ID, and {text!r} is none",
                "The id is the client id or object id of the identity: ml/inference-sa=00001111-aaaa-2222-bbbb-3333cccc4444",
            )
        found[account] = found.get(account, frozenset()) | {principal}
    return found
