"""Which counts are of which cluster: what names no cluster is put where it can only belong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, field

from eightysix.model.visibility import Witness
from eightysix.model.words import Source
from eightysix.sources.survey.census import Census, Place, Pod, Rhythm, Tally

__all__ = ["Cluster", "Counted", "Estate", "estate_of", "kinds_of", "of_cluster"]

_OF_CLUSTERS = (Witness.KERNEL, Witness.SENSOR, Witness.AUDIT, Witness.NAMES)


class Counted(Struct, frozen=True):
    """What one log told of one place."""

    place: Place
    tally: Tally


class Cluster(Struct):
    """One cluster. `nodes` are all that anybody names; `alive` is when the API server heard each of them."""

    name: str
    counted: list[Counted] = field(default_factory=list)
    pods: list[Pod] = field(default_factory=list)
    alive: dict[str, Rhythm] = field(default_factory=dict)
    nodes: tuple[str, ...] = ()

    def of(self, *witnesses: Witness) -> list[Counted]:
        """What these witnesses told."""
        return [one for one in self.counted if one.tally.witness in witnesses]

    def feeds(self, *names: str) -> list[Counted]:
        """What these logs told."""
        return [one for one in self.counted if one.place.feed in names]

    @property
    def last_ns(self) -> int:
        """The latest that anybody told of it."""
        return max((one.tally.last_ns for one in self.counted), default=0)

    @property
    def first_ns(self) -> int:
        """The earliest that anybody told of it."""
        return min((one.tally.first_ns for one in self.counted if one.tally.first_ns), default=0)


def of_cluster(cloud: Iterable[Counted], cluster: Cluster) -> list[Counted]:
    """What of the cloud's logs tells of a cluster: all but what names another one."""
    return [one for one in cloud if one.place.cluster.lower() in ("", cluster.name.lower())]


class Estate(Struct):
    """All clusters, and the logs of no single one. `joined` are logs without a cluster that were put to the only one."""

    clusters: list[Cluster]
    cloud: list[Counted]
    joined: tuple[str, ...] = ()


def estate_of(census: Census) -> Estate:
    """Sort the counts by cluster.

    Names of clusters that differ in case alone are one: Azure writes the same name in either. Where there is one name, what
    names none is of it; where there are several, a node that only one of them has decides, and else it stays unnamed.
    """
    names = _names(census)
    of_node = _nodes(census)
    clusters: dict[str, Cluster] = {}
    joined: set[str] = set()

    def of(cluster: str, node: str, what: str) -> Cluster:
        key = cluster.lower()
        if not key:
            known = of_node.get(node, set())
            if len(names) == 1:
                key = next(iter(names))
                joined.add(what)
            elif len(known) == 1:
                key = next(iter(known))
        found = clusters.get(key)
        if found is None:
            found = clusters[key] = Cluster(names.get(key, ""))
        return found

    cloud: list[Counted] = []
    for place, tally in sorted(census.tallies.items()):
        if tally.witness not in _OF_CLUSTERS:
            cloud.append(Counted(place, tally))
            if place.cluster:
                of(place.cluster, "", "")
            continue
        of(place.cluster, place.node, place.feed).counted.append(Counted(place, tally))
    for (name, node), rhythm in sorted(census.alive.items()):
        of(name, node, "").alive[node] = rhythm
    for (name, _), pod in sorted(census.pods.items()):
        of(name, pod.node, "").pods.append(pod)
    for one in clusters.values():
        nodes = {item.place.node for item in one.counted} | one.alive.keys()
        one.nodes = tuple(sorted(nodes - {""}))
        one.pods = list(_merged(one.pods))
    if cloud and not clusters:
        clusters[""] = Cluster("")  # nothing of any cluster arrives: that is what there is to tell of it
    ordered = [clusters[key] for key in sorted(clusters)]
    return Estate(ordered, cloud, tuple(sorted(joined - {""})))


def _names(census: Census) -> Mapping[str, str]:
    """By name in small letters, the name as it is shown: the first by spelling, capitals first."""
    names: dict[str, str] = {}
    for name in sorted({place.cluster for place in census.tallies}):
        if name:
            names.setdefault(name.lower(), name)
    return names


def _nodes(census: Census) -> Mapping[str, set[str]]:
    """By node, the clusters that have it."""
    found: dict[str, set[str]] = {}
    for place in census.tallies:
        if place.node and place.cluster:
            found.setdefault(place.node, set()).add(place.cluster.lower())
    return found


def _merged(pods: Iterable[Pod]) -> Iterator[Pod]:
    """One pod for each namespace, name and node: a record without uid and one with it are of the same."""
    found: dict[tuple[str, str, str], Pod] = {}
    for pod in pods:
        key = (pod.namespace, pod.name, pod.node)
        known = found.get(key) if pod.name else None
        if known is None:
            one = Pod(*(getattr(pod, name) for name in Pod.__struct_fields__))
            found[key if pod.name else (*key[:2], f"{pod.node}#{len(found)}")] = one
            continue
        known.kernel |= pod.kernel
        known.python |= pod.python
        known.sensor |= pod.sensor
        known.workload = known.workload or pod.workload
        known.workload_kind = known.workload_kind or pod.workload_kind
    yield from found.values()


def kinds_of(counted: Iterable[Counted]) -> dict[Source, dict[str, int]]:
    """Kinds of records by source, as the needs of rules are judged by them."""
    found: dict[Source, dict[str, int]] = {}
    for one in counted:
        kinds = found.setdefault(Source(one.tally.source), {})
        for kind, number in one.tally.kinds.items():
            kinds[kind] = kinds.get(kind, 0) + number
    return found
