"""Azure's wire server is a credential on ports 80 and 32526, whoever tells of the connection, and DNS and health elsewhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eightysix.detect.actions import Action, action_of
from eightysix.model.event import Event
from eightysix.model.words import Domain
from eightysix.sources.falco import FalcoDecoder
from eightysix.sources.sensor import SensorDecoder
from eightysix.sources.tetragon import TetragonDecoder
from tests.sources.test_falco import CONNECT, alert
from tests.streams import ATTACKS, FULL

WIRE_SERVER = "168.63.129.16"
STREAMS = ATTACKS["breach-86s"](FULL).streams


def _falco(port: int) -> list[Event]:
    told: dict[str, Any] = {**CONNECT, "fd_rip": WIRE_SERVER, "fd_rport": port, "fd_name": None}
    return FalcoDecoder({}).decode(json.dumps(alert(**told)).encode(), "f", 1).events


def _tetragon(port: int) -> list[Event]:
    record = next(r for r in map(json.loads, STREAMS["tetragon.jsonl"]) if '"sock_arg"' in json.dumps(r))
    record["process_kprobe"]["args"][0]["sock_arg"] |= {"daddr": WIRE_SERVER, "dport": port}
    return TetragonDecoder({}, {}).decode(json.dumps(record).encode(), "f", 1).events


def _sensor(port: int) -> list[Event]:
    record = next(r for r in map(json.loads, STREAMS["sensor.jsonl"]) if r["event"] == "connect")
    return (
        SensorDecoder()
        .decode(json.dumps(record | {"dst": WIRE_SERVER, "port": port}).encode(), "f", 1)
        .events
    )


@pytest.mark.parametrize("tell", [_falco, _tetragon, _sensor])
@pytest.mark.parametrize("port", [80, 32526])
def test_on_its_two_ports_it_is_a_credential(tell: Any, port: int) -> None:
    (event,) = tell(port)
    assert event.domain is Domain.CLOUD
    assert action_of(event) is Action.CREDENTIAL


@pytest.mark.parametrize("tell", [_falco, _tetragon, _sensor])
@pytest.mark.parametrize("port", [53, 443, 8080, 32527, 8037])
def test_on_any_other_it_is_the_platforms_network(tell: Any, port: int) -> None:
    for event in tell(port):
        assert event.domain is None
        assert action_of(event) is Action.CONNECT


@pytest.mark.parametrize(
    ("url", "credential"),
    [
        (f"http://{WIRE_SERVER}/machine/?comp=goalstate", True),
        (f"http://{WIRE_SERVER}:32526/vmSettings", True),
        (f"http://{WIRE_SERVER}/?comp=versions", False),
        (f"http://{WIRE_SERVER}:32526/health", False),
        (f"http://{WIRE_SERVER}:8080/machine", False),
    ],
)
def test_a_path_tells_whether_it_gives_one(url: str, credential: bool) -> None:
    record = next(r for r in map(json.loads, STREAMS["sensor.jsonl"]) if r["event"] == "http")
    record = {**record, "url": url}
    (event,) = SensorDecoder().decode(json.dumps(record).encode(), "f", 1).events
    assert event.domain is (Domain.CLOUD if credential else None)
