"""Ids tell things apart, whatever they are called."""

from __future__ import annotations

from eightysix.model.posture import VertexKind
from eightysix.posture.vertices import group_id, hub_id, node_id, ns_admin_id, pod_id, user_id, vertex_id


def test_ids() -> None:
    assert vertex_id(VertexKind.PERMISSION_SET, "prod", "r::b") == "permission-set:prod/r::b"
    assert vertex_id(VertexKind.PERMISSION_SET, "", "r::b") == "permission-set:r::b"
    assert pod_id("a", "Pod", "p") == "pod:a/p"
    assert pod_id("a", "Deployment", "p") == "pod:a/Deployment/p"
    assert (node_id("n"), ns_admin_id("a")) == ("node:n", "sink:ns-admin/a")
    assert (hub_id("a"), hub_id("a", "pods"), hub_id(""), hub_id("", "pods")) == (
        "namespace:a",
        "namespace:a/pods",
        "cluster:",
        "cluster:pods",
    )
    assert user_id("system:serviceaccount:a:b") == "service-account:a/b"
    assert user_id("system:serviceaccount:a") == "subject:user/system:serviceaccount:a"


def test_no_name_is_taken_for_another_thing() -> None:
    assert user_id("x") != group_id("x")
    assert pod_id("a", "Pod", "Deployment/p") != pod_id("a", "Deployment", "p")
    assert vertex_id(VertexKind.PERMISSION_SET, "", "a/r") != vertex_id(VertexKind.PERMISSION_SET, "a", "r")
    assert vertex_id(VertexKind.SECRET, "a/b", "c") != vertex_id(VertexKind.SECRET, "a", "b/c")
    assert hub_id("a/pods") != hub_id("a", "pods")
