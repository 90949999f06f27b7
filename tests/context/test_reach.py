"""Which workload of a posture a pod is, and what is told of it."""

from __future__ import annotations

import pytest

from eightysix.context.reach import (
    MAX_IDENTITIES,
    MAX_SINKS,
    Asked,
    Known,
    KnownCredential,
    KnownIdentity,
    KnownPath,
    KnownPod,
    KnownStep,
    Reaches,
    State,
)
from eightysix.model.words import IdentityState


def pod(name: str, kind: str = "Deployment", *, sinks: tuple[str, ...] = (), risk: float = 1.0) -> KnownPod:
    id_ = f"pod:ml/{name}" if kind == "Pod" else f"pod:ml/{kind}/{name}"
    mine = (KnownCredential(f"service-account:ml/{name}-sa"),)
    return KnownPod(id_, "ml", name, kind, 1, ("cluster",), sinks, risk, mine)


PODS = (
    pod("vllm", sinks=("sink:node",)),
    pod("vllm-router"),
    pod("runner", "StatefulSet"),
    pod("agent", "DaemonSet"),
    pod("retrain", "CronJob"),
    pod("once", "Job"),
    pod("lonely", "Pod"),
    pod("operated", "InferenceService"),
)
REACHES = Reaches(Known("aks", "2026-11-24T12:00:00Z", PODS))


@pytest.mark.parametrize(
    ("name", "workload"),
    [
        ("vllm-6d4cf56db6-x7k2p", "ml/Deployment/vllm"),
        ("vllm-router-6d4cf56db6-x7k2p", "ml/Deployment/vllm-router"),
        ("runner-0", "ml/StatefulSet/runner"),
        ("agent-x7k2p", "ml/DaemonSet/agent"),
        ("retrain-29400060-x7k2p", "ml/CronJob/retrain"),
        ("once-x7k2p", "ml/Job/once"),
        ("once-3-x7k2p", "ml/Job/once"),
        ("lonely", "ml/lonely"),
    ],
)
def test_a_pod_is_found_by_how_its_controller_calls_it(name: str, workload: str) -> None:
    found = REACHES.of(Asked("ml", name))
    assert found is not None
    assert (found.workload, found.matched_by) == (workload, "pod")


@pytest.mark.parametrize(
    "name", ["vllm", "vllm-evil", "vllm-shell-aeiou", "runner-x", "lonely-0", "agent-", "operated-x7k2p", ""]
)
def test_a_pod_that_only_calls_itself_alike_is_not_found(name: str) -> None:
    assert REACHES.of(Asked("ml", name)) is None
    assert REACHES.of(Asked("other", "vllm-6d4cf56db6-x7k2p")) is None


def test_the_workload_goes_before_the_name() -> None:
    found = REACHES.of(Asked("ml", "agent-x7k2p", "ml/vllm"))
    assert found is not None
    assert (found.workload, found.matched_by) == ("ml/Deployment/vllm", "workload")
    assert REACHES.of(Asked("ml", "agent-x7k2p", "ml/unknown")) is None


def test_of_workloads_called_alike_the_pod_says_which() -> None:
    twins = Reaches(Known("", "", (pod("a", "Deployment"), pod("a", "StatefulSet"))))
    found = twins.of(Asked("ml", "a-0", "a"))
    assert found is not None
    assert found.workload == "ml/StatefulSet/a"


def test_an_account_finds_what_reaches_least_with_it() -> None:
    weak = KnownPod("pod:ml/Deployment/weak", "ml", "weak", "Deployment", 1, (), (), 0.5, PODS[0].credentials)
    found = Reaches(Known("", "", (*PODS, weak))).of(
        Asked("ml", "gone-1", "ml/gone", service_account="ml/vllm-sa")
    )
    assert found is not None
    assert (found.workload, found.matched_by) == ("ml/Deployment/weak", "service-account")
    # An account of another namespace is one that the pod took, and says nothing of the pod.
    assert REACHES.of(Asked("web", "page-0", service_account="ml/vllm-sa")) is None


@pytest.mark.parametrize(
    ("mine", "its", "other"),
    [
        ("aks", "aks", False),
        ("/subscriptions/0/resourceGroups/x/providers/y/managedClusters/AKS", "aks", False),
        ("", "aks", False),
        ("aks", "", False),
        ("aks", "staging", True),
    ],
)
def test_another_cluster_is_none_of_its_business(mine: str, its: str, other: bool) -> None:
    found = Reaches(Known(mine, "", PODS)).of(Asked("ml", "runner-0", cluster=its))
    assert (found is None) is other


@pytest.mark.parametrize(
    ("t0", "taken_at", "age"),
    [
        ("2026-11-24T09:00:00Z", "2026-11-24T12:00:00Z", 10_800.0),
        ("2026-11-25T12:00:00Z", "2026-11-24T12:00:00Z", -86_400.0),
        ("", "2026-11-24T12:00:00Z", None),
        ("2026-11-24T09:00:00Z", "", None),
        ("2026-11-24T09:00:00Z", "last week", None),
    ],
)
def test_the_age_of_a_posture_is_told(t0: str, taken_at: str, age: float | None) -> None:
    found = Reaches(Known("", taken_at, PODS)).of(Asked("ml", "runner-0", t0=t0))
    assert found is not None
    assert found.age_s == age


def test_ways_come_as_the_sinks_do_one_for_each_kind() -> None:
    sinks = ("sink:cluster-admin", "sink:node", "sink:ns-admin/a", "sink:ns-admin/b")
    mine = pod("x", sinks=sinks)
    step = (KnownStep("It does."),)
    paths = [KnownPath(mine.id, sink, step * (2 if sink.endswith("a") else 1), 0.8) for sink in sinks[::-1]]
    found = Reaches(Known("", "", (mine,), paths=tuple(paths))).of(Asked("ml", workload="x"))
    assert found is not None
    assert [way.sink for way in found.ways] == ["sink:cluster-admin", "sink:node", "sink:ns-admin/b"]
    assert found.ways[0].steps == ("It does.",)


def test_lists_are_bounded_and_what_is_left_out_is_counted() -> None:
    mine = pod("x", sinks=tuple(f"sink:ns-admin/{number}" for number in range(100)))
    accounts = tuple(
        KnownIdentity(f"service-account:ml/a{number:03}", "service-account", f"ml/a{number:03}", roles=("r",))
        for number in range(60)
    )
    reaches = Reaches(
        Known("", "", (mine,), accounts),
        near=lambda _: [(one.id, 2) for one in (*accounts, accounts[0])[:60]],
    )
    last = accounts[-1].id

    def states(one: KnownIdentity) -> State | None:
        return State(IdentityState.USED) if one.id == last else None

    found = reaches.of(Asked("ml", workload="x"), states)
    assert found is not None
    assert (len(found.sinks), len(found.identities)) == (MAX_SINKS, MAX_IDENTITIES)
    assert found.more == 100 - MAX_SINKS + 60 - MAX_IDENTITIES
    assert found.identities[0].name == "ml/a059"
    assert found.identities[0].state is IdentityState.USED


def test_what_opens_nothing_is_not_listed() -> None:
    idle = KnownIdentity("service-account:ml/default", "service-account", "ml/default")
    mine = pod("x")
    reaches = Reaches(Known("", "", (mine,), (idle,)), near=lambda _: [(idle.id, 1), ("namespace:ml", 1)])
    found = reaches.of(Asked("ml", workload="x"))
    assert found is not None
    assert found.identities == ()
