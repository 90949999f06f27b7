"""Gaps of what the kernels of a cluster's nodes tell."""

from __future__ import annotations

from collections.abc import Iterator

from eightysix.model.visibility import Certainty, Gap, Importance, Witness
from eightysix.model.words import Stage
from eightysix.reconstruct.coverage import fixes
from eightysix.reconstruct.coverage.estate import Cluster, Counted
from eightysix.reconstruct.coverage.gap import counted, gap, listed, share
from eightysix.reconstruct.coverage.shown import Shown, hooks_of, shown

__all__ = ["MANY", "kernel_gaps"]

MANY = 1_000
"""Records after which the absence of a kind is called more than chance. Judged: a node's own processes start hundreds of
programs an hour."""

UNATTRIBUTED = 0.05
"""Share of records of containers without a pod that is worth a word. Judged: 1 to 2 % come from pods that are just made."""

_KERNEL_STAGES = (Stage.LAND, Stage.RUN, Stage.REACH, Stage.PIVOT, Stage.LEAVE)


def kernel_gaps(cluster: Cluster) -> Iterator[Gap]:
    """Every gap of the kernel's witnesses."""
    told = [one for one in cluster.of(Witness.KERNEL) if one.tally.records]
    if not told:
        yield _nothing(cluster)
        return
    yield from _nodes(cluster, told)
    yield from _kinds(cluster, told)
    tetragon = cluster.feeds("tetragon")
    if any(one.tally.records for one in tetragon):
        yield from _host(cluster, tetragon)
        yield from _settings(cluster, tetragon)
    yield from _unattributed(cluster, told)
    yield from _lost(cluster, told)


def _is_falco(told: list[Counted]) -> bool:
    return all(one.place.feed == "falco" for one in told)


def _nothing(cluster: Cluster) -> Gap:
    return gap(
        "kernel-absent",
        Importance.BLIND,
        Certainty.ABSENT,
        cluster.name,
        "nothing from the kernel of any node",
        "No record of Tetragon or Falco. Programs, connections and files are unseen, but for what a sensor tells of itself;"
        " and who has no sensor is not known.",
        stages=_KERNEL_STAGES,
        fix=fixes.tetragon(),
        places=cluster.nodes,
    )


def _nodes(cluster: Cluster, told: list[Counted]) -> Iterator[Gap]:
    """Nodes that others name and whose kernel tells nothing."""
    telling = {one.place.node for one in told}
    silent = set(cluster.nodes) - telling
    if not silent:
        return
    alive = sorted(silent & cluster.alive.keys())
    witness = f" The API server hears the kubelets of {listed(alive)}." if alive else ""
    yield gap(
        "nodes-untold",
        Importance.BLIND,
        Certainty.SHOWN,
        cluster.name,
        f"{counted(len(silent), 'node')} whose kernel tells nothing",
        f"Others name {listed(silent)}; no record of Tetragon or Falco does.{witness}",
        stages=_KERNEL_STAGES,
        fix=fixes.look_at_node(min(silent), _is_falco(told)),
        places=silent,
    )


def _kinds(cluster: Cluster, told: list[Counted]) -> Iterator[Gap]:
    """Kinds of evidence that some node never gave."""
    by_node: dict[str, list[Counted]] = {}
    for one in told:
        by_node.setdefault(one.place.node, []).append(one)
    falco = _is_falco(told)
    for what, name, stages, fix in (
        (
            Shown.PROGRAMS,
            "programs-unseen",
            (Stage.LAND, Stage.RUN),
            fixes.tetragon_values("PROCESS_EXEC in tetragon.exportAllowList"),
        ),
        (
            Shown.CONNECTIONS,
            "connections-unseen",
            (Stage.REACH, Stage.PIVOT, Stage.LEAVE),
            fixes.connections(falco),
        ),
        (Shown.FILES, "files-unseen", (Stage.LAND, Stage.REACH, Stage.PIVOT), fixes.files(falco)),
    ):
        without = {node for node, places in by_node.items() if what not in shown(places)}
        if not without:
            continue
        records = sum(one.tally.records for one in told if one.place.node in without)
        likely = "A node does that all day: the hook is not loaded, or not exported." if records >= MANY else (
            "That few can be chance: whether the hook is there is not known."
        )  # fmt: skip
        everywhere = len(without) == len(by_node)
        yield gap(
            name,
            Importance.BLIND if everywhere else Importance.PART,
            Certainty.SHOWN if records >= MANY else Certainty.OPEN,
            cluster.name,
            f"no {what} from the kernel" + ("" if everywhere else f" of {counted(len(without), 'node')}"),
            f"None among {counted(records, 'record')} of {listed(without) or 'a node without a name'}. {likely}",
            stages=stages,
            fix=fix,
            places=without - {""},
        )
    yield from _metadata_only(cluster, told)


def _metadata_only(cluster: Cluster, told: list[Counted]) -> Iterator[Gap]:
    """Connections to metadata services alone: deploy/tetragon/metadata.yaml instead of connections.yaml."""
    tallies = [one.tally for one in told if one.place.feed == "tetragon"]
    connects = sum(tally.kinds.get("connect", 0) for tally in tallies)
    if not connects or any(tally.facts.get("elsewhere") for tally in tallies):
        return
    if not any(tally.hooks for tally in tallies):
        return  # counted from rows, which do not say where it went
    policies = {policy for policy, _ in hooks_of(told)}
    named = policies == {"eightysix-metadata"} or (
        "eightysix-metadata" in policies and "eightysix-connections" not in policies
    )
    yield gap(
        "connections-metadata-only",
        Importance.PART,
        Certainty.SHOWN if named else Certainty.OPEN,
        cluster.name,
        "connections to metadata services alone",
        f"All {counted(connects, 'connection')} go there. Where a stolen credential goes is then unseen, and no rule reaches"
        " contain from the kernel alone.",
        stages=(Stage.PIVOT, Stage.LEAVE),
        fix=fixes.connections(falco=False),
    )


