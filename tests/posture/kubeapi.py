"""An API server to ask who may do what: a real kube-apiserver with its etcd on loopback, or the lab's.

The real one is the binary that `EIGHTYSIX_KUBE_APISERVER` names; `etcd` is that of `EIGHTYSIX_ETCD` or of the search path
(Debian: etcd-server). Both live in a folder of the test and end with it. Flags are those that every version since 1.20 knows.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from eightysix.lab.apiserver import ApiServer, Authority, Tls, User

__all__ = ["APISERVER", "ETCD", "Api", "lab", "missing", "real"]

APISERVER, ETCD = "EIGHTYSIX_KUBE_APISERVER", "EIGHTYSIX_ETCD"
TOKEN = "operator-token"
_READY_S = 90.0


class Api:
    """Asks one API server over TLS as its operator."""

    def __init__(self, url: str, authority: bytes) -> None:
        parts = urlsplit(url)
        self._place = (parts.hostname or "", parts.port or 443)
        self._context = ssl.create_default_context(cadata=authority.decode("ascii"))
        self._connection: http.client.HTTPSConnection | None = None

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """Status and object of an answer."""
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(*self._place, context=self._context, timeout=30)
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        told |= {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        try:
            self._connection.request(method, path, data, told)
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        found: Any = json.loads(text) if text[:1] == b"{" else {"text": text.decode("utf-8", "replace")}
        return answer.status, found

    def make(self, item: Mapping[str, Any]) -> None:
        """Create an object; one that is there already stays."""
        group = item["apiVersion"]
        root = f"/api/{group}" if "/" not in group else f"/apis/{group}"
        namespace = item["metadata"].get("namespace")
        plural = f"{item['kind'].lower()}s"
        where = f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"
        status, told = self.ask("POST", where, item)
        assert status in (201, 409), (where, status, told)

    def allows(self, user: str, groups: Sequence[str], request: Mapping[str, str]) -> bool:
        """What a SubjectAccessReview says. `groups` are all that the user is in: a review adds none."""
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": user,
                "groups": list(groups),
                "resourceAttributes": {name: value for name, value in request.items() if value},
            },
        }
        status, told = self.ask("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        assert status == 201, (status, told)
        return bool(told["status"]["allowed"])

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@contextmanager
def lab() -> Iterator[Api]:
    """The lab's own."""
    tls = Tls.made(Authority(), ["127.0.0.1"])
    operator = User("operator", groups=("system:masters", "system:authenticated"))
    with ApiServer([], tls=tls, tokens={TOKEN: operator}) as server:
        api = Api(server.url, tls.authority)
        yield api
        api.close()


def missing() -> str:
    """Why a real one cannot be started, empty where it can."""
    named = os.environ.get(APISERVER, "")
    if not named:
        return f"{APISERVER} names no kube-apiserver"
    if not os.access(named, os.X_OK):
        return f"{APISERVER}={named} is no program"
    if not _etcd():
        return f"there is no etcd: {ETCD}, or on the search path"
    return ""


def _etcd() -> str:
    return shutil.which(os.environ.get(ETCD, "") or "etcd") or ""


@contextmanager
def real(folder: Path) -> Iterator[Api]:
    """A kube-apiserver with an etcd of its own."""
    tls = Tls.made(Authority(), ["127.0.0.1"])
    files = {"tls.crt": tls.certificate, "tls.key": tls.key, "accounts.key": tls.key}
    for name, data in files.items():
        path = folder / name
        path.touch(0o600)
        path.write_bytes(data)
    (folder / "tokens.csv").write_text(f'{TOKEN},operator,uid,"system:masters"\n')
    store, peer, port = _free(), _free(), _free()
    etcd = [
        _etcd(), f"--data-dir={folder / 'etcd'}", f"--listen-client-urls=http://127.0.0.1:{store}",
        f"--advertise-client-urls=http://127.0.0.1:{store}", f"--listen-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}", f"--initial-cluster=default=http://127.0.0.1:{peer}",
    ]  # fmt: skip
    server = [
        os.environ[APISERVER], f"--etcd-servers=http://127.0.0.1:{store}", "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1", f"--secure-port={port}", f"--cert-dir={folder}",
        f"--tls-cert-file={folder / 'tls.crt'}", f"--tls-private-key-file={folder / 'tls.key'}",
        f"--token-auth-file={folder / 'tokens.csv'}", "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'accounts.key'}",
        f"--service-account-signing-key-file={folder / 'accounts.key'}",
        "--service-cluster-ip-range=10.96.0.0/16", "--endpoint-reconciler-type=none",
        "--disable-admission-plugins=ServiceAccount", "--anonymous-auth=false",
    ]  # fmt: skip
    with _running(etcd, folder / "etcd.log"), _running(server, folder / "apiserver.log") as process:
        api = Api(f"https://127.0.0.1:{port}", tls.authority)
        _wait(api, process, folder / "apiserver.log")
        yield api
        api.close()


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def _running(words: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    said: IO[bytes]
    with log.open("wb") as said, subprocess.Popen(words, stdout=said, stderr=said) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(api: Api, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _READY_S
    while True:
        try:
            if api.ask("GET", "/readyz")[0] == 200:
                return
        except (OSError, http.client.HTTPException):
            api.close()
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        assert time.monotonic() < end, log.read_text(errors="replace")[-2000:]
        time.sleep(0.2)
