"""What a change does: nothing where nothing changed, the mirror the other way round, and the steps that did it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.model.errors import UsageError
from eightysix.model.posture import NotSeen, Posture
from eightysix.model.posturediff import IdentityChange, PodChange, PostureDiff
from eightysix.posture.diff import LEVELS, diff, is_empty, worst_change
from eightysix.posture.judge import judge
from eightysix.posture.reading import SnapshotBuilder
from tests.posture.postures import postures, shuffled

BEFORE = """
kind: Deployment
apiVersion: apps/v1
metadata: {name: app, namespace: ml}
spec: {replicas: 2, template: {spec: {serviceAccountName: app, containers: [{name: c, image: 'IMAGE'}]}}}
---
{kind: ServiceAccount, apiVersion: v1, metadata: {name: app, namespace: ml}}
---
{kind: ClusterRoleBinding, apiVersion: rbac.authorization.k8s.io/v1, metadata: {name: seen},
 roleRef: {kind: ClusterRole, name: view}, subjects: [{kind: User, name: jane}]}
"""
IMAGE = "i@sha256:" + "a" * 64
BEFORE = BEFORE.replace("IMAGE", IMAGE)
ADMIN = """---
{kind: ClusterRoleBinding, apiVersion: rbac.authorization.k8s.io/v1, metadata: {name: hurry},
 roleRef: {kind: ClusterRole, name: cluster-admin}, subjects: [{kind: ServiceAccount, name: app, namespace: ml}]}
"""


def told(text: str) -> Posture:
    builder = SnapshotBuilder(manifests=True)
    builder.take_yaml(text.encode())
    return judge(builder.snapshot())


def mirrored(one: PostureDiff) -> PostureDiff:
    def pod(change: PodChange) -> PodChange:
        return msgspec.structs.replace(
            change,
            before=change.after,
            after=change.before,
            risk_before=change.risk_after,
            risk_after=change.risk_before,
            gained=change.lost,
            lost=change.gained,
            domains_gained=change.domains_lost,
            domains_lost=change.domains_gained,
        )

    def identity(change: IdentityChange) -> IdentityChange:
        return msgspec.structs.replace(
            change,
            before=change.after,
            after=change.before,
            unused_before=change.unused_after,
            unused_after=change.unused_before,
            roles_gained=change.roles_lost,
            roles_lost=change.roles_gained,
            reached_gained=change.reached_lost,
            reached_lost=change.reached_gained,
        )

    return PostureDiff(
        pods=tuple(map(pod, one.pods)),
        identities=tuple(map(identity, one.identities)),
        fixes_done=one.fixes_wanted,
        fixes_wanted=one.fixes_done,
        hidden=one.shown,
        shown=one.hidden,
    )


@settings(max_examples=30, deadline=None)
@given(postures(), st.data())
def test_the_same_in_any_order_is_no_difference(one: Posture, data: st.DataObject) -> None:
    assert is_empty(diff(one, one))
    assert is_empty(diff(one, shuffled(one, data.draw)))
    assert worst_change(diff(one, one)) == "none"


@settings(max_examples=30, deadline=None)
@given(postures(), postures(), st.data())
def test_the_other_way_round_is_the_mirror_and_order_decides_nothing(
    one: Posture, other: Posture, data: st.DataObject
) -> None:
    found = diff(one, other)
    assert diff(other, one) == mirrored(found)
    assert diff(shuffled(one, data.draw), shuffled(other, data.draw)) == found
    assert worst_change(found) in LEVELS


@settings(max_examples=30, deadline=None)
@given(postures(), postures())
def test_every_sink_that_came_or_went_is_told_once(one: Posture, other: Posture) -> None:
    found = {change.id: change for change in diff(one, other).pods}
    before = {pod.id: set(pod.sinks) for pod in one.pods}
    after = {pod.id: set(pod.sinks) for pod in other.pods}
    if any(sink.endswith("/*") for sinks in (*before.values(), *after.values()) for sink in sinks):
        return
    for id_ in before.keys() | after.keys():
        gained = after.get(id_, set()) - before.get(id_, set())
        lost = before.get(id_, set()) - after.get(id_, set())
        change = found.get(id_)
        assert {way.sink for way in change.gained} == gained if change else not gained
        assert {way.sink for way in change.lost} == lost if change else not lost


def test_what_came_is_told_with_the_steps_that_brought_it() -> None:
    found = diff(told(BEFORE), told(BEFORE + ADMIN))
    (pod,) = found.pods
    assert (pod.namespace, pod.name, pod.before, pod.after) == ("ml", "app", 2, 2)
    way = next(one for one in pod.gained if one.sink == "sink:cluster-admin")
    assert [step.type for step in way.because] == ["HOLDS", "CLUSTER_ADMIN"]
    assert way.steps[0] not in way.because
    (identity,) = (one for one in found.identities if one.name == "ml/app")
    assert identity.roles_gained == ("ClusterRole/cluster-admin",)
    assert worst_change(found) == "medium"  # nobody outside can put code into it
    assert found.fixes_wanted[0].what.startswith("Delete ClusterRoleBinding hurry")
    back = diff(told(BEFORE + ADMIN), told(BEFORE))
    assert worst_change(back) == "none"
    assert back.fixes_done == found.fixes_wanted


def test_a_pod_that_loads_what_others_replace_counts_more() -> None:
    loads = IMAGE, "vllm/vllm-openai:latest"
    before, after = BEFORE.replace(*loads), (BEFORE + ADMIN).replace(*loads)
    assert worst_change(diff(told(before), told(after))) == "high"


def test_replicas_and_times_are_no_difference() -> None:
    assert is_empty(diff(told(BEFORE), told(BEFORE.replace("replicas: 2", "replicas: 9"))))
    dated = msgspec.structs.replace(told(BEFORE), taken_at="2026-11-23T00:00:00Z", cluster="other")
    assert is_empty(diff(told(BEFORE), dated))


def test_less_seen_is_not_less_there() -> None:
    def seeing(*gaps: str) -> Posture:
        return msgspec.structs.replace(told(BEFORE), not_seen=tuple(NotSeen(gap, "why") for gap in gaps))

    found = diff(seeing("3 more paths"), seeing("12 more paths", "role bindings"))
    assert [gap.what for gap in found.hidden] == ["role bindings"]
    assert worst_change(found) == "unseen"
    assert worst_change(diff(seeing("role bindings"), seeing())) == "none"


def test_sinks_of_a_family_that_one_side_tells_as_one_are_the_same() -> None:
    one = told(BEFORE + ADMIN)
    (pod,) = one.pods
    nearest = tuple(dict.fromkeys("sink:ns-admin/*" if "ns-admin" in sink else sink for sink in pod.sinks))
    other = msgspec.structs.replace(one, pods=(msgspec.structs.replace(pod, sinks=nearest),))
    assert diff(one, other).pods == ()


def test_postures_of_different_rules_are_not_compared() -> None:
    other: Any = msgspec.structs.replace(told(BEFORE), rules="kubehound")
    with pytest.raises(UsageError, match="kubehound"):
        diff(told(BEFORE), other)
