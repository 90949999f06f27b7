"""Which pods a workload makes, and whose volumes lie where on a node."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.context.kubelet import volume_at
from eightysix.context.workloads import is_made_by

UID = "6b00ba4a-094e-4b05-836e-75487007b2eb"
FOLDER = f"/var/lib/kubelet/pods/{UID}/volumes"


@pytest.mark.parametrize(
    ("resource", "name", "pod", "workload", "made"),
    [
        ("pods", "node-setup-a", "node-setup-a", "", True),
        ("pods", "node-setup-a", "node-setup-a-x", "", False),
        ("daemonsets", "agent", "agent-7xk2p", "agent", True),
        ("daemonsets", "agent", "agent-b-7xk2p", "", False),
        ("deployments", "web", "web-5d9c7b6f4-x2k9p", "web", True),
        ("deployments", "web", "web-api-5d9c7b6f4-x2k9p", "", False),
        ("deployments", "web", "web-5d9c7b6f4-x2k9p", "web-api", False),
        ("statefulsets", "db", "db-0", "", True),
        ("jobs", "run", "run-x2k9p", "run", True),
        ("cronjobs", "nightly", "nightly-29404800-x2k9p", "nightly-29404800", True),
        ("cronjobs", "nightly", "nightly-29404800-x2k9p", "other-29404800", False),
        ("secrets", "run", "run-x2k9p", "", False),
        ("jobs", "", "-x2k9p", "", False),
    ],
)
def test_a_pod_is_told_by_the_name_that_its_controller_gives(
    resource: str, name: str, pod: str, workload: str, made: bool
) -> None:
    assert is_made_by(resource, name, pod, workload) is made


@pytest.mark.parametrize(
    ("path", "kind", "name"),
    [
        (f"{FOLDER}/kubernetes.io~projected/kube-api-access-x/..2026_11_24_06.1/token", "projected", "token"),
        (f"/host{FOLDER}/kubernetes.io~projected/kube-api-access-x/token", "projected", "token"),
        (f"/proc/1/root{FOLDER}/kubernetes.io~secret/registry/password", "secret", "password"),
        (f"/k/pods/{UID}/volumes/kubernetes.io~secret/registry", "secret", ""),
    ],
)
def test_volumes_are_found_wherever_the_folder_is_mounted(path: str, kind: str, name: str) -> None:
    found = volume_at(path)
    assert found is not None
    assert (found.pod_uid, found.kind, found.name) == (UID, kind, name)


@pytest.mark.parametrize(
    "path",
    [
        f"{FOLDER}/kubernetes.io~empty-dir/cache/token",
        "/data/pods/me/volumes/kubernetes.io~projected/a/token",
        "/run/secrets/kubernetes.io/serviceaccount/token",
        f"/{'kubernetes.io~projected/' * 400}",
    ],
)
def test_other_paths_are_no_volumes_of_the_kubelet(path: str) -> None:
    assert volume_at(path) is None


@given(st.text(max_size=80).map(lambda text: f"/pods/{text}/volumes/kubernetes.io~projected/{text}"))
def test_any_text_is_read_without_failing(path: str) -> None:
    volume_at(path)
