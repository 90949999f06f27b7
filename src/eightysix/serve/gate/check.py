"""`gate check`: everything about one artifact gathered, judged, kept.

The order matters: the registry is asked first and its answer recorded, so that the history has this very digest whatever comes
after; then what is attached, then the contents; then the decision, which is on the disk before anybody is told of it. A registry
that cannot be asked is an error, and no decision: the caller's pipeline stops, which is what "never allow by accident" means.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from eightysix.gate.attest import Material, ModelFile, Trust, collect
from eightysix.gate.baseline import scopes_for
from eightysix.gate.content import kinds
from eightysix.gate.decide import Evaluate, Facts, decide, lesson
from eightysix.gate.moves import Promotion, findings
from eightysix.gate.policy.form import Policy
from eightysix.gate.profiles import run_of
from eightysix.gate.references import format_reference, parse_reference
from eightysix.gate.scopes import scope_of
from eightysix.gate.unnamed import scope_for_digest
from eightysix.model.errors import RegistryError, UsageError
from eightysix.model.finding import FileVerdict, Severity
from eightysix.model.gate import (
    Artifact,
    BaselineEntry,
    Channel,
    ContentVerdict,
    Decision,
    GateFinding,
    Reference,
    Signature,
    SignatureState,
    TagMove,
)
from eightysix.scan.scanner import Options
from eightysix.serve.gate.contents import MAX_LAYER, scan_layers
from eightysix.serve.gate.evidence import judged_with
from eightysix.serve.gate.material import fetch_material
from eightysix.serve.registry.client import RegistryClient
from eightysix.serve.registry.tree import ArtifactTree, read_tree
from eightysix.store.history import GateHistory, Observation

__all__ = ["Judge", "check_reference", "needs_tag", "promotions_of"]

_TECHNIQUES = ("T1195.002", "T1525", "MS-TA9002")
_CLEAN = FileVerdict.CLEAN.value


class Judge(Struct, kw_only=True):
    """What a decision is made by: the operator's policy and trust, how predicates are evaluated, the memory (None: there is
    none), how contents are scanned (None: they are not) and by which rules, and the time."""

    policy: Policy
    trust: Trust
    evaluate: Evaluate
    history: GateHistory | None
    scan: Options | None
    scan_version: str = ""
    largest: int = MAX_LAYER
    now_ns: int = 0
    tell: Callable[[str], None] = lambda _: None

    def settle(
        self,
        reference: Reference,
        digest: str,
        *,
        material: Sequence[Material],
        content: Sequence[ContentVerdict],
        found: Sequence[GateFinding] = (),
        not_seen: Sequence[str] = (),
        files: dict[str, ModelFile] | None = None,
        signature_files: frozenset[str] = frozenset(),
        previous: str = "",
        pushers: Sequence[str] = (),
        subject: str | None = None,
    ) -> Decision:
        """Judge what was gathered about an artifact, and keep the decision and what was learned. `subject` is what signatures
        must be about, where that is not the artifact's digest (a folder has none)."""
        signatures = collect(
            digest if subject is None else subject,
            material,
            self.trust,
            now_ns=self.now_ns,
            files=files,
            signature_files=signature_files,
        )
        scope = self._scope(reference, digest, signatures)
        history = self.history
        gaps = list(not_seen)
        if scope != scope_of(reference):
            gaps.append(f"it was named by its digest alone, and held against {scope}")
        if history is None:
            gaps.append("no history was given: what this tag was before, and who signed it, is unknown")
        if self.scan is None:
            gaps.append("the contents were not scanned")
        facts = Facts(
            reference=reference,
            digest=digest,
            previous=previous,
            now_ns=self.now_ns,
            signatures=signatures,
            neighbours=history.judging(scope.rpartition(":")[0]) if history is not None else (),
            entries=history.entries(_scopes(reference, scope)) if history is not None else (),
            seen_runs=history.runs(scope, _runs(signatures)) if history is not None else {},
            found=tuple(found),
            content=tuple(content),
            scanned=self.scan is not None,
            pushers=tuple(sorted({name for name in pushers if name})),
            not_seen=tuple(gaps),
            against=scope,
        )
        decision = decide(facts, self.policy, self.evaluate)
        if history is not None and not history.read_only:
            self._keep(history, scope, decision, facts)
        return decision

    def _scope(self, reference: Reference, digest: str, signatures: Sequence[Signature]) -> str:
        """What an artifact is held against: its tag's scope, and for a digest alone one that its repository has."""
        scope = scope_of(reference)
        if reference.tag:
            return scope
        entries: list[BaselineEntry] = []
        seen: list[str] = []
        if self.history is not None:
            repository = scope.rpartition(":")[0] + ":"
            entries = [each for each in self.history.entries() if each.scope.startswith(repository)]
            rows = self.history.with_digest(digest)
            seen = [scope_of(Reference(row.registry, row.repository, row.tag)) for row in rows if row.tag]
        return scope_for_digest(reference, signatures, entries, self.policy, seen, self.now_ns)

    def _keep(self, history: GateHistory, scope: str, decision: Decision, facts: Facts) -> None:
        history.decide(decision)
        valid = [s for s in facts.signatures if s.state is SignatureState.VALID]
        history.sign(scope, facts.digest, [(s, run_of(s)) for s in valid])
        history.amend(
            _scopes(decision.reference, scope),
            lambda entries: lesson(replace(facts, entries=entries), decision, self.policy),
        )