def _host(cluster: Cluster, tetragon: list[Counted]) -> Iterator[Gap]:
    """What the chart's own deny list drops."""
    without = [one for one in tetragon if one.tally.records and not one.tally.facts.get("host")]
    if without:
        records = sum(one.tally.records for one in without)
        system = not any(one.tally.facts.get("kube-system") for one in without)
        unfound = not any(one.tally.unattributed for one in without)
        fits = " Nor is any of kube-system or without its pod: that is what the chart's default drops." if (
            system and unfound
        ) else ""  # fmt: skip
        yield gap(
            "host-unseen",
            Importance.PART,
            Certainty.SHOWN if records >= MANY else Certainty.OPEN,
            cluster.name,
            "no process of a node itself",
            f"None among {counted(records, 'record')}.{fits} A container that is left goes on unseen there, and so do"
            " forked workers and kubectl exec whose pod the agent did not find.",
            stages=(Stage.RUN, Stage.REACH, Stage.PIVOT),
            fix=fixes.tetragon_values('tetragon.exportDenyList: "" (the default drops the namespace "")'),
            places=(one.place.node for one in without if one.place.node),
        )
    functions = {function for _, function in hooks_of(tetragon)}
    known = any(one.tally.hooks for one in tetragon)
    if known and not any(function.endswith("setns") for function in functions):
        yield gap(
            "host-hooks-untold",
            Importance.NOTE,
            Certainty.OPEN,
            cluster.name,
            "no container that enters other namespaces",
            "No record of setns. That is rare: whether nobody did it or the policy is not loaded looks the same here.",
            stages=(Stage.RUN, Stage.PIVOT),
            fix=fixes.host_policy(),
        )


def _settings(cluster: Cluster, tetragon: list[Counted]) -> Iterator[Gap]:
    counted_here = [one for one in tetragon if one.tally.records and one.tally.hooks]
    if counted_here and not any(one.tally.facts.get("namespaces") for one in counted_here):
        yield gap(
            "namespaces-untold",
            Importance.NOTE,
            Certainty.SHOWN,
            cluster.name,
            "processes do not say which namespaces they are in",
            "A program of a pod that runs in the node's mount namespace has left its container; without this nobody sees it.",
            stages=(Stage.PIVOT,),
            fix=fixes.tetragon_values("tetragon.enableProcessNs: true"),
        )
    if not cluster.name:
        yield gap(
            "cluster-unnamed",
            Importance.NOTE,
            Certainty.SHOWN,
            cluster.name,
            "no record says of which cluster it is",
            "Pods of two clusters are told apart by uid alone, and audit logs are joined to whatever there is.",
            stages=(),
            fix=fixes.tetragon_values("tetragon.clusterName"),
        )


def _unattributed(cluster: Cluster, told: list[Counted]) -> Iterator[Gap]:
    """Records of containers that name no pod."""
    lost, of = sum(one.tally.unattributed for one in told), sum(one.tally.of for one in told)
    if not of or lost / of <= UNATTRIBUTED:
        return
    places = {one.place.node for one in told if one.tally.unattributed > UNATTRIBUTED * one.tally.of}
    falco = _is_falco(told)
    fix = (
        fixes.falco_pods()
        if falco
        else fixes.tetragon_values(
            "tetragon.exportDenyList and fieldFilters as they are there: process.pod stays"
        )
    )
    yield gap(
        "unattributed",
        Importance.PART,
        Certainty.SHOWN,
        cluster.name,
        f"{share(lost, of)} of what containers do belongs to no pod",
        f"{lost:,} of {of:,} records have a container and no pod. They are joined by the container's id where another record"
        " names it, and to the node alone where none does.",
        stages=_KERNEL_STAGES,
        fix=fix,
        places=places - {""},
    )


def _lost(cluster: Cluster, told: list[Counted]) -> Iterator[Gap]:
    """What the source itself says that it dropped."""
    for feed in ("tetragon", "falco"):
        losing = [one for one in told if one.place.feed == feed and any(one.tally.lost.values())]
        if not losing:
            continue
        why: dict[str, int] = {}
        for one in losing:
            for name, number in one.tally.lost.items():
                why[name] = why.get(name, 0) + number
        total = sum(why.values())
        yield gap(
            f"{feed}-drops",
            Importance.PART,
            Certainty.SHOWN,
            cluster.name,
            f"{feed.capitalize()} dropped {counted(total, 'event')}",
            "By its own word: "
            + ", ".join(f"{name} {number:,}" for name, number in sorted(why.items()))
            + ". What was"
            " dropped is nowhere else, and whoever makes noise decides what it is.",
            stages=_KERNEL_STAGES,
            fix=fixes.falco_drops()
            if feed == "falco"
            else fixes.tetragon_values("tetragon.exportRateLimit: -1, and no cgroup-rate"),
            places={one.place.node for one in losing} - {""},
        )
