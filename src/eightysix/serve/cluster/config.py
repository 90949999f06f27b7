"""Where a cluster's API server is and how to prove who asks: a kubeconfig, or the account of the pod that this runs in.

A kubeconfig may make its reader run a program, trust any certificate or go through a proxy. None of that is done: it is
refused with what to do instead, so a file from elsewhere can make nothing run here.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import yaml
from msgspec import Struct

from eightysix.model.errors import ClusterError, UsageError

__all__ = ["IN_CLUSTER", "ClusterConfig", "from_kubeconfig", "in_cluster", "reachable_as"]

IN_CLUSTER = "/var/run/secrets/kubernetes.io/serviceaccount"
"""kubernetes.io/docs/tasks/run-application/access-api-from-pod."""

_MAX_FILE = 4 << 20
_MAX_TOKEN = 16 << 10
_EXEC = (
    "run `kubectl proxy` and name http://127.0.0.1:8001, or save `kubectl get ... -o json` and give the files"
)


class ClusterConfig(Struct, frozen=True):
    """How an API server is reached. `certificate` and `key` are PEM; `token_file` is read anew for each request, because it is
    renewed. `name` is what the cluster is called in what is told."""

    server: str
    name: str = ""
    authority: bytes = b""
    certificate: bytes = b""
    key: bytes = b""
    token: str = ""
    token_file: str = ""
    tls_name: str = ""

    def __repr__(self) -> str:
        return f"ClusterConfig({self.server!r}, {self.name!r})"

    def bearer(self) -> str:
        """The token to show now; empty where none is. Raises `ClusterError`."""
        if not self.token_file:
            return self.token
        try:
            with open(self.token_file, "rb") as file:
                text = file.read(_MAX_TOKEN + 1).decode("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ClusterError(
                "the token of the cluster cannot be read", f"look at {self.token_file}"
            ) from error
        if len(text) > _MAX_TOKEN or not text.isprintable():
            raise ClusterError("what should be a token of the cluster is none", f"look at {self.token_file}")
        return text


def reachable_as(config: ClusterConfig) -> ClusterConfig:
    """`config`, if it can be used as it is. Without TLS only this machine, and no token. Raises `UsageError`."""
    text, advice = config.server, "write it as https://host:6443"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError("the address of the cluster is no usable URL", advice) from error
    wrong = not host or parts.scheme not in ("http", "https") or parts.username is not None or parts.query
    if wrong or not text.isascii() or not text.isprintable() or port == 0:
        raise UsageError("the address of the cluster is no usable URL", advice)
    if parts.scheme == "http":
        if host not in ("127.0.0.1", "::1", "localhost"):
            raise UsageError(
                "the cluster would be asked without TLS", "use https; http is for `kubectl proxy` alone"
            )
        if config.token or config.token_file:
            raise UsageError("the token of the cluster would go out without TLS", "use https")
    return config


def in_cluster(environment: Mapping[str, str], folder: str = IN_CLUSTER) -> ClusterConfig:
    """The account of the pod that this runs in. Raises `UsageError` where it runs in none."""
    host, port = (
        environment.get("KUBERNETES_SERVICE_HOST", ""),
        environment.get("KUBERNETES_SERVICE_PORT", "443"),
    )
    authority = Path(folder) / "ca.crt"
    if not host or not authority.is_file():
        raise UsageError("this runs in no pod of a cluster", "name a kubeconfig")
    shown = f"[{host}]" if ":" in host else host
    return reachable_as(
        ClusterConfig(
            f"https://{shown}:{port}",
            authority=_file(str(authority)),
            token_file=str(Path(folder) / "token"),
        )
    )


def from_kubeconfig(path: str, context: str = "") -> ClusterConfig:
    """What a kubeconfig says of a context, the current one where none is named. Raises `UsageError` for what it does not say
    and for what is not done here."""
    try:
        told = yaml.load(_file(path), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe one
        config = msgspec.convert(told, _Kubeconfig)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(
            f"{path} is no kubeconfig", "name the file that `kubectl config view` shows"
        ) from error
    name = context or config.current or ""
    chosen = _named(config.contexts, name, "context", path)
    what = msgspec.convert(chosen, _Chosen)
    cluster = msgspec.convert(_named(config.clusters, what.cluster or "", "cluster", path), _Cluster)
    user = _User()
    if what.user:
        user = msgspec.convert(_named(config.users, what.user, "user", path), _User)
    return _config(cluster, user, what.cluster or "", os.path.dirname(os.path.abspath(path)))


class _Entry(Struct):
    name: str = ""
    cluster: Any = None
    context: Any = None
    user: Any = None


class _Kubeconfig(Struct, rename={"current": "current-context"}):
    clusters: list[_Entry] | None = None
    contexts: list[_Entry] | None = None
    users: list[_Entry] | None = None
    current: str | None = None


class _Chosen(Struct):
    cluster: str | None = None
    user: str | None = None


class _Cluster(
    Struct,
    rename={
        "authority_data": "certificate-authority-data",
        "authority": "certificate-authority",
        "unverified": "insecure-skip-tls-verify",
        "tls_name": "tls-server-name",
        "proxy": "proxy-url",
    },
):
    server: str | None = None
    authority_data: str | None = None
    authority: str | None = None
    unverified: bool | None = None
    tls_name: str | None = None
    proxy: str | None = None


class _User(
    Struct,
    rename={
        "program": "exec",
        "plugin": "auth-provider",
        "token_file": "tokenFile",
        "certificate_data": "client-certificate-data",
        "certificate": "client-certificate",
        "key_data": "client-key-data",
        "key": "client-key",
        "impersonated": "as",
    },
):
    token: str | None = None
    token_file: str | None = None
    certificate_data: str | None = None
    certificate: str | None = None
    key_data: str | None = None
    key: str | None = None
    program: Any = None
    plugin: Any = None
    username: str | None = None
    impersonated: str | None = None


def _named(entries: list[_Entry] | None, name: str, kind: str, path: str) -> Any:
    for entry in entries or ():
        if entry.name == name and isinstance(getattr(entry, kind), dict):
            return getattr(entry, kind)
    raise UsageError(f"{path} has no {kind} called {name!r}", "`kubectl config get-contexts` names them")


def _config(cluster: _Cluster, user: _User, name: str, folder: str) -> ClusterConfig:
    refused = (
        (cluster.unverified, "trusts any certificate", "give it the certificate authority of the cluster"),
        (cluster.proxy, "goes through a proxy", _EXEC),
        (user.program, "has a program run to sign in", _EXEC),
        (user.plugin, "signs in by a plugin that no client has any more", _EXEC),
        (user.username, "has a password, which API servers take no more", _EXEC),
        (user.impersonated, "acts as somebody else", "give a context of its own"),
    )
    for given, why, advice in refused:
        if given:
            raise UsageError(f"the kubeconfig {why}, which is not done here", advice)
    return reachable_as(
        ClusterConfig(
            cluster.server or "",
            name,
            _pem(cluster.authority_data, cluster.authority, folder),
            _pem(user.certificate_data, user.certificate, folder),
            _pem(user.key_data, user.key, folder),
            "" if user.token_file else user.token or "",
            os.path.join(folder, user.token_file) if user.token_file else "",
            cluster.tls_name or "",
        )
    )


def _pem(data: str | None, file: str | None, folder: str) -> bytes:
    if data:
        try:
            return base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError) as error:
            raise UsageError("a certificate or key in the kubeconfig is damaged", "make it anew") from error
    return _file(os.path.join(folder, file)) if file else b""


def _file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(_MAX_FILE + 1)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", "look at its name and its rights"
        ) from error
    if len(data) > _MAX_FILE:
        raise UsageError(f"{path} is larger than {_MAX_FILE} bytes", "name a kubeconfig")
    return data
