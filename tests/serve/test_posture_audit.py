"""The log of an API server that was really asked, held against the objects that it lists afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from eightysix.detect.wording import rfc3339
from eightysix.lab.apiserver.audit import Policy
from eightysix.model.posture import Posture
from eightysix.posture.judge import judge
from eightysix.posture.reading import SnapshotBuilder
from eightysix.serve.posturelogs import LogReader
from eightysix.sources.reading import Block
from tests.lab.apiserver.cluster import RBAC, Lab, account, binding
from tests.lab.apiserver.conftest import build, key

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["build", "key"]

ROLES = f"/apis/{RBAC}/v1"
BINDINGS = f"{ROLES}/clusterrolebindings"
WITH_BODIES = Policy.of(
    {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "RequestResponse", "resources": [{"group": RBAC}]}, {"level": "Metadata"}],
    }
)
LISTS: Sequence[tuple[str, str, str]] = (
    ("Pod", "", "/api/v1/pods"),
    ("ServiceAccount", "", "/api/v1/serviceaccounts"),
    ("Namespace", "", "/api/v1/namespaces"),
    ("Role", RBAC, f"{ROLES}/roles"),
    ("RoleBinding", RBAC, f"{ROLES}/rolebindings"),
    ("ClusterRole", RBAC, f"{ROLES}/clusterroles"),
    ("ClusterRoleBinding", RBAC, BINDINGS),
)
ADMIN = binding("glass", "", "cluster-admin", account("inference-sa"), kind="ClusterRole")


def judged(lab: Lab) -> Posture:
    """What the server lists now, with everything that it logged until then."""
    builder = SnapshotBuilder(taken_at=rfc3339(lab.clock()))
    log = "".join(json.dumps(event) + "\n" for event in lab.events).encode()
    for kind, group, path in LISTS:
        builder.take(json.dumps(lab.admin.get(path)).encode(), f"{kind}.{group}")
    reader = LogReader()
    block = Block("audit.jsonl", 1, log)
    assert reader.knows(block)
    reader.take(block)
    assert reader.end() == []
    return judge(builder.snapshot(), log=reader.uses, changes=reader.changes(""))


def test_a_binding_that_came_and_went_is_told_as_what_was(build: Callable[..., Lab]) -> None:
    lab = build(policy=WITH_BODIES)
    lab.admin("POST", f"{BINDINGS}?dryRun=All", {**ADMIN, "metadata": {"name": "never"}})
    lab.anonymous("POST", BINDINGS, {**ADMIN, "metadata": {"name": "refused"}})
    begun = lab.clock()
    lab.admin.create(BINDINGS, ADMIN)
    lab.clock.leap(600)
    assert lab.admin("DELETE", f"{BINDINGS}/glass")[0] == 200
    ended = lab.clock()
    lab.clock.leap(60)
    posture = judged(lab)
    (one,) = posture.past.bindings
    assert (one.object, one.role, one.subjects, one.maker) == (
        "ClusterRoleBinding/glass",
        "ClusterRole/cluster-admin",
        ("ServiceAccount/ml/inference-sa",),
        "mira",
    )
    assert rfc3339(begun) <= one.since <= one.until <= rfc3339(ended)
    then = {(path.pod, path.sink) for path in posture.past.paths}
    assert ("pod:ml/inference-0", "sink:cluster-admin") in then
    assert then.isdisjoint((path.pod, path.sink) for path in posture.paths)
    assert not any("never" in gap.what or "refused" in gap.what for gap in posture.not_seen)


def test_a_subject_that_was_added_for_a_while_is_told(build: Callable[..., Lab]) -> None:
    lab = build(policy=WITH_BODIES)
    alone = {**ADMIN, "subjects": [{"kind": "User", "apiGroup": RBAC, "name": "jane"}]}
    lab.admin.create(BINDINGS, alone)
    for subjects in ([*alone["subjects"], account("inference-sa")], alone["subjects"]):
        lab.clock.leap(60)
        status, _ = lab.admin(
            "PATCH", f"{BINDINGS}/glass", {"subjects": subjects}, content="application/merge-patch+json"
        )
        assert status == 200
    (one,) = judged(lab).past.bindings
    assert one.subjects == ("ServiceAccount/ml/inference-sa", "User/jane")
    assert one.until


@pytest.mark.parametrize("gone", [True, False])
def test_without_bodies_it_is_said_what_nobody_knows(build: Callable[..., Lab], gone: bool) -> None:
    lab = build()
    lab.admin.create(BINDINGS, ADMIN)
    if gone:
        lab.admin("DELETE", f"{BINDINGS}/glass")
    lab.admin.create(BINDINGS, {**ADMIN, "metadata": {"name": "other"}})
    posture = judged(lab)
    assert posture.past.bindings == ()
    assert any("glass" in gap.what for gap in posture.not_seen) is gone
    assert not any("other" in gap.what for gap in posture.not_seen)


def test_accounts_are_used_by_whom_the_server_says(build: Callable[..., Lab]) -> None:
    lab = build()
    lab.account().get("/api/v1/namespaces/ml/pods")
    assert lab.account()("GET", "/api/v1/nodes")[0] == 403
    lab.admin("POST", "/api/v1/namespaces/ml/serviceaccounts/default/token", {"spec": {}})
    lives = {one.name: one for one in judged(lab).identities}
    used, idle = lives["ml/inference-sa"], lives["ml/default"]
    assert (used.unused, used.used_by) == (False, ("ml/inference-0",))
    assert (idle.unused, idle.last_used) == (None, "")
