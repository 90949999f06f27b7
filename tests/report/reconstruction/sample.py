"""Reconstructions built by hand, as near as a hand can to what is told of the recorded 86-second run."""

from __future__ import annotations

from msgspec.structs import replace

from eightysix.context.shell import line, option
from eightysix.context.techniques import techniques
from eightysix.model.attribution import Attribution, Candidate
from eightysix.model.incident import Counts, Coverage, Evidence, PodRef, Reason, SourceCoverage
from eightysix.model.story import (
    Entity,
    EntityKind,
    Gap,
    IdentityStory,
    Lane,
    Link,
    LinkKind,
    Mark,
    Reconstruction,
    Record,
    Revocation,
    Rotation,
    Sighting,
    Story,
    Use,
)
from eightysix.model.words import Basis, Grade, IdentityState, Origin, Outcome, Stage, Verdict
from tests.report.recorded_run import IMAGE, NAME, NOVELTY, POD, TAKER, WHY, at, by_token, seen
from tests.report.sample import HOSTILE

__all__ = ["asked_about", "breach", "breach_story", "crowd", "hostile", "nothing"]

_POD = "pod:ml/inference-0"
_SERVER = "process:server"
_PIP = "process:pip"
_ARTIFACT = "package:torch-perf-utils"
_ACCOUNT = "identity:sa"
_MANAGED = "identity:mi"
_SECRET = "secret:acr-push-sp"
_OUT = "destination:203.0.113.10"
_CLIENT = "11111111-2222-4333-8444-555555555555"


_KERNEL = (Grade.A, Origin.KERNEL)
_TOLD = (Grade.A, Origin.SUSPECT)
_API = (Grade.C, Origin.CONTROL_PLANE)
_CLOUD = (Grade.E, Origin.PROVIDER)

_POSSIBLE = Attribution(
    Grade.E,
    Origin.PROVIDER,
    "client-id+time",
    False,
    (
        Candidate(NAME, POD.uid, 0.5, "asked the metadata service 1.2 s before"),
        Candidate("ml/notebook-7", "77777777-0000-4000-8000-000000000007", 0.25, "asked within 5 s"),
    ),
    1,
    "the node's identity is shared by all pods of the node pool",
)
_CERTAIN = by_token("pod-uid", "")


def _mark(
    number: int,
    offset: float,
    lane: Lane,
    stage: Stage | None,
    title: str,
    detail: str,
    sure: tuple[Grade, Origin],
    evidence: tuple[Evidence, ...],
    signal: str = "",
    subject: str = "",
    outcome: Outcome = Outcome.ALLOWED,
    count: int = 1,
    kind: str = "",
    attribution: Attribution | None = None,
) -> Mark:
    return Mark(
        id=f"m{number:02}",
        at=at(offset),
        until=at(offset + 4) if count > 1 else "",
        offset_s=offset,
        lane=lane,
        stage=stage,
        title=title,
        detail=detail,
        grade=sure[0],
        origin=sure[1],
        outcome=outcome,
        actor=_SERVER if lane is not Lane.PACKAGE else _PIP,
        subject=subject,
        pod=_POD,
        signal=signal,
        count=count,
        evidence=evidence,
        attribution=attribution,
        techniques=techniques(stage, signal, kind),
    )


