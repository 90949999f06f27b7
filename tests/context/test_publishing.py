"""Places to publish to, by name; and what a baseline knows of a workload's publishing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.context.baseline import Baseline, decode_baseline, encode_baseline
from eightysix.context.commands import summarise
from eightysix.context.credentials import credential_at
from eightysix.context.publishing import PUBLISHING_KINDS, delivery_service

HISTORY = "ci/EphemeralRunner/build-runner"


@pytest.mark.parametrize(
    ("name", "path", "service"),
    [
        ("upload.pypi.org", "", "upload"),
        ("UPLOAD.PYPI.ORG.", "/legacy/", "upload"),
        ("pypi.org", "/simple/torch/", "package-index"),
        ("registry.npmjs.org", "", "package-index"),
        ("ghcr.io", "/v2/contoso/x/manifests/prod", "registry"),
        ("ghcr.io", "/v2/contoso/x/blobs/uploads/", "upload"),
        ("contosoml.azurecr.io", "", "registry"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "", "registry"),
        ("github.com", "/contoso/x/git-upload-pack", "repository"),
        ("github.com", "/contoso/x/git-receive-pack", "upload"),
        ("huggingface.co", "/api/models/contoso/x/preupload/main", "upload"),
        ("huggingface.co", "/contoso/x/resolve/main/config.json", "model-hub"),
        ("pipelines.actions.githubusercontent.com", "", "oidc"),
        ("azurecr.io.example.org", "", ""),
        ("evilgithub.com", "/x/git-receive-pack", ""),
        ("s3.eu-west-1.amazonaws.com", "", ""),
        ("", "", ""),
    ],
)
def test_services(name: str, path: str, service: str) -> None:
    assert delivery_service(name, path) == service


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_is_judged(name: str, path: str) -> None:
    assert delivery_service(name, path) in (
        "", "upload", "package-index", "registry", "repository", "model-hub", "oidc",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("binary", "arguments", "summary"),
    [
        ("twine", "upload -u __token__ -p pypi-AgEIcHlwaS5vcmc dist/x.whl", "twine upload"),
        ("python3", "-m twine upload dist/x.whl", "python3 -m twine upload"),
        ("python3", "/opt/venv/bin/twine upload dist/x.whl", "twine upload"),
        ("uv", "publish --token pypi-AgEIcHlwaS5vcmc", "uv publish"),
        ("npm", "publish --access public", "npm publish"),
        ("docker", "push contosoml.azurecr.io/ml/x:1", "docker push"),
        ("oras", "push ghcr.io/contoso/x:1 file", "oras push"),
        ("crane", "push layer.tar ghcr.io/contoso/x", "crane push"),
        ("git", "push https://me:hunter2@github.com/contoso/x", "git push"),
        ("hf", "upload contoso/x .", "hf upload"),
        ("huggingface-cli", "upload contoso/x .", "huggingface-cli upload"),
        ("gh", "release create v1 x.whl", "gh release create"),
        ("skopeo", "copy docker-archive:x.tar docker://ghcr.io/contoso/x", "skopeo copy"),
    ],
)
def test_programs_that_publish(binary: str, arguments: str, summary: str) -> None:
    """What is published, and with what, is not repeated."""
    command = summarise(f"/usr/bin/{binary}", arguments)
    assert (command.activity, command.summary, command.artifacts) == ("publish", summary, ())


@pytest.mark.parametrize(
    ("binary", "arguments"),
    [
        ("docker", "pull x"),
        ("git", "fetch"),
        ("npm", "install x"),
        ("hf", "download x"),
        ("twine", "check dist/x"),
    ],
)
def test_those_that_do_not(binary: str, arguments: str) -> None:
    assert summarise(f"/usr/bin/{binary}", arguments).activity != "publish"


def test_kinds_are_those_of_the_credential_table() -> None:
    paths = (
        "/root/.docker/config.json", "/root/.pypirc", "/root/.npmrc", "/root/.cargo/credentials.toml", "/root/.git-credentials",
        "/root/.config/gh/hosts.yml", "/root/.netrc", "/root/.ssh/id_ed25519", "/root/.cache/huggingface/token",
        "/root/.kaggle/kaggle.json", "/home/runner/actions-runner/.credentials",
    )  # fmt: skip
    found = {credential.kind for path in paths if (credential := credential_at(path)) is not None}
    assert found == PUBLISHING_KINDS


def history(**values: set[str]) -> Baseline:
    baseline = Baseline(kinds={"credentials", "publishes"})
    profile = baseline.profile(HISTORY, "sha256:1")
    for kind, names in values.items():
        for name in names:
            profile.add(kind, name)
    return baseline


def test_a_workload_has_published_or_has_not() -> None:
    assert history(publishes={"docker push"}).has_any(HISTORY, "publishes") == "known"
    assert history(programs={"/usr/bin/python"}).has_any(HISTORY, "publishes") == "new"
    assert history().has_any("ml/Deployment/other", "publishes") == "unknown"
    assert history().has_any("", "publishes") == "unknown"


def test_a_baseline_of_an_earlier_release_did_not_look() -> None:
    """It lacks the key: that it names no credential does not say that there was none."""
    old = encode_baseline(history(programs={"/usr/bin/python"}))
    old = old.replace(b' "kinds": [\n  "credentials",\n  "publishes"\n ],\n', b"")
    assert b"kinds" not in old
    baseline = decode_baseline(old)
    assert baseline.has_any(HISTORY, "publishes") == "unknown"
    assert baseline.novelty(HISTORY, "credentials", "pypirc") == "unknown"
    assert baseline.novelty(HISTORY, "programs", "/usr/bin/git") == "new"


def test_a_kind_of_credential_is_new_once() -> None:
    baseline = history(credentials={"docker-config"})
    assert baseline.novelty(HISTORY, "credentials", "docker-config") == "known"
    assert baseline.novelty(HISTORY, "credentials", "pypirc") == "new"
    assert decode_baseline(encode_baseline(baseline)) == baseline
