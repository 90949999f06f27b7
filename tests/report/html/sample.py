"""Stories that were written by hand, near those of recorded runs: one breach, the same with noise, and many marks."""

from __future__ import annotations

import json

from msgspec import structs

from eightysix.model.attribution import Attribution, Candidate
from eightysix.model.incident import (
    Counts,
    Coverage,
    Evidence,
    Problem,
    Reason,
    RuleCoverage,
    SourceCoverage,
)
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
from tests.report.recorded_run import IMAGE, NAME, NOVELTY, POD, T0, TAKER, WHY, at, by_token, seen

__all__ = ["T0", "at", "breach", "crowd", "reconstruction", "several"]

LEARN = "https://learn.microsoft.com/azure/"


PACKAGE = Entity(
    "package:torch-perf-utils==1.4.3",
    EntityKind.PACKAGE,
    "torch-perf-utils==1.4.3",
    "landed",
    {"version": "1.4.3", "index": "https://pypi.org/simple", "age": "3 h"},
)
SERVER = Entity(
    "process:server", EntityKind.PROCESS, "python /app/server.py", "", {"pid": "1", "uid": "1000"}
)
PIP = Entity(
    "process:pip",
    EntityKind.PROCESS,
    "python -m pip install --quiet --upgrade torch-perf-utils",
    "",
    {"pid": "219"},
)
THE_POD = Entity("pod:ml/inference-0", EntityKind.POD, NAME, "", {"node": POD.node, "cluster": POD.cluster})
ACCOUNT = Entity(
    "identity:sa:ml/inference-sa",
    EntityKind.IDENTITY,
    "service account ml/inference-sa",
    "used",
    {"domain": "cluster"},
)
MANAGED = Entity(
    "identity:mi:inference",
    EntityKind.IDENTITY,
    "managed identity id-inference-prod",
    "used",
    {"client id": "7f2b1c7e-2a3d-4d39-9c0e-5f1c2a9d8e01", "domain": "cloud"},
)
PUSHER = Entity(
    "secret:ml/acr-push-sp", EntityKind.SECRET, "secret ml/acr-push-sp", "taken", {"namespace": "ml"}
)
ALL_SECRETS = Entity("resource:ml/secrets", EntityKind.RESOURCE, "secrets of namespace ml", "", {})
VAULT = Entity(
    "resource:kv-ml-prod",
    EntityKind.RESOURCE,
    "key vault kv-ml-prod",
    "",
    {"type": "Microsoft.KeyVault/vaults"},
)
OUTSIDE = Entity(
    "destination:203.0.113.10",
    EntityKind.DESTINATION,
    "telemetry.perf-utils.example",
    "new",
    {"address": "203.0.113.10"},
)
ENTITIES = (THE_POD, PACKAGE, PIP, SERVER, ACCOUNT, MANAGED, PUSHER, ALL_SECRETS, VAULT, OUTSIDE)

SURE = Attribution(
    Grade.B, Origin.KERNEL, "exec-id", True, (Candidate(NAME, POD.uid, 1.0, "the kernel named the pod"),)
)
SHARED = Attribution(
    Grade.E,
    Origin.PROVIDER,
    "node-identity+time",
    False,
    (
        Candidate(NAME, POD.uid, 0.55, "asked the metadata service 0.4 s before the sign-in"),
        Candidate("ml/embedder-6d9f7-x2x9p", "uid-2", 0.3, "runs on the same node pool, asked 4 s before"),
        Candidate("monitoring/node-exporter-9k2lf", "uid-3", 0.1, "runs on the same node pool"),
    ),
    2,
    "managed identity rows carry no address: pods that share the node's identity are candidates",
)