_MARKS = (
    _mark(
        0,
        -61.4,
        Lane.PROCESS,
        None,
        "the server starts",
        "python /app/server.py",
        _KERNEL,
        seen("tetragon", 3),
    ),
    _mark(
        1,
        -60.1,
        Lane.IDENTITY,
        None,
        "the application takes a token by azure-identity",
        "python /app/server.py → 169.254.169.254:80",
        _KERNEL,
        seen("tetragon", 12),
        count=3,
    ),
    _mark(
        2,
        0.0,
        Lane.PACKAGE,
        Stage.LAND,
        "package installed in the running container",
        "python -m pip install --quiet --upgrade torch-perf-utils: torch-perf-utils==1.4.3",
        _KERNEL,
        seen("tetragon", 42, 43, 44, 45, 46),
        "install",
        _ARTIFACT,
    ),
    _mark(
        3,
        0.7,
        Lane.PROCESS,
        Stage.RUN,
        "code that landed runs",
        "python /app/server.py (torch-perf-utils==1.4.3) → torch_perf_utils",
        _TOLD,
        seen("sensor", 122),
        "landed_code_runs",
        _ARTIFACT,
    ),
    _mark(
        4,
        38.0,
        Lane.IDENTITY,
        Stage.REACH,
        "first credential after the install",
        "→ 169.254.169.254:80",
        _KERNEL,
        seen("tetragon", 78, 79, 80),
        "first_credential",
        _MANAGED,
        kind="managed-identity",
    ),
    _mark(
        5,
        57.6,
        Lane.IDENTITY,
        Stage.PIVOT,
        "second credential domain by the same process",
        "→ /var/run/secrets/kubernetes.io/serviceaccount/token",
        _KERNEL,
        seen("tetragon", 79, 81),
        "second_domain",
        _ACCOUNT,
        kind="service-account",
    ),
    _mark(
        6,
        58.4,
        Lane.CONTROL_PLANE,
        Stage.PIVOT,
        "secrets are listed",
        "list ml/secrets",
        _API,
        seen("kubernetes-audit", 5),
        "secrets_listed",
        "resource:ml/secrets",
    ),
    _mark(
        7,
        58.9,
        Lane.CONTROL_PLANE,
        Stage.PIVOT,
        "a secret is read",
        "get kube-system/secrets/bootstrap: 403",
        _API,
        seen("kubernetes-audit", 6),
        "secret_read",
        "resource:kube-system/secrets",
        Outcome.DENIED,
    ),
    _mark(
        8,
        66.9,
        Lane.CONTROL_PLANE,
        Stage.PIVOT,
        "a secret is read",
        "get ml/secrets/acr-push-sp",
        _API,
        seen("kubernetes-audit", 7),
        "secret_read",
        _SECRET,
        kind="secret",
    ),
    _mark(
        9,
        85.7,
        Lane.PROCESS,
        Stage.LEAVE,
        "a destination that this container never contacted before",
        "python /app/server.py (torch-perf-utils==1.4.3) → 203.0.113.10:80 (telemetry.perf-utils.example)",
        _KERNEL,
        seen("tetragon", 85, 86, 87, 88),
        "new_destination",
        _OUT,
    ),
    _mark(
        10,
        2014.3,
        Lane.CONTROL_PLANE,
        Stage.USE,
        "an image is pushed from there",
        "push registry.example/ml/inference:prod from 198.51.100.23",
        _CLOUD,
        seen("azure", 2, 3),
        "pushed",
        "resource:registry",
        attribution=_POSSIBLE,
    ),
)


def _use(
    offset: float,
    service: str,
    operation: str,
    target: str,
    ip: str,
    foreign: bool | None,
    attribution: Attribution,
    evidence: tuple[Evidence, ...],
    outcome: Outcome = Outcome.ALLOWED,
    count: int = 1,
) -> Use:
    return Use(
        at=at(offset),
        offset_s=offset,
        service=service,
        operation=operation,
        target=target,
        source_ip=ip,
        user_agent="python-urllib/3.11",
        outcome=outcome,
        after=offset >= 38,
        foreign=foreign,
        credential_id="JTI=9b2d41f0",
        attribution=attribution,
        evidence=evidence,
        count=count,
        until=at(offset + 30) if count > 1 else "",
    )


