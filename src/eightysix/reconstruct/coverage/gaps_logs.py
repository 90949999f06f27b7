"""Gaps of sensors, the audit log, the cloud's logs, and names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eightysix.model.visibility import Certainty, Gap, Importance, Witness
from eightysix.model.words import Stage
from eightysix.reconstruct.coverage import fixes
from eightysix.reconstruct.coverage.estate import Cluster, Counted, of_cluster
from eightysix.reconstruct.coverage.gap import counted, gap, listed, share
from eightysix.reconstruct.coverage.gaps_kernel import MANY
from eightysix.reconstruct.coverage.sight import PROCESS_TABLES, arriving, python_pods, reads
from eightysix.sources.survey.audit import ADMIN, DEFENDER_AUDIT, FULL
from eightysix.sources.survey.azure import (
    ACTIVITY,
    KEY_VAULT,
    LOGINS,
    MANAGED,
    PRINCIPALS,
    REPOSITORY,
    STORAGE,
)

__all__ = ["audit_gaps", "cloud_gaps", "name_gaps", "sensor_gaps"]

_OF_AZURE = (FULL, ADMIN, DEFENDER_AUDIT)
_SENSOR_STAGES = (Stage.LAND, Stage.RUN, Stage.REACH, Stage.PIVOT, Stage.LEAVE)


def sensor_gaps(cluster: Cluster) -> Iterator[Gap]:
    """Pods with Python of whose code nobody tells."""
    told = [one for one in cluster.of(Witness.SENSOR) if one.tally.records]
    known, having = python_pods(cluster)
    without = [
        pod for pod in cluster.pods if pod.python and not pod.sensor and pod.namespace != "kube-system"
    ]
    patched = [pod for pod in without if pod.workload and pod.workload_kind in fixes.PATCHED]
    pod = min(patched, key=lambda one: (one.namespace, one.workload), default=None)
    nobodys = sum(one.tally.unattributed for one in told)
    fix = fixes.sensor(
        pod.namespace if pod else "",
        pod.workload if pod else "",
        pod.workload_kind if pod else "",
        receiver=bool(told),
    )
    places = {f"{one.namespace}/{one.name}" for one in without}
    if not told:
        who = f"{counted(known, 'pod')} with Python, and no" if known else "No"
        yield gap(
            "sensor-absent",
            Importance.PART,
            Certainty.ABSENT,
            cluster.name,
            "no sensor in any pod",
            f"{who} record of a sensor. Whose code acts inside a process, what a running server imports and the path of a"
            " metadata call are then unseen.",
            stages=_SENSOR_STAGES,
            fix=fix,
            places=places,
        )
        return
    if without:
        yield gap(
            "sensor-missing",
            Importance.PART,
            Certainty.OPEN if nobodys else Certainty.SHOWN,
            cluster.name,
            f"{counted(len(without), 'pod')} with Python and no sensor",
            f"{listed(places)}; {having} of {known} have one."
            + (
                f" But {counted(nobodys, 'record')} of sensors name no pod, and may be theirs."
                if nobodys
                else ""
            ),
            stages=_SENSOR_STAGES,
            fix=fix,
            places=places,
        )
    lost = {name: number for one in told for name, number in one.tally.lost.items()}
    if any(lost.values()):
        total = sum(sum(one.tally.lost.values()) for one in told)
        nodes = {one.place.node for one in told if one.tally.lost} - {""}
        yield gap(
            "sensor-loss",
            Importance.PART,
            Certainty.SHOWN,
            cluster.name,
            f"{counted(total, 'gap')} in what sensors tell",
            "By the word of receivers and sensors: "
            + ", ".join(sorted(lost))
            + ". A gap after a chain began is a signal"
            " of its own.",
            stages=_SENSOR_STAGES,
            fix=fixes.look_at_receiver(min(nodes, default="")),
            places=nodes,
        )
    if nobodys:
        of = sum(one.tally.of for one in told)
        yield gap(
            "sensor-unattributed",
            Importance.PART,
            Certainty.SHOWN,
            cluster.name,
            f"{share(nobodys, of)} of the sensors' records name no pod",
            f"{nobodys:,} of {of:,}: they came past the receiver, which adds the pod. detect reads them with --pod.",
            stages=_SENSOR_STAGES,
            fix=fixes.look_at_receiver(""),
        )


def audit_gaps(cluster: Cluster) -> Iterator[Gap]:
    """What the audit log does not tell."""
    told = [one for one in cluster.of(Witness.AUDIT) if one.tally.kinds.get("api")]
    azure = not told or any(one.place.feed in _OF_AZURE for one in told)
    if not told:
        yield gap(
            "audit-absent",
            Importance.BLIND,
            Certainty.ABSENT,
            cluster.name,
            "no audit log of the Kubernetes API",
            "What a stolen service account token does is in no other record: the kernel sees a connection, not what is asked.",
            stages=(Stage.REACH, Stage.PIVOT, Stage.LEAVE, Stage.USE),
            fix=fixes.cloud("aks-audit"),
        )
        return
    if not reads(cluster):
        yield _no_reads(cluster, told)
    facts: dict[str, int] = {}
    for one in told:
        for name, number in one.tally.facts.items():
            facts[name] = facts.get(name, 0) + number
    requests = sum(one.tally.kinds.get("api", 0) for one in told)
    of = sum(one.tally.of for one in told)
    unbound = sum(one.tally.unattributed for one in told)
    if of and not facts.get("token ids"):
        yield gap(
            "audit-token-ids",
            Importance.NOTE,
            Certainty.SHOWN,
            cluster.name,
            "requests do not say which token they were made with",
            f"None of {counted(of, 'request')} by service accounts has a credential id (Kubernetes 1.30 and later have it), so"
            " one token is told from another by its pod alone.",
            stages=(Stage.PIVOT, Stage.USE),
            fix=fixes.own_audit() if not azure else fixes.cloud("aks-audit"),
        )
    if unbound and unbound < of:
        yield gap(
            "audit-unbound",
            Importance.NOTE,
            Certainty.SHOWN,
            cluster.name,
            f"{share(unbound, of)} of the requests by service accounts name no pod",
            f"{unbound:,} of {of:,}: long-lived tokens of secrets, and tokens that were asked for without a pod. They are joined"
            " to a pod only if it minted the token.",
            stages=(Stage.PIVOT, Stage.USE),
            fix=fixes.own_audit() if not azure else fixes.cloud("aks-audit"),
        )
    if requests and not facts.get("bodies") and not facts.get("bodies untold"):
        yield gap(
            "audit-bodies",
            Importance.NOTE,
            Certainty.SHOWN,
            cluster.name,
            "requests come without what was asked",
            "Level Metadata: what of the node a new pod asks for, and a service account's client id, are not in it."
            + (" On AKS the policy cannot be changed." if azure else ""),
            stages=(Stage.PIVOT, Stage.USE),
            fix=fixes.own_audit(),
        )


def _no_reads(cluster: Cluster, told: Sequence[Counted]) -> Gap:
    admin = all(one.place.feed == ADMIN for one in told)
    azure = any(one.place.feed in _OF_AZURE for one in told)
    requests = sum(one.tally.kinds.get("api", 0) for one in told)
    return gap(
        "audit-admin-only" if admin else "audit-no-reads",
        Importance.PART,
        Certainty.SHOWN if admin or requests >= MANY else Certainty.OPEN,
        cluster.name,
        "kube-audit-admin alone: no read of a secret is in it"
        if admin
        else "no get and no list in the audit log",
        f"{counted(requests, 'request')}, none of them a get or a list"
        + (
            ": that category leaves them out, and kubectl exec (a get since 1.31) with them."
            if admin
            else ". An API server has thousands an hour: a policy, or an export, leaves them out."
            if requests >= MANY
            else ". So few can be chance: whether reads are logged is not known."
        ),
        stages=(Stage.PIVOT, Stage.USE),
        fix=fixes.cloud("aks-audit") if azure else fixes.own_audit(),
        places=(one.place.feed for one in told),
    )


_CLOUD: tuple[tuple[str, str, tuple[str, ...], str, str, tuple[Stage, ...]], ...] = (
    (
        "sign-ins-absent",
        "sign-ins",
        (MANAGED, PRINCIPALS),
        "sign-ins of identities",
        "That a token was issued, to which identity and for what, is in no other log.",
        (Stage.REACH, Stage.PIVOT),
    ),
    (
        "activity-absent",
        "activity",
        (ACTIVITY,),
        "the activity log",
        "What a stolen cloud identity does at Azure Resource Manager, and from where, is in no other log.",
        (Stage.LEAVE, Stage.USE),
    ),
    (
        "key-vault-absent",
        "key-vault",
        (KEY_VAULT,),
        "Key Vault's log",
        "Which secrets were read with a stolen identity, so which to rotate, is in no other log.",
        (Stage.LEAVE, Stage.USE),
    ),
    (
        "storage-absent",
        "storage",
        (STORAGE,),
        "logs of storage",
        "Blobs that were read or written (models among them) are in no other log.",
        (Stage.LEAVE, Stage.USE),
    ),
    (
        "registry-absent",
        "registry",
        (LOGINS, REPOSITORY),
        "the registry's log",
        "A tag that moves to another digest, and pushes with a stolen credential, are in no other log.",
        (Stage.LAND, Stage.PIVOT, Stage.USE),
    ),
)
"""Name, file in deploy/azure, what must arrive, its words, what is lost without it, its stages."""


def cloud_gaps(cloud: Sequence[Counted], clusters: Sequence[Cluster]) -> Iterator[Gap]:
    """What the provider's logs do not tell."""
    came = set(arriving(cloud))
    for name, file, wanted, what, lost, stages in _CLOUD:
        missing = [one for one in wanted if one not in came]
        if not missing:
            continue
        some = len(missing) < len(wanted)
        yield gap(
            name,
            Importance.PART,
            Certainty.ABSENT,
            "",
            f"{what}: no {missing[0]}" if some else f"nothing of {what}",
            lost if not some else f"{listed(set(wanted) - set(missing))} arrives. {lost}",
            stages=stages,
            fix=fixes.cloud(file),
            places=missing,
        )
    for one in clusters:
        tables = {c.place.feed for c in of_cluster(cloud, one) if c.tally.records}.intersection(
            PROCESS_TABLES
        )
        if not tables or any(c.tally.kinds.get("connect") for c in one.of(Witness.KERNEL)):
            continue
        yield gap(
            "defender-no-network",
            Importance.PART,
            Certainty.SHOWN,
            one.name,
            "Defender's process table has no network",
            f"{listed(tables)} tells of programs and no connection, in no column and no other table of Defender's sensor for"
            " containers: an install is in it, the call for the credential is not.",
            stages=(Stage.REACH, Stage.PIVOT, Stage.LEAVE),
            fix=fixes.connections(falco=False),
            places=tables,
        )


def name_gaps(cluster: Cluster) -> Iterator[Gap]:
    """Names of destinations."""
    told = [one for one in cluster.of(Witness.NAMES) if one.tally.records]
    if any(one.tally.kinds.get("answer") for one in told):
        return
    questions = sum(one.tally.kinds.get("question", 0) for one in told)
    yield gap(
        "names-questions-only" if questions else "names-absent",
        Importance.NOTE,
        Certainty.SHOWN if questions else Certainty.ABSENT,
        cluster.name,
        "names that were asked for, and no answers" if questions else "no names of destinations",
        (
            f"{counted(questions, 'question')}: which address a name stood for is not in CoreDNS's log. "
            if questions
            else ""
        )
        + "Storage accounts of one stamp share an address: which of them data went to only an answer tells.",
        stages=(Stage.LEAVE,),
        fix=fixes.names(),
    )