def mark(
    number: int,
    offset: float,
    lane: Lane,
    stage: Stage | None,
    title: str,
    detail: str = "",
    *,
    grade: Grade = Grade.A,
    origin: Origin = Origin.KERNEL,
    outcome: Outcome = Outcome.ALLOWED,
    actor: Entity | None = None,
    subject: Entity | None = None,
    source: str = "tetragon",
    count: int = 1,
    until: float | None = None,
    attribution: Attribution | None = None,
) -> Mark:
    """A mark at `offset` seconds, whose evidence is line `number` of `source`."""
    return Mark(
        id=f"m{number}",
        at=at(offset),
        until="" if until is None else at(until),
        offset_s=offset,
        lane=lane,
        stage=stage,
        title=title,
        detail=detail,
        grade=grade,
        origin=origin,
        outcome=outcome,
        actor=actor.id if actor else "",
        subject=subject.id if subject else "",
        pod=NAME,
        signal="",
        count=count,
        evidence=seen(source, number),
        attribution=attribution,
    )


K, C, P, S = Origin.KERNEL, Origin.CONTROL_PLANE, Origin.PROVIDER, Origin.SUSPECT
MARKS = (
    mark(7, -31.2, Lane.PROCESS, None, "the server starts", "python /app/server.py", actor=SERVER),
    mark(19, -12.5, Lane.CONTROL_PLANE, None, "readiness is asked", "GET /healthz", source="kubernetes-audit", origin=C, grade=Grade.C),
    mark(42, 0.0, Lane.PACKAGE, Stage.LAND, "package installed in the running container",
         "python -m pip install --quiet --upgrade torch-perf-utils: torch-perf-utils==1.4.3", actor=PIP, subject=PACKAGE, count=5, until=0.6),
    mark(122, 0.7, Lane.PROCESS, Stage.RUN, "code that landed runs", "torch_perf_utils/__init__.py in python /app/server.py",
         origin=S, actor=SERVER, subject=PACKAGE, source="sensor"),
    mark(60, 9.4, Lane.PROCESS, None, "a name is looked up", "telemetry.perf-utils.example", actor=SERVER, subject=OUTSIDE),
    mark(78, 38.0, Lane.IDENTITY, Stage.REACH, "first credential after the install", "169.254.169.254:80 /metadata/identity/oauth2/token",
         actor=SERVER, subject=MANAGED, count=3),
    mark(130, 38.1, Lane.IDENTITY, Stage.REACH, "the metadata service is asked for a token", "resource=https://vault.azure.net",
         origin=S, actor=SERVER, subject=MANAGED, source="sensor"),
    mark(3, 39.6, Lane.CONTROL_PLANE, Stage.USE, "managed identity signs in", "Azure Key Vault", origin=P, grade=Grade.E,
         actor=MANAGED, subject=VAULT, source="azure", attribution=SHARED),
    mark(79, 57.6, Lane.IDENTITY, Stage.PIVOT, "second credential domain by the same process",
         "/var/run/secrets/kubernetes.io/serviceaccount/token", actor=SERVER, subject=ACCOUNT, count=2),
    mark(82, 58.4, Lane.PROCESS, Stage.PIVOT, "the Kubernetes API is used", "10.96.0.1:443 (kubernetes.default.svc)", actor=SERVER, count=4),
    mark(5, 58.4, Lane.CONTROL_PLANE, Stage.PIVOT, "secrets are listed", "list ml/secrets", origin=C, grade=Grade.C, actor=ACCOUNT,
         subject=ALL_SECRETS, source="kubernetes-audit"),
    mark(6, 66.9, Lane.CONTROL_PLANE, Stage.PIVOT, "a secret is read", "get ml/secrets/acr-push-sp", origin=C, grade=Grade.C,
         actor=ACCOUNT, subject=PUSHER, source="kubernetes-audit"),
    mark(8, 71.3, Lane.CONTROL_PLANE, Stage.PIVOT, "pods are made", "create ml/pods", origin=C, grade=Grade.C, actor=ACCOUNT,
         outcome=Outcome.DENIED, source="kubernetes-audit"),
    mark(85, 85.7, Lane.PROCESS, Stage.LEAVE, "a destination that this container never contacted before",
         "203.0.113.10:80 (telemetry.perf-utils.example)", actor=SERVER, subject=OUTSIDE, count=4),
    mark(142, 85.7, Lane.PROCESS, Stage.LEAVE, "data is sent to a new destination", "POST telemetry.perf-utils.example",
         origin=S, actor=SERVER, subject=OUTSIDE, source="sensor"),
    mark(12, 412.0, Lane.CONTROL_PLANE, Stage.USE, "a registry is signed in to from outside", "acrmlprod.azurecr.io from 198.51.100.77",
         origin=P, grade=Grade.D, actor=PUSHER, source="azure"),
)  # fmt: skip