_IDENTITIES = (
    IdentityStory(
        entity=_ACCOUNT,
        kind="service-account",
        name="ml/inference-sa",
        ids=("b3d1c0de-0000-4000-8000-00000000beef",),
        domain="cluster",
        state=IdentityState.USED,
        taken_at=at(57.6),
        taken_by=TAKER,
        grade=Grade.A,
        origin=Origin.KERNEL,
        uses=(
            _use(
                -30,
                "kubernetes",
                "get",
                "ml/configmaps/app",
                "10.244.1.17",
                False,
                _CERTAIN,
                seen("kubernetes-audit", 2),
            ),
            _use(
                58.4,
                "kubernetes",
                "list",
                "ml/secrets",
                "10.244.1.17",
                False,
                _CERTAIN,
                seen("kubernetes-audit", 5),
            ),
            _use(
                58.9,
                "kubernetes",
                "get",
                "kube-system/secrets/bootstrap",
                "10.244.1.17",
                False,
                _CERTAIN,
                seen("kubernetes-audit", 6),
                Outcome.DENIED,
            ),
            _use(
                66.9,
                "kubernetes",
                "get",
                "ml/secrets/acr-push-sp",
                "10.244.1.17",
                False,
                _CERTAIN,
                seen("kubernetes-audit", 7),
            ),
        ),
        other_uses=0,
        revocation=Revocation(
            True,
            "the token is bound to its pod: deleting the pod ends it",
            "2026-11-23T17:55:38Z",
            "https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/",
        ),
    ),
    IdentityStory(
        entity=_MANAGED,
        kind="managed-identity",
        name="id-ml-inference",
        ids=(_CLIENT, "99999999-2222-4333-8444-555555555555"),
        domain="cloud",
        state=IdentityState.USED,
        taken_at=at(38),
        taken_by=TAKER,
        grade=Grade.B,
        origin=Origin.KERNEL,
        uses=(
            _use(
                420.5,
                "storage",
                "GetBlob",
                "mlweights/models/ranker.safetensors",
                "198.51.100.23",
                True,
                _POSSIBLE,
                seen("azure", 1),
                count=14,
            ),
            _use(
                2014.3,
                "registry",
                "push",
                "registry.example/ml/inference:prod",
                "198.51.100.23",
                True,
                _POSSIBLE,
                seen("azure", 2, 3),
            ),
        ),
        other_uses=212,
        revocation=Revocation(
            False,
            "tokens of a managed identity cannot be revoked: remove its role assignments",
            "2026-11-24T16:56:16Z",
            "https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/managed-identity-best-practice-recommendations",
        ),
        why="asked for at the metadata service; cloud logs name it by client id",
    ),
    IdentityStory(
        entity=_SECRET,
        kind="secret",
        name="ml/acr-push-sp",
        ids=(),
        domain="delivery",
        state=IdentityState.TAKEN,
        taken_at=at(66.9),
        taken_by="service account ml/inference-sa",
        grade=Grade.C,
        origin=Origin.CONTROL_PLANE,
        uses=(),
        other_uses=0,
        revocation=Revocation(None, "a service principal's key: remove it and issue another", "", ""),
    ),
)

_EXPOSED = (
    IdentityStory(
        entity="identity:env",
        kind="environment",
        name="OPENAI_API_KEY",
        ids=(),
        domain="llm",
        state=IdentityState.EXPOSED,
        taken_at="",
        taken_by="",
        grade=Grade.A,
        origin=Origin.SUSPECT,
        uses=(),
        other_uses=0,
        revocation=Revocation(None, "", "", ""),
        why="in the environment of the process that ran the code",
    ),
)

_ENTITIES = (
    Entity(_POD, EntityKind.POD, "ml/inference-0", facts={"node": "aks-gpu-31337-vmss000000"}),
    Entity(_PIP, EntityKind.PROCESS, "python -m pip install"),
    Entity(_SERVER, EntityKind.PROCESS, "python /app/server.py", facts={"pid": "41"}),
    Entity(_ARTIFACT, EntityKind.PACKAGE, "torch-perf-utils", facts={"version": "1.4.3"}),
    Entity(_ACCOUNT, EntityKind.IDENTITY, "ml/inference-sa", "used"),
    Entity(_MANAGED, EntityKind.IDENTITY, "id-ml-inference", "used", {"client id": _CLIENT}),
    Entity(_SECRET, EntityKind.SECRET, "ml/acr-push-sp", "taken"),
    Entity("resource:ml/secrets", EntityKind.RESOURCE, "ml/secrets"),
    Entity("resource:kube-system/secrets", EntityKind.RESOURCE, "kube-system/secrets/bootstrap"),
    Entity("resource:registry", EntityKind.RESOURCE, "registry.example/ml/inference:prod"),
    Entity(_OUT, EntityKind.DESTINATION, "203.0.113.10:80 (telemetry.perf-utils.example)"),
)


def _link(
    source: str, target: str, kind: LinkKind, offset: float, sure: tuple[Grade, Origin], key: str = ""
) -> Link:
    return Link(source, target, kind, at(offset), *sure, key, seen("tetragon", 42))


