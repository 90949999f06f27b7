"""Webhooks of every kind become the same events; what is none is refused whole."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.gate.events import MAX_BODY_BYTES, MAX_DEPTH, MAX_EVENTS, Delivery, consent, decode
from eightysix.gate.events.shape import CONTENT_TYPES, MAX_VALUES
from eightysix.model.gate import Channel, RegistryAction, RegistryEvent
from tests.gate.events import samples
from tests.gate.events.samples import A

JSON = "application/json; charset=utf-8"
AT = 1795403755


def read(body: object, content_type: str = JSON, registry: str = "", **headers: str) -> Delivery:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return decode(data, content_type, headers, registry=registry)


def test_distribution() -> None:
    told = read(samples.distribution(), "application/vnd.docker.distribution.events.v1+json")
    assert told.channel is Channel.DISTRIBUTION
    assert told.events == (
        RegistryEvent(
            id="1087e3d6-0001",
            channel=Channel.DISTRIBUTION,
            action=RegistryAction.PUSH,
            registry="127.0.0.1:15000",
            repository="ml/llm",
            tag="prod",
            digest=A,
            media_type="application/vnd.oci.image.manifest.v1+json",
            size=771,
            told_ns=AT * 10**9 + 626522556,
            actor="ci",
            address="10.0.0.7:39350",
            agent="docker/24.0.7 go/go1.20",
        ),
    )


def test_distribution_without_authentication_names_nobody() -> None:
    assert read({"events": [samples.push(actor={})]}).events[0].actor == ""


def test_layers_mounts_and_our_own_pulls_mean_nothing() -> None:
    layer = samples.push(id="2")
    layer["target"] = {
        "mediaType": "application/octet-stream",
        "size": 3,
        "digest": A,
        "repository": "ml/llm",
    }
    mount = samples.push(id="3", action="mount")
    own = samples.push(id="4", action="pull")
    own["request"] = {"host": "127.0.0.1:15000", "useragent": "eightysix/0.9"}
    theirs = samples.push(id="5", action="pull")
    told = read({"events": [layer, mount, own, theirs]})
    assert [event.id for event in told.events] == ["5"]
    assert told.ignored == 3


def test_a_delete_names_a_digest_or_a_tag() -> None:
    by_digest = samples.push(id="1", action="delete")
    by_digest["target"] = {"digest": A, "repository": "ml/llm"}
    by_tag = samples.push(id="2", action="delete")
    by_tag["target"] = {"tag": "prod", "repository": "ml/llm"}
    told = read({"events": [by_digest, by_tag]})
    assert [(e.action, e.tag, e.digest) for e in told.events] == [
        (RegistryAction.DELETE, "", A),
        (RegistryAction.DELETE, "prod", ""),
    ]


def test_acr_sends_one_object() -> None:
    told = read(samples.acr())
    (event,) = told.events
    assert (told.channel, event.registry, event.tag, event.actor) == (
        Channel.ACR,
        "acme.azurecr.io",
        "prod",
        "",
    )


@pytest.mark.parametrize("action", ["chart_push", "chart_delete", "quarantine", "ping"])
def test_other_actions_of_acr_mean_nothing(action: str) -> None:
    told = read(samples.acr(action))
    assert (told.channel, told.events, told.ignored, told.status) == (Channel.ACR, (), 1, 0)


@pytest.mark.parametrize("kind", ["Microsoft.ContainerRegistry.ImagePushed", "ImagePushed"])
@pytest.mark.parametrize("envelope", [samples.grid, samples.cloud])
@pytest.mark.parametrize("batch", [True, False])
def test_event_grid_in_all_its_shapes(kind: str, envelope: Any, batch: bool) -> None:
    body = envelope(kind)
    told = read([body] if batch else body)
    (event,) = told.events
    assert told.channel is Channel.EVENT_GRID
    assert (event.id, event.registry, event.tag, event.digest) == ("831e1650", "acme.azurecr.io", "prod", A)
    assert (event.actor, event.address) == ("ci@acme", "")
    assert event.told_ns == AT * 10**9 + 626522556


def test_event_grid_deletes_have_no_tag() -> None:
    target = {"digest": A, "repository": "ml/llm", "mediaType": "application/vnd.oci.image.manifest.v1+json"}
    (event,) = read([samples.grid("Microsoft.ContainerRegistry.ImageDeleted", target=target)]).events
    assert (event.action, event.tag, event.digest) == (RegistryAction.DELETE, "", A)


def test_event_grid_names_the_registry_where_the_request_does_not() -> None:
    (event,) = read(samples.grid(request=None, timestamp=None)).events
    assert event.registry == "acme.azurecr.io"
    assert event.told_ns == AT * 10**9 + 10**9 + 654961400  # of the envelope


def test_charts_and_other_services_of_event_grid_mean_nothing() -> None:
    kinds = ["ChartPushed", "Microsoft.ContainerRegistry.ChartDeleted", "Microsoft.Storage.BlobCreated"]
    told = read([samples.grid(kind) for kind in kinds])
    assert (told.events, told.ignored) == ((), 3)


def test_the_handshake_of_event_grid() -> None:
    told = read([samples.validation()])
    assert told.handshake is not None
    assert json.loads(told.handshake.body) == {"validationResponse": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"}
    assert not told.events


def test_a_handshake_beside_events_is_refused() -> None:
    assert read([samples.validation(), samples.grid()]).status == 400


@pytest.mark.parametrize("code", ["", "x" * 513, "a\nb", "é", 5, None])
def test_a_handshake_with_a_strange_code_is_refused(code: object) -> None:
    body = samples.validation()
    body["data"]["validationCode"] = code
    told = read([body])
    assert (told.status, told.handshake) == (400, None)


def test_the_handshake_of_cloudevents() -> None:
    told = consent(
        {"webhook-request-origin": "eventgrid.azure.net", "webhook-request-callback": "https://x.example"}
    )
    assert told is not None
    assert told.headers == (
        ("webhook-allowed-origin", "eventgrid.azure.net"),
        ("webhook-allowed-rate", "*"),
        ("allow", "POST, OPTIONS"),
    )
    assert consent({"webhook-request-origin": "evil.example"}) is None
    assert consent({}) is None


def test_harbor_in_both_formats() -> None:
    default, cloud = read(samples.harbor()), read(samples.harbor_cloud(), "application/cloudevents+json")
    assert default.channel is cloud.channel is Channel.HARBOR
    for told in (default, cloud):
        (event,) = told.events
        assert (event.registry, event.repository, event.tag) == ("harbor.example:8443", "ml/llm", "prod")
        assert (event.digest, event.actor, event.told_ns) == (A, "robot$ci", AT * 10**9)
    assert cloud.events[0].id == "4b2f89a6"


def test_harbor_has_no_id_so_all_that_it_says_is_one() -> None:
    one, again, other = (read(samples.harbor(tag=tag)).events[0].id for tag in ("prod", "prod", "stage"))
    assert one == again != other


def test_a_digest_in_place_of_harbors_tag_is_none() -> None:
    (event,) = read(samples.harbor(tag=A)).events
    assert (event.tag, event.digest) == ("", A)


def test_several_artifacts_of_harbor_are_several_events() -> None:
    body = samples.harbor()
    body["event_data"]["resources"] *= 3
    assert len({event.id for event in read(body).events}) == 3


@pytest.mark.parametrize("kind", ["SCANNING_COMPLETED", "REPLICATION", "TAG_RETENTION", "QUOTA_EXCEED"])
def test_what_else_harbor_tells_means_nothing(kind: str) -> None:
    told = read(samples.harbor(kind))
    assert (told.channel, told.events, told.ignored) == (Channel.HARBOR, (), 1)
    assert read(samples.harbor_cloud("harbor.scan.completed")).ignored == 1


def test_the_operators_name_of_a_registry_counts_and_not_the_host_that_a_pusher_chose() -> None:
    body = samples.push()
    body["request"]["host"] = "other.example"
    assert (
        read({"events": [body]}, registry="registry.acme.example").events[0].registry
        == "registry.acme.example"
    )
    assert read({"events": [body]}).events[0].registry == "other.example"


def test_a_host_that_is_none_leaves_the_registry_empty() -> None:
    body = samples.push()
    body["request"]["host"] = "not a host/../"
    assert read({"events": [body]}).events[0].registry == ""


@pytest.mark.parametrize(
    "digest",
    [
        "sha256:" + "a" * 63,
        "sha256:" + "A" * 64,
        "sha512:" + "a" * 64,
        "md5:" + "a" * 32,
        A + " ",
        A + "\n",
        "",
        "sha256:" + "g" * 64,
    ],
)
def test_a_digest_that_is_none_refuses_all(digest: str) -> None:
    told = read({"events": [samples.push(), samples.push(digest=digest)]})
    assert (told.status, told.events) == (400, ())


@pytest.mark.parametrize("name", ["repository", "tag"])
@pytest.mark.parametrize("value", ["../x", "a b", "x" * 300, "ü", "-a", ".a"])
def test_names_that_no_registry_has_are_refused(name: str, value: str) -> None:
    body = samples.push()
    body["target"][name] = value
    assert read({"events": [body]}).status == 400


@pytest.mark.parametrize("size", [-1, 1 << 63, 10**30])
def test_sizes_that_no_artifact_has_are_refused(size: int) -> None:
    body = samples.push()
    body["target"]["size"] = size
    assert read({"events": [body]}).status == 400


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"],
)
def test_other_content_types_are_refused(content_type: str) -> None:
    assert read(samples.distribution(), content_type).status == 415


def test_compressed_bodies_are_refused() -> None:
    assert decode(samples.distribution(), JSON, {"content-encoding": "gzip"}).status == 415


def nested(depth: int) -> bytes:
    body = samples.push(more=0)
    return (
        b'{"events":['
        + json.dumps(body)
        .encode()
        .replace(b'"more": 0', b'"more": ' + b'[{"k":' * (depth // 2) + b"1" + b"}]" * (depth // 2))
        + b"]}"
    )


def test_depth_is_bounded_at_the_number_that_is_told() -> None:
    assert (
        len(read(nested(MAX_DEPTH - 4)).events) == 1
    )  # the event itself has two levels around and one within
    assert read(nested(MAX_DEPTH - 2)).status == 400
    assert read(nested(100_000)).status == 400


def test_brackets_in_texts_are_no_depth() -> None:
    body = samples.push(actor={"name": '[[[{{{"\\' * 60})
    assert len(read({"events": [body]}).events) == 1


def test_the_number_of_events_is_bounded() -> None:
    small = {"action": "mount"}
    assert read({"events": [small] * MAX_EVENTS}).ignored == MAX_EVENTS
    assert read({"events": [small] * (MAX_EVENTS + 1)}).status == 400
    assert read([{"eventType": "ChartPushed"}] * (MAX_EVENTS + 1)).status == 400
    body = samples.harbor()
    body["event_data"]["resources"] = [{"digest": A, "tag": "a"}] * (MAX_EVENTS + 1)
    assert read(body).status == 400


def test_the_size_of_a_body_and_the_number_of_its_values_are_bounded() -> None:
    padded = samples.distribution() + b" " * (MAX_BODY_BYTES - len(samples.distribution()))
    assert len(read(padded).events) == 1
    assert read(padded + b" ").status == 400
    assert read(b"[" + b"1," * MAX_VALUES + b"1]").status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"5", b'"x"', b"{}", b"[[]]", b"[1]", b"{", b"\xff\xfe", b'{"events":{}}', b'{"events":[5]}', b'{"a":NaN}',
        b'{"events":[{"id":5}]}', b'{"specversion":"1.0"}', b'{"specversion":"1.0","type":"com.example.x"}',
        b'\xef\xbb\xbf{"events":[]}',
        b'{"type":"PUSH_ARTIFACT","occur_at":1,"event_data":{}}', b'{"type":"PUSH_ARTIFACT","occur_at":1e400,"event_data":null}',
    ],
)  # fmt: skip
def test_what_is_no_webhook_is_refused(body: bytes) -> None:
    told = read(body)
    assert (told.status, told.events, told.handshake) == (400, (), None)
    assert told.problems


def test_long_texts_are_cut_and_long_ids_become_digests() -> None:
    body = samples.push(id="i" * 5_000, actor={"name": "n" * 5_000})
    (event,) = read({"events": [body]}).events
    assert len(event.actor) == 512
    assert event.id.startswith("sha256:")


def test_a_lone_surrogate_is_made_visible_or_refused() -> None:
    body = json.dumps({"events": [samples.push(actor={"name": "\ud800"})]}).encode()
    for event in read(body).events:
        event.actor.encode()


KNOWN = st.sampled_from(
    [
        samples.push(), samples.grid(), samples.cloud(), samples.harbor(), samples.harbor_cloud(), samples.validation(),
        json.loads(samples.acr()), {"events": [samples.push()]}, [samples.grid()],
    ]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | KNOWN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def twisted(draw: st.DrawFn) -> bytes:
    """A real body with some of its values replaced by anything."""
    body = json.loads(json.dumps(draw(KNOWN)))
    for _ in range(draw(st.integers(0, 3))):
        at = body
        while isinstance(at, dict | list) and at:
            key = (
                draw(st.sampled_from(sorted(at)))
                if isinstance(at, dict)
                else draw(st.integers(0, len(at) - 1))
            )
            if draw(st.booleans()) or not isinstance(at[key], dict | list):
                at[key] = deepcopy(draw(VALUES))  # a drawn sample is the same object every time
                break
            at = at[key]
    return json.dumps(body).encode()


BODIES = st.binary(max_size=300) | twisted() | st.builds(lambda value: json.dumps(value).encode(), VALUES)


@given(BODIES, st.sampled_from(sorted(CONTENT_TYPES)))
def test_whatever_comes_it_is_an_answer_within_its_bounds(body: bytes, content_type: str) -> None:
    told = decode(body, content_type, {})
    assert told.status in (0, 400)
    assert bool(told.status) == bool(told.problems)
    assert not (told.status and (told.events or told.handshake))
    for event in told.events:
        assert event.digest or event.action is RegistryAction.DELETE
        assert len(event.actor) <= 5_120  # a lone surrogate becomes six characters
        assert 0 <= event.told_ns < 1 << 63
        assert 0 <= event.size < 1 << 63
        assert event.id


@given(BODIES, st.integers(0, 400))
def test_a_body_that_is_cut_is_refused_or_read(body: bytes, at: int) -> None:
    assert decode(body[:at], "application/json", {}).status in (0, 400)