def link(
    source: Entity,
    target: Entity,
    kind: LinkKind,
    offset: float,
    *,
    grade: Grade = Grade.A,
    origin: Origin = K,
    key: str = "exec-id",
) -> Link:
    """What `source` did to `target`."""
    return Link(source.id, target.id, kind, at(offset), grade, origin, key, seen("tetragon", 42))


LINKS = (
    link(PACKAGE, THE_POD, LinkKind.LANDED, 0.0),
    link(THE_POD, PIP, LinkKind.RAN, 0.0),
    link(THE_POD, SERVER, LinkKind.RAN, -31.2),
    link(PACKAGE, SERVER, LinkKind.RAN, 0.7, origin=S),
    link(SERVER, MANAGED, LinkKind.TOOK, 38.0),
    link(SERVER, ACCOUNT, LinkKind.TOOK, 57.6),
    link(MANAGED, VAULT, LinkKind.ASKED, 39.6, grade=Grade.E, origin=P, key="node-identity+time"),
    link(ACCOUNT, ALL_SECRETS, LinkKind.ASKED, 58.4, grade=Grade.C, origin=C, key="credential-id"),
    link(ACCOUNT, PUSHER, LinkKind.TOOK, 66.9, grade=Grade.C, origin=C, key="credential-id"),
    link(SERVER, OUTSIDE, LinkKind.SENT, 85.7),
)


def use(
    offset: float, service: str, operation: str, target: str, attribution: Attribution, **more: object
) -> Use:
    """One use of an identity."""
    given = {
        "source_ip": "",
        "user_agent": "",
        "outcome": Outcome.ALLOWED,
        "foreign": None,
        "credential_id": "",
        **more,
    }
    return Use(at=at(offset), offset_s=offset, service=service, operation=operation, target=target, after=offset > 38,
               attribution=attribution, evidence=seen("kubernetes-audit", 5), **given)  # type: ignore[arg-type]  # fmt: skip


