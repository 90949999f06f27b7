"""`python -m eightysix.lab.apiserver [--objects FILE]... [--folder DIR] [--listen HOST:PORT] [--audit FILE] [--policy FILE]
[--admit] [--plain]`: an API server by itself, until the end of standard input or SIGTERM.

`--objects` are JSON or YAML files: what a cluster tells of its objects, or with `--admit` manifests that are still to become
that. In `--folder` it leaves `ca.crt` and a `kubeconfig` of an operator who may
do everything. One line on standard output tells where it is: `{"ready": true, "url": ..., "kubeconfig": ...}`.
"""

from __future__ import annotations

import getopt
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import yaml

from eightysix.lab.apiserver.audit import Policy
from eightysix.lab.apiserver.catalogue import Object
from eightysix.lab.apiserver.pki import Authority
from eightysix.lab.apiserver.server import ADMIN, ApiServer, Tls
from eightysix.model.errors import EightysixError, UsageError

_NAMES = ["objects=", "folder=", "listen=", "audit=", "policy=", "admit", "plain"]


class _Listed(msgspec.Struct, rename={"api_version": "apiVersion"}):
    kind: str = ""
    api_version: str = ""
    items: list[msgspec.Raw] | None = None


def manifests(path: Path) -> Iterator[Object]:
    """The objects that a file of manifests holds: one JSON document, or YAML ones. Items of a list in JSON are decoded one
    by one: a cluster's pods are many."""
    try:
        data = path.read_bytes()
        if not data.lstrip().startswith(b"{"):
            yield from _documents(data, path)
            return
        told = msgspec.json.decode(data, type=_Listed)
        if told.items is None or not told.kind.endswith("List"):
            yield msgspec.json.decode(data, type=dict)
            return
        kind = told.kind.removesuffix("List")
        more = {"kind": kind, "apiVersion": told.api_version} if kind else {}
        for item in told.items:
            yield {**more, **msgspec.json.decode(item, type=dict)}
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: {str(error)[:200]}", "give manifests as kubectl takes them") from error


def _documents(data: bytes, path: Path) -> Iterator[Object]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for each in yaml.load_all(data, loader):
        if isinstance(each, dict):
            yield each
        elif each is not None:
            raise UsageError(f"{path}: a document is no object", "give manifests as kubectl takes them")


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"--listen {text} is no address with a port", "write --listen 127.0.0.1:6443")
    return host.strip("[]"), int(port)


def _kubeconfig(server: ApiServer, folder: Path, token: str) -> Path:
    cluster = {"server": server.url}
    if server.tls is not None:
        (folder / "ca.crt").write_bytes(server.tls.authority)
        cluster["certificate-authority"] = str(folder / "ca.crt")
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": "operator", "user": {"token": token}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "operator"}}],
        "current-context": "lab",
    }
    path = folder / "kubeconfig"
    path.touch(mode=0o600)
    path.write_bytes(msgspec.json.encode(config))
    return path


def main(arguments: list[str]) -> int:
    """Serve until there is nobody left who would end it."""
    try:
        pairs, rest = getopt.getopt(arguments, "", _NAMES)
        if rest:
            raise UsageError(
                f"{rest[0]} was not expected", "see the text of the module eightysix.lab.apiserver"
            )
        options = dict(pairs)
        with ExitStack() as stack:
            return _serve(pairs, options, stack)
    except (getopt.GetoptError, EightysixError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2


def _serve(pairs: list[tuple[str, str]], options: dict[str, str], stack: ExitStack) -> int:
    audit: Callable[[Object], None] | None = None
    if "--audit" in options:
        file = stack.enter_context(Path(options["--audit"]).open("ab", buffering=0))  # noqa: SIM115 - closed by the stack

        def audit(event: Object) -> None:
            file.write(msgspec.json.encode(event) + b"\n")

    policy = Policy.of(next(manifests(Path(options["--policy"])))) if "--policy" in options else None
    token = secrets.token_urlsafe(24)
    host, port = _address(options.get("--listen", "127.0.0.1:0"))
    server = ApiServer(
        audit=audit,
        tls=None if "--plain" in options else Tls.made(Authority(), [host]),
        address=(host, port),
        tokens={token: ADMIN},
        policy=policy,
    )
    objects = (each for name, path in pairs if name == "--objects" for each in manifests(Path(path)))
    server.load(objects, admit="--admit" in options)
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    signal.signal(signal.SIGINT, lambda *_: over.set())
    threading.Thread(target=_until_end, args=(over,), daemon=True).start()
    with server:
        told: Object = {"ready": True, "url": server.url}
        if "--folder" in options:
            told["kubeconfig"] = str(_kubeconfig(server, Path(options["--folder"]), token))
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
        sys.stdout.flush()
        over.wait()
    return 0


def _until_end(over: threading.Event) -> None:
    while sys.stdin.buffer.read(1 << 16):
        pass
    over.set()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
