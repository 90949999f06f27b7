"""Names, versions and hosts are repeated only where they are valid and do not look like secrets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.context.packages import (
    READERS,
    host_name,
    is_version,
    looks_secret,
    normalise_name,
    url_host,
)


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("Torch_Perf.utils", "torch-perf-utils"),
        ("a", "a"),
        ("zope.interface", "zope-interface"),
        ("a__-..b", "a-b"),
        ("hf_transfer", "hf-transfer"),
        ("-a", ""),
        ("a-", ""),
        ("ä", ""),
        ("a b", ""),
        ("", ""),
        ("a" * 129, ""),
        ("ghp_0123456789abcdefABCDEF0123456789abcd", ""),
    ],
)
def test_names_are_normalised_as_pep_503_says(name: str, normal: str) -> None:
    assert normalise_name(name) == normal


@pytest.mark.parametrize(
    "version",
    ["1", "1.4.3", "2!1.0", "1.0rc1", "v2.0.post1", "1.0.dev3", "2.1.0+cu121", "1.*", "2024.11.23", "1.0-1"],
)
def test_versions(version: str) -> None:
    assert is_version(version)


@pytest.mark.parametrize(
    "text", ["", "secret", "1.secret", "1.0+Secret", "1.0+" + "a" * 17, "${V}", "1 0", "1" * 49, "\u0661"]
)
def test_what_is_no_version(text: str) -> None:
    assert not is_version(text)


@pytest.mark.parametrize(
    "word",
    [
        "ghp_0123456789abcdefABCDEF0123456789abcd",
        "AKIAIOSFODNN7EXAMPLE12",
        "folder/hf_abcdefghijklmnop01234",
        "0123456789abcdef0123456789abcdef01234567",
        "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
    ],
)
def test_tokens_are_known(word: str) -> None:
    assert looks_secret(word)


@pytest.mark.parametrize(
    "word",
    [
        "hf_transfer",
        "sk-learn-extra",
        "pypi-simple",
        "opentelemetry-instrumentation-fastapi",
        "1795405130229496",
    ],
)
def test_ordinary_names_are_not_taken_for_tokens(word: str) -> None:
    assert not looks_secret(word)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://user:pass@Host.Example:8443/p?q#f", "host.example"),
        ("https://host.example?q=a@b", "host.example"),
        ("https://[fd00:ec2::254]/latest", "fd00:ec2::254"),
        ("https://us/er:pa@host.example/", ""),  # a slash in the user: nobody knows what the host is
        ("https://user:pa/ss@host.example/", ""),
        ("https://host.example\\@evil.example", "host.example"),
        ("https:///path", ""),
        ("no url", ""),
        ("https://host.example:port", ""),
    ],
)
def test_of_a_url_only_the_host_is_told(url: str, host: str) -> None:
    assert url_host(url) == host


def test_secrets_in_host_names_are_withheld() -> None:
    leaving = "0123456789abcdef0123456789abcdef01234567"
    assert host_name(f"{leaving}.evil.example") == "….evil.example"


@given(st.sampled_from(sorted(READERS)), st.text(), st.text())
def test_no_reader_raises_or_lets_control_characters_through(reader: str, word: str, cwd: str) -> None:
    landing = READERS[reader](word, cwd)
    if landing is not None:
        assert landing.shown.isprintable()
        assert all(
            artifact.name.isprintable() and len(artifact.name) <= 253 for artifact in landing.artifacts
        )
