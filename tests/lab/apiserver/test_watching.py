"""Watches: what is told, from when, and how they end."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.lab.apiserver.cluster import CLUSTER, Json, Lab, pod

PODS = "/api/v1/namespaces/ml/pods"


class Watch:
    """An open watch; `next` waits for its next event."""

    def __init__(self, lab: Lab, path: str, accept: str = "application/json") -> None:
        self._connection = http.client.HTTPConnection(*lab.server.address, timeout=20)
        headers = {"Authorization": "Bearer operator-token", "Accept": accept}
        self._connection.request("GET", path, headers=headers)
        self.answer = self._connection.getresponse()
        assert self.answer.status == 200

    def next(self) -> Json:
        line = self.answer.readline()
        assert line, "the watch has ended"
        found: Json = json.loads(line)
        return found

    def rest(self) -> list[Json]:
        try:
            return [json.loads(line) for line in self.answer]
        finally:
            self.close()

    def close(self) -> None:
        self.answer.close()
        self._connection.close()


@pytest.fixture
def watch(lab: Lab) -> Iterator[Callable[[str], Watch]]:
    opened = []

    def start(path: str) -> Watch:
        opened.append(Watch(lab, path))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


def told(event: Json) -> tuple[str, str]:
    return event["type"], event["object"]["metadata"]["name"]


def test_a_watch_without_a_version_begins_with_what_there_is(lab: Lab, watch: Callable[[str], Watch]) -> None:
    found = watch(f"{PODS}?watch=1")
    assert told(found.next()) == ("ADDED", "inference-0")
    lab.admin.create(PODS, pod("second"))
    assert told(found.next()) == ("ADDED", "second")
    lab.admin(
        "PATCH",
        f"{PODS}/second",
        {"metadata": {"labels": {"a": "b"}}},
        content="application/merge-patch+json",
    )
    assert told(found.next()) == ("MODIFIED", "second")
    lab.admin("DELETE", f"{PODS}/second")
    assert [told(found.next()), told(found.next())] == [("MODIFIED", "second"), ("DELETED", "second")]


def test_a_watch_from_a_version_tells_what_came_after(lab: Lab, watch: Callable[[str], Watch]) -> None:
    version = lab.admin.get(PODS)["metadata"]["resourceVersion"]
    lab.admin.create(PODS, pod("second"))
    lab.admin.create("/api/v1/namespaces/default/pods", pod("elsewhere", namespace="default"))
    lab.admin.create(PODS, pod("third"))
    found = watch(f"{PODS}?watch=true&resourceVersion={version}")
    assert [told(found.next()), told(found.next())] == [("ADDED", "second"), ("ADDED", "third")]


def test_a_watch_of_everything_sees_every_namespace(lab: Lab, watch: Callable[[str], Watch]) -> None:
    version = lab.admin.get("/api/v1/pods")["metadata"]["resourceVersion"]
    found = watch(f"/api/v1/pods?watch=true&resourceVersion={version}")
    lab.admin.create("/api/v1/namespaces/default/pods", pod("elsewhere", namespace="default"))
    assert told(found.next()) == ("ADDED", "elsewhere")


def test_an_object_that_leaves_or_enters_a_selector_is_deleted_or_added(
    lab: Lab, watch: Callable[[str], Watch]
) -> None:
    version = lab.admin.get(PODS)["metadata"]["resourceVersion"]
    found = watch(f"{PODS}?watch=true&resourceVersion={version}&labelSelector=app%3Dinference")
    for value in ("other", "inference"):
        patch = {"metadata": {"labels": {"app": value}}}
        lab.admin("PATCH", f"{PODS}/inference-0", patch, content="application/merge-patch+json")
    assert [told(found.next()), told(found.next())] == [("DELETED", "inference-0"), ("ADDED", "inference-0")]


def test_a_version_that_is_forgotten_ends_in_410(lab: Lab) -> None:
    version = lab.admin.get(PODS)["metadata"]["resourceVersion"]
    lab.admin.create(PODS, pod("second"))
    lab.server.store.compact()
    events = Watch(lab, f"{PODS}?watch=true&resourceVersion={version}").rest()
    assert [event["type"] for event in events] == ["ERROR"]
    status = events[0]["object"]
    assert (status["kind"], status["code"], status["reason"]) == ("Status", 410, "Expired")


def test_the_end_of_its_time_is_told_by_a_bookmark(lab: Lab) -> None:
    version = lab.admin.get(PODS)["metadata"]["resourceVersion"]
    lab.admin.create("/api/v1/namespaces/ml/configmaps", {"metadata": {"name": "noise"}})
    query = f"watch=true&resourceVersion={version}&timeoutSeconds=1&allowWatchBookmarks=true"
    events = Watch(lab, f"{PODS}?{query}").rest()
    assert [event["type"] for event in events] == ["BOOKMARK"]
    assert int(events[0]["object"]["metadata"]["resourceVersion"]) > int(version)
    assert events[0]["object"]["kind"] == "Pod"


def test_an_informer_is_told_where_what_there_was_ends(lab: Lab, watch: Callable[[str], Watch]) -> None:
    query = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    found = watch(f"{PODS}?{query}")
    assert told(found.next()) == ("ADDED", "inference-0")
    end = found.next()
    assert end["type"] == "BOOKMARK"
    assert end["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert lab.admin("GET", f"{PODS}?watch=true&sendInitialEvents=true")[0] == 422


def test_a_watch_of_one_name_tells_of_it_alone(lab: Lab, watch: Callable[[str], Watch]) -> None:
    found = watch(f"{PODS}?watch=true&fieldSelector=metadata.name%3Dsecond")
    lab.admin.create(PODS, pod("first"))
    lab.admin.create(PODS, pod("second"))
    assert told(found.next()) == ("ADDED", "second")


def test_a_watch_ends_when_the_server_does(lab: Lab, watch: Callable[[str], Watch]) -> None:
    found = watch(f"{PODS}?watch=true")
    found.next()
    closing = threading.Thread(target=lab.server.close)
    closing.start()
    assert found.rest() == []
    closing.join()


def test_the_audit_has_the_beginning_and_the_end_of_a_watch(lab: Lab) -> None:
    Watch(lab, f"{PODS}?watch=true&timeoutSeconds=1").rest()
    began, ended = lab.events[-2:]
    assert (began["stage"], ended["stage"]) == ("ResponseStarted", "ResponseComplete")
    assert began["auditID"] == ended["auditID"]
    assert {began["verb"], ended["verb"]} == {"watch"}
    assert began["responseStatus"] == ended["responseStatus"] == {"metadata": {}, "code": 200}
    assert began["objectRef"] == {"resource": "pods", "namespace": "ml", "apiVersion": "v1"}


def test_a_client_that_goes_leaves_no_watch_behind(build: Callable[..., Lab]) -> None:
    lab = build(CLUSTER)
    found = Watch(lab, f"{PODS}?watch=true")
    found.next()
    found.close()
    while not any(
        event["verb"] == "watch" and event["stage"] == "ResponseComplete" for event in list(lab.events)
    ):
        lab.server.store.wait(lab.server.store.version, 0.05)
