"""Where a URL leads, however its host is written."""

from __future__ import annotations

import pytest

from eightysix.scan.agent.urls import Reach, reach


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "metadata.google.internal.",
     "[fd00:ec2::254]", "100.100.100.200", "user@169.254.169.254", "169.254.170.23:80"],
)  # fmt: skip
def test_the_metadata_service(host: str) -> None:
    assert reach(f"http://{host}/latest") is Reach.METADATA


@pytest.mark.parametrize(
    "host", ["localhost:1", "127.0.0.1", "10.1.2.3", "vllm", "a.b.svc", "x.local", "[::1]"]
)
def test_near(host: str) -> None:
    assert reach(f"http://{host}/") is Reach.NEAR


@pytest.mark.parametrize(
    "host", ["example.org", "8.8.8.8", "1.2.3.4.5.6", "169.254.169.254.nip.io", "[::", "999999999999"]
)
def test_public(host: str) -> None:
    assert reach(f"https://{host}/") in (Reach.PUBLIC, Reach.NEAR if host == "999999999999" else Reach.PUBLIC)


def test_no_host() -> None:
    assert reach("file:///etc/passwd") is Reach.NOWHERE
