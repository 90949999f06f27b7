"""Pages, selectors, forms: what a collector relies on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.lab.apiserver.catalogue import BUILT_IN
from eightysix.lab.apiserver.selectors import selector_of
from eightysix.lab.apiserver.status import ApiError
from eightysix.lab.apiserver.store import Store
from tests.lab.apiserver.cluster import CLUSTER, Client, Json, Lab, pod

PODS = next(each for each in BUILT_IN if each.plural == "pods")


def many(count: int) -> list[Json]:
    return [*CLUSTER, *(pod(f"p-{at:04d}", namespace=f"team-{at % 3}") for at in range(count))]


def names(items: list[Json]) -> list[str]:
    return [f"{each['metadata']['namespace']}/{each['metadata']['name']}" for each in items]


def pages(client: Client, path: str, limit: int) -> tuple[list[Json], list[Json]]:
    items: list[Json] = []
    metadata = []
    more = ""
    while True:
        page = client.get(f"{path}?limit={limit}&continue={more}")
        items += page["items"]
        metadata.append(page["metadata"])
        more = page["metadata"].get("continue", "")
        if not more:
            return items, metadata


def test_pages_put_together_are_the_list(build: Callable[..., Lab]) -> None:
    lab = build(many(25))
    whole = lab.admin.get("/api/v1/pods")["items"]
    items, metadata = pages(lab.admin, "/api/v1/pods", 10)
    assert items == whole
    assert len(whole) == 26
    assert [each.get("remainingItemCount") for each in metadata] == [16, 6, None]


def test_pages_are_of_one_moment_whatever_is_written_meanwhile(build: Callable[..., Lab]) -> None:
    lab = build(many(12))
    before = names(lab.admin.get("/api/v1/pods")["items"])
    first = lab.admin.get("/api/v1/pods?limit=5")
    lab.admin("DELETE", "/api/v1/namespaces/team-2/pods/p-0011")
    lab.admin.create("/api/v1/namespaces/team-1/pods", pod("zz-new", namespace="team-1"))
    rest = lab.admin.get(f"/api/v1/pods?limit=100&continue={first['metadata']['continue']}")
    assert names([*first["items"], *rest["items"]]) == before
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    now = names(lab.admin.get("/api/v1/pods")["items"])
    assert "team-1/zz-new" in now
    assert "team-2/p-0011" not in now


def test_a_token_that_is_too_old_is_410_with_a_way_to_go_on(build: Callable[..., Lab]) -> None:
    lab = build(many(12))
    first = lab.admin.get("/api/v1/pods?limit=5")
    lab.admin.create("/api/v1/namespaces/ml/pods", pod("later"))
    lab.server.store.compact()
    status, answer = lab.admin("GET", f"/api/v1/pods?limit=5&continue={first['metadata']['continue']}")
    assert (status, answer["reason"], answer["code"]) == (410, "Expired", 410)
    more = answer["metadata"]["continue"]
    rest = lab.admin.get(f"/api/v1/pods?limit=100&continue={more}")
    assert len(first["items"]) + len(rest["items"]) == 13


def test_a_token_that_is_none_is_refused(lab: Lab) -> None:
    status, answer = lab.admin("GET", "/api/v1/pods?continue=%2e%2e%2fetc")
    assert (status, answer["message"]) == (400, "continue key is not valid")


def test_a_list_of_the_future_times_out(lab: Lab) -> None:
    status, answer = lab.admin("GET", "/api/v1/pods?resourceVersion=999999")
    assert (status, answer["reason"]) == (504, "Timeout")


def test_a_namespace_does_not_leak_into_one_that_begins_like_it(build: Callable[..., Lab]) -> None:
    lab = build([pod("a", namespace="ml"), pod("b", namespace="ml-dev"), pod("c", namespace="ml0")])
    assert names(lab.admin.get("/api/v1/namespaces/ml/pods")["items"]) == ["ml/a"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("labelSelector=app%3Dinference", ["inference-0"]),
        ("labelSelector=app!%3Dinference", ["batch-1", "web-0"]),
        ("labelSelector=app+in+(inference,web)", ["inference-0", "web-0"]),
        ("labelSelector=app+notin+(inference,web)", ["batch-1"]),
        ("labelSelector=app,app%3D%3Dweb", ["web-0"]),
        ("labelSelector=!app", []),
        ("fieldSelector=spec.nodeName%3Daks-gpu-0", ["inference-0", "web-0"]),
        ("fieldSelector=spec.nodeName!%3Daks-gpu-0", ["batch-1"]),
        ("fieldSelector=metadata.name%3Dweb-0", ["web-0"]),
        ("fieldSelector=status.phase%3DPending", ["batch-1"]),
        ("fieldSelector=status.phase%3DRunning,metadata.namespace%3Dml", ["inference-0", "web-0"]),
        ("labelSelector=app%3Dweb&fieldSelector=status.phase%3DPending", []),
    ],
)
def test_selectors_choose(build: Callable[..., Lab], query: str, expected: list[str]) -> None:
    waiting = {**pod("batch-1"), "status": {"phase": "Pending"}}
    lab = build([*CLUSTER, waiting, pod("web-0", nodeName="aks-gpu-0")])
    found = lab.admin.get(f"/api/v1/namespaces/ml/pods?{query}")["items"]
    assert [each["metadata"]["name"] for each in found] == expected


def test_events_are_found_by_the_object_that_they_are_about(lab: Lab) -> None:
    path = "/api/v1/namespaces/ml/events"
    for name in ("a", "b"):
        lab.admin.create(
            path, {"metadata": {"name": name}, "involvedObject": {"kind": "Pod", "name": f"pod-{name}"}}
        )
    found = lab.admin.get(f"{path}?fieldSelector=involvedObject.name%3Dpod-b,involvedObject.kind%3DPod")
    assert [each["metadata"]["name"] for each in found["items"]] == ["b"]


@pytest.mark.parametrize(
    "query", ["labelSelector=a+b+c", "labelSelector=(((", "fieldSelector=spec.nothing%3Dx", "fieldSelector=x"]
)
def test_a_selector_that_is_none_is_refused(lab: Lab, query: str) -> None:
    status, answer = lab.admin("GET", f"/api/v1/pods?{query}")
    assert (status, answer["reason"]) == (400, "BadRequest")


def test_metadata_alone_is_told_on_request(lab: Lab) -> None:
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
    found = lab.admin.get("/api/v1/namespaces/ml/secrets", accept=accept)
    assert (found["kind"], found["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    assert [set(each) for each in found["items"]] == [{"kind", "apiVersion", "metadata"}]


def test_a_table_has_the_columns_of_kubectl(lab: Lab) -> None:
    lab.clock.leap(3 * 3600)
    found = lab.admin.get(
        "/api/v1/namespaces/ml/pods", accept="application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    )
    assert found["kind"] == "Table"
    assert [each["name"] for each in found["columnDefinitions"]][:5] == [
        "Name",
        "Ready",
        "Status",
        "Restarts",
        "Age",
    ]
    assert found["rows"][0]["cells"][:5] == ["inference-0", "0/1", "Running", "0", "3h"]
    assert found["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


def test_protobuf_alone_is_not_acceptable(lab: Lab) -> None:
    status, answer = lab.admin("GET", "/api/v1/pods", accept="application/vnd.kubernetes.protobuf")
    assert (status, answer["reason"]) == (406, "NotAcceptable")
    assert (
        lab.admin("GET", "/api/v1/pods", accept="application/vnd.kubernetes.protobuf,application/json")[0]
        == 200
    )


@given(
    st.lists(st.tuples(st.sampled_from(["put", "remove"]), st.integers(0, 8)), max_size=40),
    st.integers(1, 5),
    st.integers(0, 39),
)
def test_a_page_is_as_of_its_version_for_any_history(
    writes: list[tuple[str, int]], limit: int, at: int
) -> None:
    """What the store says of a version is what was there when that version was the newest."""
    store = Store()
    seen: dict[int, list[tuple[str, int]]] = {}
    for kind, number in writes:
        held = store.get(PODS, "ns", f"p{number}")
        if kind == "put":
            store.put(PODS, {"metadata": {"name": f"p{number}", "namespace": "ns"}})
        elif held is not None:
            store.remove(PODS, held)
        seen[store.version] = [(each.name, each.version) for each in store.all(PODS)]
    versions = sorted(seen)
    if not versions:
        return
    version = versions[at % len(versions)]
    found: list[tuple[str, int]] = []
    start = ""
    while True:
        page = store.page(PODS, limit=limit, start=start, version=version)
        found += [(each.name, each.version) for each in page.items]
        if page.left is not None:
            assert page.left == len(seen[version]) - len(found)
        start = page.next
        if not start:
            break
    assert found == seen[version]


@given(
    st.text(alphabet="ab=!,() in notin", max_size=24),
    st.dictionaries(st.sampled_from("ab"), st.sampled_from("ab")),
)
def test_any_text_is_a_selector_or_refused(text: str, labels: dict[str, str]) -> None:
    with suppress(ApiError):
        selector = selector_of(PODS, text, "")
        assert selector.matches(labels, {}) in (True, False)
