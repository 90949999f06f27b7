"""Where a connection goes, whatever the address looks like and whoever names it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.context.destinations import address, classify

CLASSES = {
    "metadata",
    "wire-server",
    "api-server",
    "index",
    "loopback",
    "link-local",
    "cluster",
    "public",
    "unknown",
}


@pytest.mark.parametrize(
    "ip",
    [
        "169.254.169.254",
        "fd00:ec2::254",
        "FD00:EC2:0:0::254",
        "169.254.170.2",
        "169.254.170.23",
        "fd00:ec2::23",
        "100.100.100.200",
        "fd20:ce::254",
        "::ffff:169.254.169.254",
        "::ffff:a9fe:a9fe",
        "::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "fe80::a9fe:a9fe%eth0",
        "0251.0376.0251.0376",
        "0xa9fea9fe",
        "2852039166",
        "169.254.43518",
        "169.254.169.0254",
    ],
)
@pytest.mark.parametrize("port", [80, 0, 8080, 53])
def test_metadata_services(ip: str, port: int) -> None:
    assert classify(ip, port) == "metadata"


@pytest.mark.parametrize(
    ("ip", "port", "kind"),
    [
        ("168.63.129.16", 80, "wire-server"),
        ("168.63.129.16", 32526, "wire-server"),
        ("168.63.129.16", 53, "cluster"),
        ("10.96.0.1", 443, "api-server"),
        ("10.0.0.1", 443, "api-server"),
        ("172.20.0.1", 6443, "api-server"),
        ("34.118.224.1", 443, "api-server"),
        ("34.118.224.1", 80, "public"),
        ("10.96.0.1", 80, "cluster"),
        ("127.0.0.53", 53, "loopback"),
        ("::1", 80, "loopback"),
        ("0.0.0.0", 80, "loopback"),
        ("169.254.1.1", 80, "link-local"),
        ("fe80::1%eth0", 80, "link-local"),
        ("10.244.1.5", 80, "cluster"),
        ("172.16.0.1", 80, "cluster"),
        ("172.32.0.1", 80, "public"),
        ("192.168.1.1", 80, "cluster"),
        ("100.64.0.1", 80, "cluster"),
        ("100.128.0.1", 80, "public"),
        ("fd12::1", 80, "cluster"),
        ("::ffff:10.0.0.5", 80, "cluster"),
        ("203.0.113.10", 80, "public"),  # Python's is_private says private
        ("8.8.8.8", 53, "public"),
        ("2001:db8::1", 443, "public"),
        ("2606:4700::1111", 443, "public"),
        ("010.0.0.1", 80, "public"),  # octal 8.0.0.1 or decimal 10.0.0.1: the worse reading
        ("008.008.008.008", 80, "public"),
        ("224.0.0.1", 80, "unknown"),
        ("ff02::1", 80, "unknown"),
        ("1.2.3.4.5", 80, "unknown"),
        ("256.1.1.1", 80, "unknown"),
        ("example.com", 80, "unknown"),
        ("a" * 100_000, 80, "unknown"),
    ],
)
def test_addresses(ip: str, port: int, kind: str) -> None:
    assert classify(ip, port) == kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("metadata.google.internal.", "metadata"),
        ("169.254.169.254", "metadata"),
        ("KUBERNETES.default.svc", "api-server"),
        ("kubernetes.default.svc.cluster.local", "api-server"),
        ("aks-dns-1.hcp.westeurope.azmk8s.io", "api-server"),
        ("ABC.gr7.us-east-1.eks.amazonaws.com", "api-server"),
        ("files.pythonhosted.org", "index"),
        ("registry.npmjs.org", "index"),
        ("localhost", "loopback"),
        ("redis", "cluster"),
        ("vault.infra.svc.cluster.local", "cluster"),
        ("telemetry.perf-utils.example", "public"),
        ("pypi.org.evil.example", "public"),
        ("", "unknown"),
        ("a b", "unknown"),
        ("x" * 300, "unknown"),
    ],
)
def test_names_without_an_address(name: str, kind: str) -> None:
    assert classify("", 443, name) == kind


@pytest.mark.parametrize("name", ["pypi.org", "localhost", "kubernetes.default.svc", "metadata", "10.0.0.5"])
def test_a_name_never_moves_a_public_address(name: str) -> None:
    assert classify("203.0.113.10", 443, name) == "public"
    assert classify("not an address", 443, name) == "unknown"


def test_told_api_servers_are_known_in_any_spelling() -> None:
    told = frozenset({"198.51.100.7", "::FFFF:198.51.100.8", "api.cluster.example"})
    assert classify("198.51.100.7", 443, "", told) == "api-server"
    assert classify("198.51.100.8", 443, "", told) == "api-server"
    assert classify("", 443, "api.cluster.example", told) == "api-server"
    assert classify("169.254.169.254", 80, "", frozenset({"169.254.169.254"})) == "metadata"
    assert classify("198.51.100.7", 443) == "public"


@pytest.mark.parametrize(
    ("text", "ip"),
    [
        (" 10.0.0.1 ", "10.0.0.1"),
        ("[::1]", "::1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("example.com", ""),
        ("", ""),
        ("1.2.3.4:80", ""),
    ],
)
def test_addresses_have_one_spelling(text: str, ip: str) -> None:
    assert address(text) == ip


@given(st.one_of(st.text(), st.text("0123456789abcdefx.:%[]", max_size=40)), st.integers(), st.text())
def test_never_raises(ip: str, port: int, name: str) -> None:
    assert classify(ip, port, name) in CLASSES
    address(ip)


@given(st.ip_addresses(), st.text())
def test_every_address_has_a_class_that_no_name_changes(ip: object, name: str) -> None:
    assert classify(str(ip), 443, name) == classify(str(ip), 443)
    assert classify(address(str(ip)), 443) == classify(str(ip), 443)
