"""What publishing needs: which credentials open a place that others install or pull from, and where such places are.

A name comes from the pod's own sensor or from a resolver, so it only ever adds to a suspicion. The same hosts serve those
who download: only a host (or a path) that is there for uploads alone says `upload`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

__all__ = ["PUBLISHING_KINDS", "delivery_service"]

PUBLISHING_KINDS: Final = frozenset(
    {
        "docker-config",
        "pypirc",
        "npmrc",
        "package-registry",
        "git-credentials",
        "netrc",
        "ssh-key",
        "huggingface-token",
        "model-store",
        "ci-runner",
    }
)
"""Kinds of `context.credentials` with which something can be published."""

_UPLOADS: Final = frozenset(
    {
        "upload.pypi.org",  # packaging.python.org/guides/using-testpypi, twine's default
        "test.pypi.org",
        "uploads.github.com",  # docs.github.com/rest/releases/assets
        "push.fury.io",
    }
)
_SERVICES: Final = (
    ("package-index", ("registry.npmjs.org", "pypi.org", "npm.pkg.github.com", "crates.io", "rubygems.org")),
    ("registry", ("ghcr.io", "quay.io", "gcr.io", "registry-1.docker.io", "auth.docker.io", "index.docker.io",
                  "mcr.microsoft.com", "public.ecr.aws", "registry.gitlab.com", "nvcr.io")),
    ("repository", ("github.com", "api.github.com", "ssh.github.com", "gitlab.com", "bitbucket.org", "dev.azure.com",
                    "ssh.dev.azure.com", "codeberg.org")),
    ("model-hub", ("huggingface.co", "hf.co", "modelscope.cn", "www.kaggle.com", "api.wandb.ai")),
    ("oidc", ("pipelines.actions.githubusercontent.com", "vstoken.actions.githubusercontent.com",
              "token.actions.githubusercontent.com", "fulcio.sigstore.dev")),
)  # fmt: skip
_SUFFIXES: Final = (
    ("registry", (".azurecr.io", ".pkg.dev", ".gcr.io", ".docker.io", ".jfrog.io")),
    ("repository", (".visualstudio.com",)),
    ("oidc", (".actions.githubusercontent.com",)),
)
"""Documented host names of each service: docs.npmjs.com, docs.github.com (packages; actions, OpenID Connect),
learn.microsoft.com/azure/container-registry, docs.docker.com/docker-hub, cloud.google.com/artifact-registry,
docs.gitlab.com, huggingface.co/docs/hub, docs.sigstore.dev. `oidc` hands a CI job a token to publish with, without a
stored credential (docs.pypi.org/trusted-publishers)."""

_UPLOAD_PATHS: Final = ("/git-receive-pack", "/blobs/uploads", "/preupload/", "/commit/main", "/legacy/")
"""Requests that only an upload makes: gitprotocol-http(5), OCI distribution spec (pushing blobs), huggingface.co/docs/hub
(commits), Warehouse's upload API."""


@lru_cache(maxsize=4096)
def delivery_service(name: str, path: str = "") -> str:
    """What stands at a host by its name: `upload`, `package-index`, `registry`, `repository`, `model-hub`, `oidc`, or empty
    for any other. `path` (without query) tells an upload from a download where the sensor saw it."""
    name = name.strip().rstrip(".").lower()
    if name in _UPLOADS:
        return "upload"
    if ".dkr.ecr." in name and name.endswith((".amazonaws.com", ".amazonaws.com.cn")):
        found = "registry"
    else:
        found = next((kind for kind, names in _SERVICES if name in names), "") or next(
            (kind for kind, ends in _SUFFIXES if name.endswith(ends)), ""
        )
    return "upload" if found and any(part in f"{path}/" for part in _UPLOAD_PATHS) else found