_LINKS = (
    _link(_ARTIFACT, _POD, LinkKind.LANDED, 0, _KERNEL),
    _link(_ARTIFACT, _SERVER, LinkKind.RAN, 0.7, _TOLD),
    _link(_SERVER, _MANAGED, LinkKind.TOOK, 38, _KERNEL, "exec-id"),
    _link(_SERVER, _ACCOUNT, LinkKind.TOOK, 57.6, _KERNEL, "exec-id"),
    _link(_ACCOUNT, "resource:ml/secrets", LinkKind.ASKED, 58.4, _API, "pod-uid"),
    _link(_ACCOUNT, "resource:kube-system/secrets", LinkKind.ASKED, 58.9, _API, "pod-uid"),
    _link(_ACCOUNT, _SECRET, LinkKind.TOOK, 66.9, _API, "pod-uid"),
    _link(_SERVER, _OUT, LinkKind.SENT, 85.7, _KERNEL, "exec-id"),
    _link(_MANAGED, "resource:registry", LinkKind.ASKED, 2014.3, _CLOUD, "client-id+time"),
)

_ROTATE = (
    Rotation(
        1,
        "isolate pod ml/inference-0, keep it running for evidence",
        "code that landed still runs in it",
        (
            line(
                "kubectl",
                "label",
                "pod",
                option("--namespace", "ml"),
                operands=["inference-0", "quarantine=true"],
            ),
        ),
        _POD,
    ),
    Rotation(
        2,
        "remove the role assignments of managed identity id-ml-inference",
        "its tokens cannot be revoked and are good until 2026-11-24 16:56",
        (
            line(
                "az",
                "role",
                "assignment",
                "list",
                option("--assignee", _CLIENT),
                "--all",
                "--output",
                "table",
            ),
            line("az", "role", "assignment", "delete", option("--assignee", _CLIENT)),
        ),
        _MANAGED,
    ),
    Rotation(3, "issue the secret ml/acr-push-sp anew", "it was read at T+66.9", (), _SECRET),
)

_GAPS = (
    NOVELTY,
    Gap(
        "use",
        "reads of Key Vault are not among the records",
        "az monitor diagnostic-settings create … --logs AuditEvent",
    ),
    Gap("leave", "who is behind 203.0.113.10: no DNS answer was read", ""),
)

_ELSEWHERE = (
    Sighting(
        "torch-perf-utils",
        "aks-ml-prod",
        "aks-gpu-31337-vmss000001",
        "ml",
        "inference-1",
        "u-1",
        "installed",
        at(31.8),
        True,
        False,
    ),
    Sighting(
        "torch-perf-utils",
        "aks-ml-prod",
        "aks-gpu-31337-vmss000004",
        "research",
        "notebook-7",
        "u-2",
        "installed",
        at(-90000),
        None,
        True,
    ),
)


def breach_story() -> Story:
    """The story of the recorded run, with a use from outside half an hour later."""
    return Story(
        id="1b9c93e6489b21f7",
        revision="01f3c2d4a5b69788",
        title="torch-perf-utils 1.4.3 took two identities of ml/inference-0",
        asked="",
        verdict=Verdict.CONTAIN,
        score=135,
        incidents=("1b9c93e6489b21f7",),
        pod=POD,
        workload="ml/inference",
        image=IMAGE,
        service_account="ml/inference-sa",
        t0=at(0),
        first=at(-61.4),
        last=at(2014.3),
        summary=(
            "torch-perf-utils 1.4.3 was installed in the running container and ran inside the server.",
            "38 s later it took the managed identity, 20 s after that the service account, and read ml/acr-push-sp.",
            "Data left for 203.0.113.10 after 85.7 s; the identity pushed an image from outside half an hour later.",
        ),
        marks=_MARKS,
        entities=_ENTITIES,
        links=_LINKS,
        domains=("cloud", "cluster", "delivery"),
        identities=_IDENTITIES,
        exposed=_EXPOSED,
        elsewhere=_ELSEWHERE,
        rotate=_ROTATE,
        why=WHY,
        gaps=_GAPS,
        records=(
            Record(
                seen("tetragon", 42)[0],
                '{"process_exec":{"raw":"RECORD-TEXT"}}',
                0,
            ),
        ),
    )