BY_TOKEN = by_token("credential-id", "the token was issued to this pod")
IDENTITIES = (
    IdentityStory(
        MANAGED.id, "managed-identity", "id-inference-prod", ("7f2b1c7e-2a3d-4d39-9c0e-5f1c2a9d8e01", "c1f5e1ad-0000-4000-8000-000000000001"),
        "cloud", IdentityState.USED, at(38.0), TAKER, Grade.A, K,
        (use(39.6, "sign-in", "Sign-in activity", "Azure Key Vault", SHARED), use(41.0, "key-vault", "SecretGet", "kv-ml-prod/openai-key", SHARED, user_agent="python-requests/2.32", source_ip="20.31.4.9", foreign=False)),
        3,
        Revocation(False, "Issued tokens stay valid: cut the role assignments of the identity, then wait for them to run out.", at(86400), LEARN + "managed-identities"),
        "two credentials of two domains were taken by one process",
    ),
    IdentityStory(
        ACCOUNT.id, "service-account", "ml/inference-sa", ("system:serviceaccount:ml:inference-sa",), "cluster", IdentityState.USED, at(57.6),
        TAKER, Grade.A, K,
        (use(58.4, "kubernetes", "list", "ml/secrets", BY_TOKEN, credential_id="JTI=4d6a", user_agent="python-urllib/3.11", source_ip="10.244.0.17", foreign=False),
         use(66.9, "kubernetes", "get", "ml/secrets/acr-push-sp", BY_TOKEN, credential_id="JTI=4d6a", source_ip="10.244.0.17", foreign=False),
         use(71.3, "kubernetes", "create", "ml/pods", BY_TOKEN, outcome=Outcome.DENIED, credential_id="JTI=4d6a")),
        41,
        Revocation(True, "Delete the pod: its bound token dies with it.", at(3600), LEARN + "aks/concepts-identity"),
    ),
    IdentityStory(
        PUSHER.id, "secret", "ml/acr-push-sp", (), "delivery", IdentityState.TAKEN, at(66.9), "service account ml/inference-sa", Grade.C, C,
        (use(412.0, "registry", "Login", "acrmlprod.azurecr.io", Attribution(Grade.F, P, "", False, (), 0, "an address alone"), source_ip="198.51.100.77", foreign=True),),
        0,
        Revocation(True, "Remove the client secret; then revoke sign-in sessions.", "", LEARN + "active-directory"),
    ),
)  # fmt: skip
EXPOSED = (
    IdentityStory(
        "", "environment", "OPENAI_API_KEY", (), "llm", IdentityState.EXPOSED, "", "", Grade.A, S, (), 0,
        Revocation(True, "Delete the key at the provider.", "", ""), "it stood in the environment of tainted code",
    ),
)  # fmt: skip

ROTATE = (
    Rotation(1, "Cut the role assignments of id-inference-prod", "issued tokens cannot be revoked, and it read a vault",
             ("az role assignment list --assignee 7f2b1c7e-2a3d-4d39-9c0e-5f1c2a9d8e01 --all -o tsv --query '[].id'",
              "az role assignment delete --ids \"$ID\""), MANAGED.id),
    Rotation(2, "Replace the secret ml/acr-push-sp", "it was read at T+66.9 and used from outside",
             ("az ad app credential reset --id 'acr-push-sp'", "kubectl -n ml delete secret acr-push-sp"), PUSHER.id),
    Rotation(3, "Delete pod ml/inference-0 after its evidence was kept", "its bound service account token dies with it",
             ("kubectl -n ml delete pod inference-0",), ACCOUNT.id),
    Rotation(4, "Replace OPENAI_API_KEY", "it was exposed, nobody saw it taken", ()),
)  # fmt: skip
GAPS = (
    NOVELTY,
    Gap("reach", "which identity the metadata service handed out: cloud logs tell of one that is declared, not whether it was this one",
        "deploy/sensor: the client id of a token request"),
    Gap("leave", "who is behind 203.0.113.10: no DNS answer was read, so the address is judged", "deploy/coredns: log plugin"),
    Gap("use", "no activity log and no storage log was read: what the identity did there nobody saw", "az monitor diagnostic-settings create --name eightysix"),
)  # fmt: skip


def _record(evidence: Evidence) -> Record:
    body = {
        "process_kprobe": {"process": {"exec_id": "YWtz", "binary": "/usr/bin/python3.11", "pod": {"namespace": "ml", "name": "inference-0"}},
                           "function_name": "tcp_connect", "args": [{"sock_arg": {"daddr": "169.254.169.254", "dport": 80}}]},
        "node_name": POD.node, "time": at(evidence.line / 2),
    }  # fmt: skip
    if evidence.source == "kubernetes-audit":
        body = {
            "kind": "Event",
            "auditID": "7e0c71a4-7ca9-4a5b-8a52-000000000005",
            "verb": "list",
            "objectRef": {"resource": "secrets", "namespace": "ml"},
        }
    return Record(evidence, json.dumps(body))


