"""Bindings that came and went: told as what was, never as what is, and never together when they never were."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.detect.wording import rfc3339
from eightysix.model.posture import Confidence, Posture
from eightysix.posture.changes import Changes
from eightysix.posture.judge import judge
from eightysix.posture.reading import SnapshotBuilder
from eightysix.sources.kubernetes_audit import KubernetesAuditDecoder

HOUR = 3_600_000_000_000
NOW = 1_795_510_800_000_000_000
QUIET = """
kind: Pod
apiVersion: v1
metadata: {name: app, namespace: ml}
spec: {serviceAccountName: app, containers: [{name: c, image: 'i@sha256:aaaa'}]}
---
kind: Pod
apiVersion: v1
metadata: {name: job, namespace: ml}
spec: {serviceAccountName: job, containers: [{name: c, image: 'i@sha256:aaaa'}]}
---
{kind: RoleBinding, apiVersion: rbac.authorization.k8s.io/v1, metadata: {name: seen, namespace: ml},
 roleRef: {kind: ClusterRole, name: view}, subjects: [{kind: ServiceAccount, name: app, namespace: ml}]}
---
{kind: ClusterRoleBinding, apiVersion: rbac.authorization.k8s.io/v1, metadata: {name: seen},
 roleRef: {kind: ClusterRole, name: view}, subjects: [{kind: User, name: jane}]}