def check_reference(
    client: RegistryClient, reference: Reference, judge: Judge, *, landing: Reference | None = None
) -> Decision:
    """Judge what a reference names. With `landing` it is judged as what that tag would become, before it is pushed there.

    Raises `RegistryError` where the registry cannot be asked; a registry that lies is a decision, and holds.
    """
    target = landing or reference
    try:
        tree = read_tree(client, reference.repository, reference.digest or reference.tag)
        material = fetch_material(client, reference.repository, tree.digest)
    except RegistryError as error:
        if error.kind != "lying":
            raise
        judged = replace(target, digest="")
        return judge.settle(judged, reference.digest, material=(), content=(), found=[_lies(error)])
    found = [*_honest(client, reference, tree), *_whole(tree)]
    previous, pushers = "", list[str]()
    if judge.history is not None:
        previous, pushers, moved = _remember(judge, tree, reference, landing)
        found += moved
    content = _contents(client, reference, tree, judge, target)
    return judge.settle(
        replace(target, digest=""),
        tree.digest,
        material=material,
        content=content,
        found=found,
        previous=previous,
        pushers=pushers,
    )


def promotions_of(policy: Policy) -> tuple[Promotion, ...]:
    """The policy's promotions, as moves are judged by them."""
    return tuple(
        Promotion(parse_reference(each.source), parse_reference(each.target)) for each in policy.promotions
    )


def _remember(
    judge: Judge, tree: ArtifactTree, reference: Reference, landing: Reference | None
) -> tuple[str, list[str], tuple[GateFinding, ...]]:
    """Record what the registry said, and judge the move: the digest before, who pushed, findings."""
    history = judge.history
    if history is None or not (landing or reference).tag:
        return "", [], ()
    target = replace(landing or reference, digest="")
    revision = dict(tree.root.annotations) if tree.root is not None else {}
    names = sorted({layer.kind for part in tree.parts for layer in kinds(part.manifest) if layer.kind})
    here = Artifact(
        digest=tree.digest,
        media_type=tree.media_type,
        size=sum(layer.size for layer in tree.layers()),
        kinds=tuple(names),
        claims=revision,
    )
    if not history.read_only:
        history.learn([here])
        if landing is None and not reference.digest:
            seen = Observation(
                reference=target, digest=tree.digest, channel=Channel.CHECK, asked_ns=judge.now_ns
            )
            history.observe([seen])
    rows, context = judged_with(
        history, target, promotions=promotions_of(judge.policy), read=[tree.digest] if tree.root else []
    )
    own = [row for row in rows if (row.registry, row.repository, row.tag) == _key(target)]
    if not own or own[-1].digest != tree.digest:
        rows = (*rows, _imagined(rows, own, target, tree.digest, judge.now_ns))
        artifacts = {tree.digest: here, **context.artifacts, **history.artifacts([tree.digest])}
        context = replace(context, artifacts=artifacts)
    allowed = history.last_allowed(target)
    before = [row.digest for row in own if row.digest and row.digest != tree.digest]
    previous = allowed.digest if allowed is not None else (before[-1] if before else "")
    pushers = [row.actor for row in own if row.digest == tree.digest]
    return previous, pushers, findings(rows, context)