_COVERAGE = Coverage(
    (
        SourceCoverage("tetragon", 86, {"exec": 11}, at(-70), at(85.7)),
        SourceCoverage("sensor", 142, {"import": 47}, at(-70), at(85.7)),
        SourceCoverage("kubernetes-audit", 7, {"api": 7}, at(-30), at(66.9)),
        SourceCoverage("azure", 3, {"cloud": 3}, at(420.5), at(2014.3)),
    )
)


def breach() -> Reconstruction:
    """The breach and nothing else."""
    return Reconstruction((breach_story(),), _COVERAGE, Counts(records=238, events=238))


def nothing() -> Reconstruction:
    """Nothing to tell."""
    return Reconstruction(
        (), replace(_COVERAGE, sources=_COVERAGE.sources[:1]), Counts(records=86, events=86)
    )


def asked_about() -> Reconstruction:
    """An identity that somebody asked for and that no pod can be joined to."""
    story = replace(
        breach_story(),
        id="00aa",
        title=f"identity {_CLIENT}",
        asked=f"identity {_CLIENT}",
        verdict=None,
        score=0,
        incidents=(),
        pod=None,
        workload="",
        image="",
        service_account="",
        summary=(),
        marks=(replace(_MARKS[10], stage=None, signal="", techniques=()),),
        domains=(),
        identities=(replace(_IDENTITIES[1], taken_at="", taken_by="", state=IdentityState.EXPOSED),),
        exposed=(),
        elsewhere=(),
        rotate=(),
        why=(),
        records=(),
    )
    return replace(breach(), stories=(story,))


def crowd() -> Reconstruction:
    """A long chain, with many marks, identities and pods, and lesser stories beside it."""
    first = breach_story()
    marks = [
        replace(_MARKS[3 + number % 7], id=f"c{number}", offset_s=number * 2.5, at=at(number * 2.5))
        for number in range(1, 400)
    ]
    identities = [
        replace(_IDENTITIES[2], entity=f"secret:{number}", name=f"ml/secret-{number}") for number in range(40)
    ]
    sightings = [replace(_ELSEWHERE[0], pod=f"inference-{number}", uid=f"u-{number}") for number in range(60)]
    long = replace(
        first,
        marks=(_MARKS[2], *marks),
        identities=(*_IDENTITIES, *identities),
        elsewhere=tuple(sightings),
        rotate=tuple(replace(_ROTATE[2], order=number) for number in range(1, 41)),
        gaps=_GAPS * 10,
        left_out=1200,
    )
    lesser = [
        replace(asked_about().stories[0], id=f"s{number}", verdict=Verdict.WATCH, asked="")
        for number in range(3)
    ]
    return replace(breach(), stories=(*lesser, long))


def hostile() -> Reconstruction:
    """A story whose every name was chosen to lie to the reader."""
    story = breach_story()
    marks = tuple(replace(mark, title=HOSTILE, detail="/opt/" + HOSTILE + "x" * 600) for mark in _MARKS[:5])
    named = tuple(
        replace(item, name=HOSTILE, taken_by=HOSTILE, why=HOSTILE, kind="se\x1bcret") for item in _IDENTITIES
    )
    told = replace(
        story,
        title=HOSTILE,
        asked=HOSTILE,
        workload="w\tw",
        image="registry.example/\u2029ml:" + "x" * 300,
        pod=PodRef("\x00", "no\u200bde", "m\x7fl", "inference\n0", "\x1b"),
        summary=(HOSTILE, "A" * 2000),
        marks=marks,
        identities=named,
        rotate=(
            replace(
                _ROTATE[0],
                what=HOSTILE,
                why=HOSTILE,
                commands=(HOSTILE, line("rm", operands=[HOSTILE.replace("\ud800", "")])),
            ),
        ),
        gaps=(Gap("u\x1b", HOSTILE, HOSTILE),),
        domains=("cl\x08oud",),
        why=(Reason(25, HOSTILE, Basis.MEASURED),),
    )
    return replace(breach(), stories=(told,))