"""


def binding(
    name: str = "glass", role: str = "cluster-admin", account: str = "app", kind: str = "ClusterRole"
) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": "ml"}],
    }


def request(
    hours: float, verb: str, name: str = "glass", body: object = None, code: int = 200, **more: Any
) -> dict[str, Any]:
    target = {"resource": more.pop("resource", "clusterrolebindings"), "namespace": more.pop("namespace", "")}
    return {
        "auditID": f"{hours}{verb}{name}",
        "stage": "ResponseComplete",
        "verb": verb,
        "requestURI": more.pop("uri", "/apis"),
        "user": {"username": "ops"},
        "objectRef": {**target, "name": name},
        "responseStatus": {"code": code},
        "requestReceivedTimestamp": rfc3339(int(NOW - hours * HOUR)),
        **({"responseObject": body} if body is not None else {}),
        **more,
    }


def changed(*records: dict[str, Any]) -> Changes:
    changes = Changes()
    block = "".join(json.dumps(one) + "\n" for one in records).encode()
    batch = KubernetesAuditDecoder(on_request=changes.on_request).decode(block, "f", 1)
    assert not batch.problems
    return changes


def told(*records: dict[str, Any], objects: str = QUIET) -> Posture:
    builder = SnapshotBuilder(taken_at=rfc3339(NOW))
    builder.take_yaml(objects.encode())
    return judge(builder.snapshot(), changes=changed(*records))


def test_it_is_told_apart_with_when_and_by_whom() -> None:
    posture = told(request(5, "create", body=binding()), request(4, "delete"))
    (one,) = posture.past.bindings
    assert one.object == "ClusterRoleBinding/glass"
    assert (one.role, one.subjects) == ("ClusterRole/cluster-admin", ("ServiceAccount/ml/app",))
    assert (one.since, one.until) == (rfc3339(NOW - 5 * HOUR), rfc3339(NOW - 4 * HOUR))
    assert (one.times, one.maker, one.confidence) == (1, "ops", Confidence.PROVED)
    assert {edge.since for edge in posture.past.edges} == {one.since}
    path = next(path for path in posture.past.paths if path.sink == "sink:cluster-admin")
    assert (path.pod, path.since, path.until) == ("pod:ml/app", one.since, one.until)
    gone = [step for step in path.steps if "not any more" in step.text]
    assert gone
    assert path.steps[0] not in gone  # its token is still there


def test_nothing_of_it_is_in_what_is_now() -> None:
    without, having = told(), told(request(5, "create", body=binding()), request(4, "delete"))
    assert (without.edges, without.paths, without.pods) == (having.edges, having.paths, having.pods)
    assert (without.fixes, without.vertices) == (having.fixes, having.vertices)
    assert not any(edge.since for edge in having.edges)
    assert without.past.bindings == ()


def test_what_is_still_there_is_not_past() -> None:
    seen = {**binding("seen", "view"), "subjects": [{"kind": "User", "name": "jane"}]}
    posture = told(request(5, "create", "seen", seen))
    assert posture.past.bindings == ()
    # a subject that was in it for an hour
    more = {
        **seen,
        "subjects": [*seen["subjects"], {"kind": "ServiceAccount", "name": "app", "namespace": "ml"}],
    }
    posture = told(
        request(9, "create", "seen", seen),
        request(5, "patch", "seen", more),
        request(4, "patch", "seen", seen),
    )
    (one,) = posture.past.bindings
    assert (one.since, one.until) == (rfc3339(NOW - 5 * HOUR), rfc3339(NOW - 4 * HOUR))


def test_an_end_that_nobody_saw_is_said() -> None:
    (one,) = told(request(5, "create", body=binding())).past.bindings
    assert (one.until, one.confidence) == ("", Confidence.INFERRED)


def test_failed_and_dry_requests_change_nothing() -> None:
    posture = told(
        request(5, "create", body=binding(), code=403),
        request(5, "create", "b", binding("b"), code=409),
        request(5, "create", "c", binding("c"), uri="/apis?fieldManager=x&dryRun=All"),
        request(5, "create", "d", binding("d"), resource="pods"),
        request(5, "get", "e", binding("e")),
    )
    assert posture.past.bindings == ()


def test_bindings_that_never_were_together_are_not_put_together() -> None:
    """One lets `app` become `job`; the other makes `job` all-powerful, later."""
    role = {"metadata": {"name": "as"}, "rules": [{"apiGroups": [""], "resources": ["serviceaccounts"],
            "resourceNames": ["job"], "verbs": ["impersonate"]}]}  # fmt: skip
    made = request(9, "create", "as", role, resource="roles", namespace="ml")
    first = request(
        8, "create", "a", binding("a", "as", "app", "Role"), resource="rolebindings", namespace="ml"
    )
    ended = request(7, "delete", "a", resource="rolebindings", namespace="ml")
    unmade = request(6, "delete", "as", resource="roles", namespace="ml")
    later = (request(5, "create", body=binding(account="job")), request(4, "delete"))
    apart = told(made, first, ended, unmade, *later)
    assert {path.pod for path in apart.past.paths if path.sink == "sink:cluster-admin"} == {"pod:ml/job"}
    earlier = (request(7.5, "create", body=binding(account="job")), request(4, "delete"))
    together = told(made, first, ended, unmade, *earlier)
    paths = {path.pod: path for path in together.past.paths if path.sink == "sink:cluster-admin"}
    assert set(paths) == {"pod:ml/app", "pod:ml/job"}
    assert paths["pod:ml/app"].since == rfc3339(int(NOW - 7.5 * HOUR))
    assert paths["pod:ml/app"].until == rfc3339(NOW - 7 * HOUR)


def test_what_the_log_does_not_say_is_not_seen() -> None:
    posture = told(
        request(5, "create", "bare"),
        request(4, "delete", "older"),
        request(-1, "create", "younger", binding("younger")),
    )
    assert posture.past.bindings == ()
    gaps = {gap.what for gap in posture.not_seen}
    assert any("ClusterRoleBinding/bare" in what and "older" in what for what in gaps)
    assert any("younger" in what and "after the objects" in what for what in gaps)


def test_a_log_without_bodies_says_nothing_of_what_is_still_there() -> None:
    posture = told(request(5, "create", "seen"))
    assert posture.past.bindings == ()
    assert not any("seen" in gap.what for gap in posture.not_seen)


def test_more_sets_than_are_drawn_are_said(monkeypatch: Any) -> None:
    monkeypatch.setattr("eightysix.posture.past.MAX_MOMENTS", 1)
    posture = told(
        request(9, "create", "a", binding("a")),
        request(8, "delete", "a"),
        request(7, "create", "b", binding("b", account="job")),
        request(6, "delete", "b"),
    )
    assert {path.pod for path in posture.past.paths} == {"pod:ml/job"}
    assert len(posture.past.bindings) == 2
    assert any("1 more times" in gap.what for gap in posture.not_seen)


def test_without_bindings_among_the_objects_nobody_knows_whether_one_is_gone() -> None:
    posture = told(
        request(5, "create", body=binding()), objects=QUIET.split("---\n{kind: Role", maxsplit=1)[0]
    )
    assert posture.past.bindings == ()
    assert any("glass" in gap.what for gap in posture.not_seen)


def test_alike_ones_are_counted_and_told_once() -> None:
    records = [
        one
        for hour in range(40, 0, -4)
        for one in (
            request(hour, "create", f"run-{hour}", binding(f"run-{hour}")),
            request(hour - 1, "delete", f"run-{hour}"),
        )
    ]
    (one,) = told(*records).past.bindings
    assert (one.times, one.object) == (10, "ClusterRoleBinding/run-4")


RECORDS = [
    request(9, "create", body=binding()),
    request(8, "delete"),
    request(7, "create", body=binding(account="job")),
    request(6, "update", body=binding(role="edit")),
    request(5, "delete"),
    request(3, "create", "other", binding("other")),
]


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(len(RECORDS))), st.lists(st.integers(0, len(RECORDS) - 1), max_size=4))
def test_any_order_and_repetition_is_the_same(order: list[int], again: list[int]) -> None:
    assert told(*(RECORDS[at] for at in [*order, *again])).past == told(*RECORDS).past


def test_hostile_bodies_cost_nothing_but_themselves(monkeypatch: Any) -> None:
    records = [
        request(9, "create", "a", "text"),
        request(9, "create", "b", '{"metadata": {}, "roleRef": 3}'),
        request(9, "create", "c", {"metadata": {"name": "c"}, "roleRef": {"name": "\x1b[31m" * 50}}),
        request(9, "create", "d" * 10_000, binding()),
        request(9, "create", "e", binding("another", account="nobody")),
    ]
    posture = told(*records, *RECORDS)
    assert {one.object for one in posture.past.bindings} >= {"ClusterRoleBinding/e"}
    monkeypatch.setattr("eightysix.posture.changes.MAX_CHANGES", 2)
    assert "further changes of roles and bindings" in {gap.what for gap in told(*RECORDS).not_seen}