def breach(marks: tuple[Mark, ...] = MARKS) -> Story:
    """The story of the recorded run `attack-86s`, with what cloud logs would add."""
    return Story(
        id="1b9c93e6489b21f7", revision="r3", title="Install, then a second identity", asked="", verdict=Verdict.CONTAIN, score=135,
        incidents=("1b9c93e6489b21f7",), pod=POD, workload="ml/inference", image=IMAGE,
        service_account="ml/inference-sa", t0=at(0), first=marks[0].at if marks else "", last=marks[-1].at if marks else "",
        summary=(
            "torch-perf-utils==1.4.3 was installed in the running container of ml/inference-0; the server imported it 0.7 s later.",
            "38 s after landing its code took a token of managed identity id-inference-prod, 57.6 s after landing the service account's.",
            "With these it listed the secrets of ml, read acr-push-sp and a key of kv-ml-prod.",
            "85.7 s after landing it sent data to telemetry.perf-utils.example, where this container had never been.",
            "acr-push-sp was used from 198.51.100.77 six minutes later.",
        ),
        marks=marks, entities=ENTITIES, links=LINKS, domains=("cloud", "cluster", "delivery"), identities=IDENTITIES, exposed=EXPOSED,
        elsewhere=(
            Sighting("torch-perf-utils==1.4.3", "aks-ml-prod", "aks-cpu-1", "ml", "embedder-6d9f7-x2x9p", "uid-2", "installed", at(-7200), True, False, seen("tetragon", 3)),
            Sighting("torch-perf-utils==1.4.2", "aks-ml-test", "aks-cpu-0", "test", "trainer-0", "uid-9", "image", at(-864000), False, False, seen("tetragon", 4)),
        ),
        rotate=ROTATE,
        why=(*WHY, Reason(0, "code that landed runs", Basis.JUDGED)),
        gaps=GAPS, records=tuple(_record(one.evidence[0]) for one in marks[:200]),
    )  # fmt: skip


def crowd(count: int) -> Story:
    """The breach among `count` other marks of its pod in half an hour."""
    noise = tuple(
        mark(1000 + index, -900 + 1800 * index / count, list(Lane)[index * 7 % 4], None, f"a file is opened {index % 97}",
             f"/usr/lib/python3.11/site-packages/torch/{index}.py", origin=K if index % 5 else S, actor=SERVER)
        for index in range(count)
    )  # fmt: skip
    marks = tuple(sorted(noise + MARKS, key=lambda one: one.offset_s))
    return structs.replace(breach(marks), records=())


COVERAGE = Coverage(
    (
        SourceCoverage("tetragon", 86, {"exec": 51, "connect": 35}, at(-900), at(600)),
        SourceCoverage("sensor", 142, {"import": 120, "http": 22}, at(-900), at(600)),
        SourceCoverage("kubernetes-audit", 7, {"api": 7}, at(-30), at(90)),
    ),
    (RuleCoverage("release-drift", False, ("baseline",), ("eightysix baseline build",)),),
    unattributed=4,
    problems=(Problem("recorded/attack-86s/run.json", 1, "unrecognised", "no source knows this record"),),
)


def reconstruction(*stories: Story) -> Reconstruction:
    """What `reconstruct` would tell of `stories`."""
    return Reconstruction(stories, COVERAGE, Counts(253, 237, 0, 0, 16, 0))


def several() -> Reconstruction:
    """A breach, one without a verdict that somebody asked for, and one of which hardly anything was seen."""
    asked = structs.replace(
        breach(MARKS[:9]),
        id="asked",
        verdict=None,
        score=0,
        asked="pod ml/embedder",
        title="What pod ml/embedder did",
    )
    bare = structs.replace(
        breach(()), id="bare", verdict=Verdict.WATCH, pod=None, t0="", summary=(), entities=(), links=(), identities=(),
        exposed=(), elsewhere=(), rotate=(), why=(), gaps=(), domains=(), image="", workload="", service_account="", title="Identity nobody saw",
    )  # fmt: skip
    return reconstruction(breach(), asked, bare)
