"""What the gate remembers and decides: where tags pointed, who signed, what changed since, and whether it may land (gate/v1)."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, field

from eightysix.model.finding import Severity

__all__ = [
    "EVENT_SCHEMA",
    "SCHEMA",
    "Artifact",
    "BaselineEntry",
    "BaselineState",
    "Change",
    "Channel",
    "ContentVerdict",
    "Decision",
    "Drift",
    "DriftLevel",
    "GateEvent",
    "GateEventKind",
    "GateFinding",
    "Outcome",
    "Reference",
    "RegistryAction",
    "RegistryEvent",
    "Ruling",
    "Signature",
    "SignatureKind",
    "SignatureState",
    "Signer",
    "SigningMethod",
    "Stray",
    "TagMove",
]

SCHEMA = "eightysix/gate/v1"
"""Name and version of the machine output; the fields of version 1 keep their meaning, new ones may be added."""


class Reference(Struct, frozen=True, order=True):
    """A name of an artifact in a registry, as OCI's distribution specification has it: `registry/repository:tag@digest`.

    `registry` is host and port in lower case (`acme.azurecr.io`, `127.0.0.1:5000`). Tag and digest may each be empty, in
    a reference that names a repository alone both are. `digest` is `sha256:` and 64 digits in lower case, or sha512's.
    """

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""


EVENT_SCHEMA = "eightysix/gate-event/v1"
"""Each line that the gate gives to detection has it under `schema`."""


class Channel(StrEnum):
    """How the gate learned of something. What a webhook says is a hint, what the registry answers to HEAD is the truth."""

    DISTRIBUTION = "distribution"  # the webhook of CNCF's distribution
    ACR = "acr"
    EVENT_GRID = "event-grid"
    HARBOR = "harbor"
    RECONCILER = "reconciler"  # we asked by HEAD
    CHECK = "check"  # we asked for a decision
    IMPORT = "import"


class RegistryAction(StrEnum):
    """What happened in the registry."""

    PUSH = "push"
    DELETE = "delete"
    PULL = "pull"
    OTHER = "other"  # blobs, charts, quarantine: counted, of no meaning for a tag


class RegistryEvent(Struct, frozen=True, kw_only=True):
    """One thing that a registry told. Every text was written by whoever could reach the webhook: data in every output.

    `id` makes a replay harmless, unique within its channel. `told_ns` is the registry's own time, 0 where it told none.
    `tag` is empty for a push by digest and a delete; `digest` is empty only for the delete of a tag. `actor`, `address`
    and `agent` are who it names, where it does (distribution names an actor only with authentication, ACR none at all).
    `size` in bytes.
    """

    id: str
    channel: Channel
    action: RegistryAction
    registry: str
    repository: str
    tag: str = ""
    digest: str = ""
    media_type: str = ""
    size: int = 0
    told_ns: int = 0
    actor: str = ""
    address: str = ""
    agent: str = ""


class TagMove(Struct, frozen=True, kw_only=True):
    """One row of the history: from then on the tag pointed to `digest` (empty: it was deleted). Rows are only added.

    `sequence` counts rows from 1. `seen_ns` is when we learned of it by our own clock, which never runs back in the history
    (a clock that jumps back repeats the last time); `told_ns` is what the registry said. `confirmed` says that the registry
    answered a HEAD with this digest. `previous` is the digest of the row before for this tag, empty for the first.
    """

    sequence: int
    registry: str
    repository: str
    tag: str
    digest: str
    previous: str
    seen_ns: int
    told_ns: int
    channel: Channel
    event_id: str
    actor: str = ""
    address: str = ""
    agent: str = ""
    confirmed: bool = False


class Outcome(StrEnum):
    """What the history made of something that it was told or asked for."""

    MOVED = "moved"  # a row was added
    SAME = "same"  # the tag points there already; kept beside the history where it names who, and the history nobody
    REPLAYED = "replayed"  # this event was there before
    CONFLICT = "conflict"  # an event with this id was there before, and said something else
    LATE = "late"  # it happened before what is known: kept beside the history
    OVERRULED = "overruled"  # the registry answered a HEAD with something else: kept beside the history
    RACED = "raced"  # the tag moved while the registry was asked: to be asked again
    NOTHING = "nothing"  # it moves no tag


class Stray(Struct, frozen=True, kw_only=True):
    """An event that was told and is no row of the history, or no longer its end. `current` is the digest that counted instead."""

    event: RegistryEvent
    outcome: Outcome
    current: str
    seen_ns: int


class Artifact(Struct, frozen=True, kw_only=True):
    """What is known of a digest, wherever it lies. `kinds` are the formats that a scan found inside, empty before one;
    `claims` what its annotations say (`org.opencontainers.image.revision`, ...), written by whoever built it. `first_ns` by
    our own clock."""

    digest: str
    media_type: str = ""
    size: int = 0
    kinds: tuple[str, ...] = ()
    claims: dict[str, str] = field(default_factory=dict)
    first_ns: int = 0


class SigningMethod(StrEnum):
    """How a signer proves who it is."""

    KEYLESS = "keyless"  # a certificate of minutes for a workload's identity, as sigstore's Fulcio issues it
    KEY = "key"
    CERTIFICATE = "certificate"  # a chain to a certificate authority of the operator's
    PUBLISHER = "publisher"  # PEP 740: a trusted publisher of a package index


class Signer(Struct, frozen=True, kw_only=True):
    """Who signed, by level: what is compared with the baseline.

    L0 `method`, `issuer` (who vouched for the identity), `key` (SHA-256 of the public key or of the authority's, as SPKI);
    L1 `owner_id`, `repository_id` (immutable), else `owner`, `repository`; L2 `workflow` (build signer without its ref),
    `build_config`, `subject` (the alternative name without its ref, or the certificate's); L3 `ref`, `runner`, `trigger`,
    `environment`, `visibility`; L4, which never alerts alone, `commit`, `builder_digest`, `config_digest`, `run`.
    Names and numbers of the fields: sigstore/fulcio, docs/oid-info.md, 1.3.6.1.4.1.57264.1.8 to .23.
    """

    method: SigningMethod
    issuer: str = ""
    key: str = ""
    owner_id: str = ""
    repository_id: str = ""
    owner: str = ""
    repository: str = ""
    workflow: str = ""
    build_config: str = ""
    subject: str = ""
    ref: str = ""
    runner: str = ""
    trigger: str = ""
    environment: str = ""
    visibility: str = ""
    commit: str = ""
    builder_digest: str = ""
    config_digest: str = ""
    run: str = ""


class SignatureState(StrEnum):
    """Four different things. A corrupt signature is `INVALID` and never becomes `UNSIGNED`; `UNVERIFIABLE` is one that could
    not be judged here: no trust root for it, a kind that nobody reads yet, a source that did not answer."""

    UNSIGNED = "unsigned"
    INVALID = "invalid"
    UNVERIFIABLE = "unverifiable"
    VALID = "valid"


class SignatureKind(StrEnum):
    """What was attached."""

    SIGSTORE_BUNDLE = "sigstore-bundle"
    COSIGN = "cosign"  # simple signing payload with annotations
    MODEL = "model"  # OpenSSF model signing
    PROVENANCE = "provenance"  # SLSA, in an in-toto statement
    ATTESTATION = "attestation"  # any other in-toto statement
    PYPI = "pypi"  # PEP 740
    NOTATION = "notation"
    RAW = "raw"  # a detached signature by a key


class Signature(Struct, frozen=True, kw_only=True):
    """One signature or attestation about one artifact, judged.

    `subject` is the digest that it speaks of (`sha256:...`), `source` where it was found (a digest, a file name), `why` one
    sentence when it is not valid. `signer` only where the proof held. `predicate_type` and `claims` (flat facts of a
    verified statement: `builder`, `build_type`, `source`, `commit`, `materials`, ...) of attestations. `at_ns` is the trusted
    time of signing (log or timestamp authority), 0 where there is none. `trust` names the root that vouched.
    """

    kind: SignatureKind
    state: SignatureState
    subject: str = ""
    source: str = ""
    why: str = ""
    signer: Signer | None = None
    predicate_type: str = ""
    claims: dict[str, str] = field(default_factory=dict)
    at_ns: int = 0
    trust: str = ""
    digest: str = ""  # of the signature's own bytes, for replays


class DriftLevel(StrEnum):
    """How deep a difference goes."""

    TRUST = "L0"
    OWNER = "L1"
    WORKFLOW = "L2"
    CONTEXT = "L3"
    VOLATILE = "L4"


class Drift(Struct, frozen=True, kw_only=True):
    """One field of a signer that its baseline does not have. `was` are the values known, most frequent first."""

    level: DriftLevel
    field: str
    was: tuple[str, ...]
    now: str
    text: str


class BaselineState(StrEnum):
    """Life of a baseline's entry."""

    LEARNING = "learning"  # seen in too few runs to judge by
    ACTIVE = "active"  # learned in enough runs, or declared: judged by
    APPROVED = "approved"  # added by a person
    REVOKED = "revoked"


class BaselineEntry(Struct, frozen=True, kw_only=True):
    """A way of signing that a scope is known to have: the fields of L0 to L3 together, because known values from two ways of
    signing, mixed, are a third way.

    `scope` is `registry/repository:class` with the class of tags (`prod`, `version`, `*`). `of` says what was signed:
    `signature`, or the predicate type of an attestation; `waiver` for one finding about one digest that a person let pass,
    with `digest` and `rule` in `profile`. `id` is a digest of scope, of and profile. `runs` counts distinct runs (digests,
    where a signer has no runs), `run_ids` keeps those that were counted, a few. Times by our own clock; `expires_ns` 0: never.
    """

    id: str
    scope: str
    of: str
    profile: dict[str, str]
    state: BaselineState
    runs: int = 0
    run_ids: tuple[str, ...] = ()
    first_ns: int = 0
    last_ns: int = 0
    approved_by: str = ""
    why: str = ""
    expires_ns: int = 0


class Change(Struct, frozen=True, kw_only=True):
    """One recorded change of a baseline or policy: who, why, what. Each carries the digest of the one before, so that a gap
    shows."""

    sequence: int
    at_ns: int
    scope: str
    action: str  # declare, learn, activate, approve, revoke, expire, import
    by: str
    why: str
    detail: dict[str, str] = field(default_factory=dict)
    before: str = ""
    digest: str = ""


class Ruling(StrEnum):
    """May it land? There is nothing between: what is not allowed is held until a person with the right says otherwise."""

    ALLOW = "allow"
    HOLD = "hold"


class GateFinding(Struct, frozen=True, kw_only=True):
    """One thing that counts for a decision. `holds` says that it alone keeps the artifact out. `approval` is what would let
    it pass: the exact command with what it would accept; empty where nothing would (a lying registry, a broken signature).
    """

    rule: str
    severity: Severity
    holds: bool
    title: str
    why: str
    approval: str = ""
    techniques: tuple[str, ...] = ()


class ContentVerdict(Struct, frozen=True, kw_only=True):
    """What a scan said about one layer or file: `path` names it, `verdict` is a `FileVerdict`, `formats` what was inside.
    `rules` is the version of the scan's rules: clean by the same rules, the same digest is not read again."""

    path: str
    digest: str
    verdict: str
    formats: tuple[str, ...] = ()
    why: str = ""
    rules: str = ""


class Decision(Struct, frozen=True, kw_only=True):
    """One answer to "may this land?". `id` comes from the reference, digest, findings and policy, never from time.

    `mode` is the policy's (`enforce`, `audit`): in `audit` `ruling` is what enforcing would have said, and the exit code is not
    raised by it. `not_seen` are the things that nobody could look at here.
    """

    id: str
    at_ns: int
    reference: Reference
    digest: str
    previous: str
    ruling: Ruling
    mode: str
    findings: tuple[GateFinding, ...] = ()
    signatures: tuple[Signature, ...] = ()
    drift: tuple[Drift, ...] = ()
    content: tuple[ContentVerdict, ...] = ()
    not_seen: tuple[str, ...] = ()
    policy: str = ""  # digest of the policy that was judged by


class GateEventKind(StrEnum):
    """What a line for detection tells."""

    MOVE = "move"
    DECISION = "decision"


class GateEvent(Struct, frozen=True, kw_only=True):
    """One line of what the gate tells detection: a tag moved, or a decision was made. A digest that was held, is unsigned or came
    by a moved tag is what a pod that pulled it runs.

    `id` is stable: the history's sequence of a move (`move-17`), a decision's id. `time` is RFC 3339 in UTC with nanoseconds.
    `ruling` is empty for a move. `held_for` are the rules of findings that hold, `told_of` those of the others; `severity` the
    worst of all, empty without findings. `why` is one sentence about the worst. `signed` is the best state of the signatures,
    empty where nobody looked. `image` is `registry/repository@digest`, as a kubelet reports what it pulled.
    """

    id: str
    kind: GateEventKind
    time: str
    registry: str
    repository: str
    tag: str
    digest: str
    previous: str = ""
    image: str = ""
    ruling: str = ""
    mode: str = ""
    held_for: tuple[str, ...] = ()
    told_of: tuple[str, ...] = ()
    severity: str = ""
    why: str = ""
    signed: str = ""
    actor: str = ""
    address: str = ""
    agent: str = ""
    channel: str = ""
    confirmed: bool = False
    schema: str = EVENT_SCHEMA
