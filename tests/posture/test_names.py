"""Names and values: whatever they are, reading them ends, says little, and never repeats a value."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from eightysix.model.posture import Confidence
from eightysix.posture.domains import credentials, domains
from eightysix.posture.hostfiles import files_under
from eightysix.posture.names import is_placeholder, of_secret, of_value, of_variable, url_login
from eightysix.posture.objects import (
    Container,
    EnvFrom,
    EnvVar,
    Meta,
    Named,
    PodSpec,
    Volume,
    VolumeMount,
    _KeyRef,
    _SecretVolume,
    _ValueFrom,
)
from eightysix.posture.snapshot import Snapshot, Template


@pytest.mark.parametrize(
    ("name", "domain", "system"),
    [
        ("HF_TOKEN", "delivery", "huggingface.co"),
        ("vllmApiKey", "llm", "vllm"),
        ("AZURE_OPENAI_API_KEY", "llm", "openai"),
        ("AWS_BEARER_TOKEN_BEDROCK", "llm", "bedrock"),
        ("POETRY_PYPI_TOKEN_ACME", "delivery", "pypi.org"),
        ("NGC_API_KEY", "delivery", "nvcr.io"),
        ("NVIDIA_API_KEY", "llm", "nvidia"),
        ("AZURE_CLIENT_SECRET", "cloud", "azure"),
    ],
)
def test_variables_name_domain_and_system(name: str, domain: str, system: str) -> None:
    found = of_variable(name)
    assert found is not None
    assert (found.domain, found.system) == (domain, system)


@pytest.mark.parametrize(
    "value", ["", "EMPTY", "$(HF_TOKEN)", "<token>", "xxxxxxxx", "aaaaaaaaaa", "dummy", "changeme", "ab12c"]
)
def test_values_that_stand_for_none(value: str) -> None:
    assert is_placeholder(value)


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("https://u:secretvalue@pkgs.example.org/simple", "pkgs.example.org"),
        ("git+https://ghtokenvalue@github.com:443/a/b", "github.com"),
        ("https://example.org/?x=a@b", ""),
        ("https://u:$(PASSWORD)@example.org/", ""),
        ("x://", ""),
        ("see https://a.org and https://u:longsecret@b.org/", "b.org"),
    ],
)
def test_logins_in_addresses(value: str, host: str) -> None:
    assert url_login(value) == host


@given(st.text(max_size=400))
def test_any_name_and_value_is_read(text: str) -> None:
    of_variable(text)
    of_secret(text)
    of_value(text)
    url_login(text)
    files_under(text)
    files_under("/" + text)


def test_long_values_are_looked_at_no_further_than_bounds() -> None:
    assert of_variable("A" * 300 + "_TOKEN") is None
    assert of_secret("hf-token" * 100) is None
    assert url_login("://" * 1_000_000) == ""
    assert of_value("ghp_ " * 1_000_000) is None
    assert files_under("/" + "a/" * 10_000) == ()


_NAMES = st.sampled_from(
    ["HF_TOKEN", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "KUBE_TOKEN", "MODE", "GITHUB_TOKEN", "X"]
) | st.text(max_size=30)
_SECRETS = st.sampled_from(
    ["hf-token", "openai", "aws-credentials", "admin-kubeconfig", "app", "regcred"]
) | st.text(max_size=30)
_VALUES = st.sampled_from(
    ["EMPTY", "ghp_c4naryC4NARYc4nary0123456789abcd", "https://u:longsecret@pypi.org/"]
) | st.text(max_size=60)


@st.composite
def _variables(draw: st.DrawFn) -> EnvVar:
    if draw(st.booleans()):
        key = _KeyRef(draw(_SECRETS), draw(_NAMES), draw(st.none() | st.booleans()))
        return EnvVar(draw(_NAMES), None, _ValueFrom(secret_key_ref=key))
    return EnvVar(draw(_NAMES), draw(_VALUES))


@st.composite
def _templates(draw: st.DrawFn) -> Template:
    env = tuple(draw(st.lists(_variables(), max_size=4)))
    sources = tuple(EnvFrom(secret_ref=Named(name)) for name in draw(st.lists(_SECRETS, max_size=2)))
    volumes = tuple(
        Volume(f"v{index}", secret=_SecretVolume(name))
        for index, name in enumerate(draw(st.lists(_SECRETS, max_size=2)))
    )
    mounts = tuple(VolumeMount(volume.name, "/x") for volume in volumes)
    container = Container("main", "x", env=env, env_from=sources, volume_mounts=mounts)
    spec = PodSpec(
        containers=(container,),
        volumes=volumes,
        automount_service_account_token=draw(st.none() | st.booleans()),
        image_pull_secrets=tuple(Named(name) for name in draw(st.lists(_SECRETS, max_size=2))),
    )
    return Template("ns", "Pod", draw(st.text(min_size=1, max_size=9)), Meta(), spec)


@settings(max_examples=60)
@given(_templates(), _variables(), _SECRETS)
def test_another_credential_never_lowers_the_density(
    template: Template, variable: EnvVar, secret: str
) -> None:
    snapshot = Snapshot()
    before = credentials(template, snapshot)
    (container,) = template.spec.containers
    more = replace(
        container,
        env=(*(container.env or ()), variable),
        env_from=(*(container.env_from or ()), EnvFrom(secret_ref=Named(secret))),
    )
    larger = replace(template, spec=replace(template.spec, containers=(more,)))
    after = credentials(larger, snapshot)
    assert set(domains(before)) <= set(domains(after))
    kept = {(one.domain, one.name, one.signal, one.target) for one in after}
    assert {(one.domain, one.name, one.signal, one.target) for one in before} <= kept


@settings(max_examples=60)
@given(_templates())
def test_the_order_in_which_a_pod_is_written_changes_nothing_but_paths(template: Template) -> None:
    (container,) = template.spec.containers
    turned = replace(container, env=tuple(reversed(container.env or ())))
    other = replace(template, spec=replace(template.spec, containers=(turned,)))

    def told(one: Template) -> set[tuple[str, str, str, Confidence]]:
        return {(c.domain, c.name, c.signal, c.confidence) for c in credentials(one, Snapshot())}

    assert told(template) == told(other)


@settings(max_examples=60)
@given(_templates(), st.text(alphabet="abcdefghijkABCDEFGHIJK0123456789", min_size=24, max_size=60))
def test_no_value_is_repeated(template: Template, canary: str) -> None:
    assume(canary not in repr(template))  # a name may be anything, this too
    token = f"ghp_{canary}9"
    (container,) = template.spec.containers
    env = (
        *(container.env or ()),
        EnvVar("HF_TOKEN", token),
        EnvVar("MODE", token),
        EnvVar("PIP_INDEX_URL", f"https://u:{token}@pypi.org/"),
    )
    holding = replace(container, env=env, args=(token, f"--x={token}"), command=("sh", "-c", f"echo {token}"))
    found = credentials(replace(template, spec=replace(template.spec, containers=(holding,))), Snapshot())
    assert canary not in repr(found)