def _imagined(
    rows: Sequence[TagMove], own: Sequence[TagMove], target: Reference, digest: str, now_ns: int
) -> TagMove:
    """The row that would be added if this digest were pushed to the tag."""
    return TagMove(
        sequence=max((row.sequence for row in rows), default=0) + 1,
        registry=target.registry,
        repository=target.repository,
        tag=target.tag,
        digest=digest,
        previous=own[-1].digest if own else "",
        seen_ns=now_ns,
        told_ns=0,
        channel=Channel.CHECK,
        event_id="",
    )


def _contents(
    client: RegistryClient, reference: Reference, tree: ArtifactTree, judge: Judge, target: Reference
) -> tuple[ContentVerdict, ...]:
    told = list(_unread(tree))
    if judge.scan is None:
        return tuple(told)
    layers = {layer.digest: layer for part in tree.parts for layer in part.manifest.layers}
    known: dict[str, ContentVerdict] = {}
    before = judge.history.last_allowed(replace(target, digest="")) if judge.history is not None else None
    for each in before.content if before is not None else ():
        if each.digest and each.verdict == _CLEAN and each.rules == judge.scan_version:
            known[each.digest] = each
    told += scan_layers(
        client,
        reference.repository,
        list(layers.values()),
        judge.scan,
        known,
        largest=judge.largest,
        tell=judge.tell,
    )
    return tuple(replace(each, rules=judge.scan_version) for each in told)


def _unread(tree: ArtifactTree) -> list[ContentVerdict]:
    """Manifests that could not be read are content that nobody saw."""
    if tree.verdict is None:
        return []
    return [
        ContentVerdict(
            path="manifest", digest=tree.digest, verdict=tree.verdict.value, why="; ".join(tree.problems[:4])
        )
    ]


def _whole(tree: ArtifactTree) -> list[GateFinding]:
    remarks = sorted({remark for part in tree.parts for remark in part.manifest.remarks})
    return [
        GateFinding(
            rule="manifest-odd", severity=Severity.LOW, holds=False, title="The manifest is odd", why=remark
        )
        for remark in remarks[:8]
    ]


def _honest(client: RegistryClient, reference: Reference, tree: ArtifactTree) -> list[GateFinding]:
    """A reference with tag and digest says two things; they are held against each other."""
    if not (reference.tag and reference.digest):
        return []
    head = client.head(reference.repository, reference.tag)
    if head is not None and head.digest == reference.digest:
        return []
    where = "nothing" if head is None else head.digest
    why = f"{format_reference(replace(reference, digest=''))} points to {where}, and {tree.digest} was named with it"
    return [
        GateFinding(
            rule="tag-elsewhere",
            severity=Severity.MEDIUM,
            holds=False,
            title="The tag points elsewhere",
            why=why,
            techniques=_TECHNIQUES,
        )
    ]


def _lies(error: RegistryError) -> GateFinding:
    return GateFinding(
        rule="registry-lies",
        severity=Severity.CRITICAL,
        holds=True,
        title="The registry answers what cannot be true",
        why=error.what,
        techniques=_TECHNIQUES,
    )


def _scopes(reference: Reference, scope: str) -> list[str]:
    """The scopes whose entries count: of signers those of `scope`, of approvals the reference's own."""
    return sorted({*scopes_for(scope), scope_of(reference)})


def _runs(signatures: Sequence[Signature]) -> list[str]:
    return [run_of(s) for s in signatures if s.signer is not None and s.signer.run]


def _key(reference: Reference) -> tuple[str, str, str]:
    return reference.registry, reference.repository, reference.tag


def needs_tag(reference: Reference) -> None:
    """Raise `UsageError` where a reference names a repository alone."""
    if not reference.tag and not reference.digest:
        raise UsageError(
            f"{format_reference(reference)} names a repository and no artifact",
            "add its tag or digest: registry/repository:tag",
        )
