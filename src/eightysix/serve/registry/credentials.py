"""Whom we are to a registry: what Docker's `config.json` says, or a workload's identity in Entra.

A `config.json` may name a program that gives credentials (`credsStore`, `credHelpers`). None is run unless the operator asked
for it: a file from elsewhere makes nothing run here. Secrets stay in memory, in no message and in no `repr`.
"""

from __future__ import annotations

import base64
import binascii
import shutil
import subprocess
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec
from msgspec import Struct, field

from eightysix.gate.references import parse_registry
from eightysix.model.errors import DeliveryError, EightysixError, RegistryError, UsageError
from eightysix.serve.deliver.entra import EntraTokens
from eightysix.serve.deliver.http import HttpClient

__all__ = ["Anonymous", "Credentials", "DockerConfig", "EntraLogin", "Login", "is_azure"]

AZURE_AUDIENCE = "https://containerregistry.azure.net"
"""The resource that Entra tokens for registries are for (learn.microsoft.com/azure/container-registry, "Disable
authentication as ARM"); those for management.azure.com may be refused."""

_AZURE = (".azurecr.io", ".azurecr.cn", ".azurecr.us")
_MAX_FILE = 1 << 20
_MAX_SECRET = 16 << 10
_MAX_ANSWER = 64 << 10
_HELPER_S = 10.0
_HELPER_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")
_BY_TOKEN = "<token>"  # noqa: S105 - the name that says that the secret is an identity token
_NULL_USER = "00000000-0000-0000-0000-000000000000"  # acr's own: the password is a refresh token


class Login(Struct, frozen=True, kw_only=True):
    """Name and password; or `refresh`, a token that is exchanged for others; or `entra`, a token of Entra for a registry of
    Azure."""

    user: str = ""
    password: str = ""
    refresh: str = ""
    entra: str = ""

    def __repr__(self) -> str:
        return "Login(…)"


class Credentials(Protocol):
    """Where logins come from. Called from several threads."""

    def find(self, registry: str, repository: str) -> Login | None:
        """The login for a repository, None where there is none. Raises `RegistryError` or `UsageError`."""
        ...

    def hint(self, registry: str) -> str:
        """What a person could do where a registry refuses."""
        ...


class Anonymous:
    """Nobody: public registries, and those on this machine."""

    def find(self, registry: str, repository: str) -> Login | None:
        """None."""
        return None

    def hint(self, registry: str) -> str:
        """Nobody was named."""
        return "give the credentials for it in a config.json of Docker's form"


class _Entry(Struct):
    auth: str = ""
    username: str = ""
    password: str = ""
    identitytoken: str = ""


class _Config(Struct):
    auths: dict[str, _Entry] = field(default_factory=dict)
    helpers: dict[str, str] = field(default_factory=dict, name="credHelpers")
    store: str = field(default="", name="credsStore")


class _Helped(Struct):
    user: str = field(default="", name="Username")
    secret: str = field(default="", name="Secret")


