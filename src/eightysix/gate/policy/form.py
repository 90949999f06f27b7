"""What an operator declares to the gate. Read from the operator's own file, never from what is judged (DESIGN decision 17)."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from eightysix.model.finding import Severity

__all__ = [
    "DEFAULT",
    "Declared",
    "Mode",
    "Policy",
    "Predicate",
    "Promotion",
    "Requirement",
    "Trusted",
    "Watched",
]


class Mode(StrEnum):
    """Whether a hold keeps an artifact out, or is only told."""

    ENFORCE = "enforce"
    AUDIT = "audit"


class Watched(Struct, frozen=True):
    """Tags that the reconciler asks for. `repository` is `registry/repository`, its last part may be `*`; `tags` may be `*`: then
    the registry is asked for its list."""

    repository: str
    tags: tuple[str, ...]


class Promotion(Struct, frozen=True):
    """What goes to `target` must have been at `source` with the same digest before; both are `registry/repository:tag`."""

    source: str
    target: str


class Declared(Struct, frozen=True):
    """A way of signing that a scope has, from the first artifact on. A value may end in `*`. `expires_ns` 0: never."""

    scope: str
    of: str
    profile: dict[str, str]
    expires_ns: int = 0


class Requirement(Struct, frozen=True):
    """What must be there whatever history says. `scope` may end in `*`."""

    scope: str
    signed: bool = False
    attested: tuple[str, ...] = ()
    scanned: bool = False


class Predicate(Struct, frozen=True):
    """A rule of the operator's own. `when` is an expression of CEL over the facts of a decision; true means that the rule
    applies. It holds or tells; no expression lets pass what something else holds."""

    id: str
    when: str
    holds: bool
    why: str
    severity: Severity = Severity.HIGH


class Trusted(Struct, frozen=True):
    """Files with what vouches for signatures, by their paths as written: roots of sigstore, public keys, certificates of
    authorities. `public_sigstore` takes the root that sigstore-python ships. `ignore` are the paths that a model's signature
    may leave out."""

    sigstore: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    authorities: tuple[str, ...] = ()
    public_sigstore: bool = False
    ignore: tuple[str, ...] = ()


class Policy(Struct, frozen=True):
    """All of it. `digest` is of the file's bytes, so that each decision says what it was judged by; empty for the default."""

    mode: Mode = Mode.ENFORCE
    watch: tuple[Watched, ...] = ()
    promotions: tuple[Promotion, ...] = ()
    approvers: tuple[str, ...] = ()
    signers: tuple[Declared, ...] = ()
    require: tuple[Requirement, ...] = ()
    rules: tuple[Predicate, ...] = ()
    trust: Trusted = Trusted()
    digest: str = ""


DEFAULT = Policy()
"""Without a file: enforce what history teaches, require nothing beyond it."""