class DockerConfig:
    """A `config.json` (Docker), `auth.json` (podman) or `.dockerconfigjson` (Kubernetes). Read anew each time: secrets are
    renewed. `helpers` are the names of programs `docker-credential-NAME` that may be run."""

    def __init__(
        self,
        path: str,
        helpers: frozenset[str] = frozenset(),
        *,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._path = path
        self._helpers = helpers
        self._environment = dict(environment or {})
        self._read()  # a wrong file is told at once

    def find(self, registry: str, repository: str) -> Login | None:
        """The entry of the longest name that covers the repository; a helper before what is in the file, as Docker has it."""
        config = self._read()
        helper = self._helper(config, registry)
        if helper in self._helpers:
            return _run(helper, registry, self._environment)
        best, login = -1, None
        for key, entry in config.auths.items():
            host, prefix = _key(key)
            if host != registry or not (not prefix or f"{repository}/".startswith(f"{prefix}/")):
                continue
            found = _login(entry)
            if found is not None and len(prefix) > best:
                best, login = len(prefix), found
        return login

    def hint(self, registry: str) -> str:
        """Says what the file has for the registry."""
        config = self._read()
        helper = self._helper(config, registry)
        if helper and helper not in self._helpers:
            return f"{self._path} names the program docker-credential-{helper[:40]} for it, which is only run where allowed"
        if any(_key(key)[0] == registry for key in config.auths):
            return f"look whether what {self._path} has for it is still good, and may pull"
        return f"{self._path} has nothing for it"

    def _helper(self, config: _Config, registry: str) -> str:
        for key, name in config.helpers.items():
            if _key(key)[0] == registry:
                return name
        return config.store

    def _read(self) -> _Config:
        try:
            with open(self._path, "rb") as file:
                data = file.read(_MAX_FILE + 1)
            if len(data) > _MAX_FILE:
                raise ValueError("too large")
            return msgspec.json.decode(data, type=_Config)
        except OSError as error:
            raise UsageError(
                f"{self._path} cannot be read: {error.strerror}", "name Docker's config.json"
            ) from error
        except (ValueError, RecursionError):
            # The decoder's own words may hold a piece of a secret.
            raise UsageError(
                f"{self._path} is no config.json of Docker's form", "name the file that `docker login` writes"
            ) from None


class EntraLogin:
    """A workload's or managed identity, for registries of Azure alone and those that were named; others get nothing of it.

    `otherwise` is asked for all other registries.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        clock: Callable[[], float],
        *,
        hosts: frozenset[str] = frozenset(),
        otherwise: Credentials | None = None,
    ) -> None:
        self._tokens = EntraTokens(environment, HttpClient(environment), clock, audience=AZURE_AUDIENCE)
        self._hosts = hosts
        self._otherwise = otherwise or Anonymous()

    def find(self, registry: str, repository: str) -> Login | None:
        """The identity's token."""
        if not (is_azure(registry) or registry in self._hosts):
            return self._otherwise.find(registry, repository)
        try:
            return Login(entra=self._tokens.get())
        except DeliveryError as error:
            raise RegistryError(f"{registry}: {error.what}", error.advice, kind="refused") from error

    def hint(self, registry: str) -> str:
        """What the identity lacks."""
        if is_azure(registry) or registry in self._hosts:
            return "the identity needs the role AcrPull on it"
        return self._otherwise.hint(registry)


def is_azure(registry: str) -> bool:
    """Whether a registry is one of Azure's, by its name: only Microsoft can have one below these."""
    return registry.endswith(_AZURE)


def _key(text: str) -> tuple[str, str]:
    """Registry and path of a key: `https://index.docker.io/v1/`, `acme.azurecr.io`, podman's `quay.example/team`."""
    rest = text.partition("://")[2] if "://" in text else text
    host, _, path = rest.partition("/")
    path = path.strip("/")
    try:
        return parse_registry(host), "" if path in ("v1", "v2") else path
    except EightysixError:
        return "", ""


def _login(entry: _Entry) -> Login | None:
    user, password = entry.username, entry.password
    if entry.auth:
        try:
            pair = base64.b64decode(entry.auth, validate=True).decode().rstrip("\0")
        except (binascii.Error, ValueError):
            return None
        user, _, password = pair.partition(":")
    return _made(user, password, entry.identitytoken)


def _made(user: str, password: str, refresh: str) -> Login | None:
    texts = (user, password, refresh)
    if any(len(text) > _MAX_SECRET or not text.isprintable() for text in texts):
        return None
    if user in (_BY_TOKEN, _NULL_USER) and password and not refresh:
        refresh = password
    if refresh:
        return Login(refresh=refresh)
    return Login(user=user, password=password) if user and password else None


def _run(name: str, registry: str, environment: Mapping[str, str]) -> Login | None:
    """What a helper says: docker/docker-credential-helpers, `get` with the server on standard input."""
    program = shutil.which(f"docker-credential-{name}", path=environment.get("PATH"))
    if not name or not _HELPER_NAME.issuperset(name) or program is None:
        raise UsageError(f"there is no program docker-credential-{name[:40]}", "install it, or leave it out")
    server = "https://index.docker.io/v1/" if registry == "docker.io" else registry
    try:
        done = subprocess.run(
            [program, "get"],
            input=server.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=_HELPER_S,
            env=dict(environment),
        )
        if done.returncode != 0:
            return None  # it has none for this registry, as its contract says
        told = msgspec.json.decode(done.stdout[:_MAX_ANSWER], type=_Helped)
    except (OSError, subprocess.SubprocessError, ValueError, RecursionError):
        raise RegistryError(
            f"docker-credential-{name} gave no credentials for {registry}", "run it by hand", kind="refused"
        ) from None
    return _made(told.user, told.secret, "")
