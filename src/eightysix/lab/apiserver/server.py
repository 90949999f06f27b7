"""The API server of the lab: what is put together, and what the lab asks of it directly.

    with ApiServer(objects, audit=events.append) as server:
        token = server.token("ml", "inference-sa", pod="inference-0")

It runs in threads of this process, and is as alone in the world as the process is.
"""

from __future__ import annotations

import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from eightysix.lab.apiserver import names
from eightysix.lab.apiserver.admission import Admission
from eightysix.lab.apiserver.audit import Policy
from eightysix.lab.apiserver.authenticate import Authenticator
from eightysix.lab.apiserver.bootstrap import bootstrap
from eightysix.lab.apiserver.catalogue import BUILT_IN, Catalogue, Object
from eightysix.lab.apiserver.discovery import Discovery
from eightysix.lab.apiserver.handler import Handler
from eightysix.lab.apiserver.http import HttpServer, Limits
from eightysix.lab.apiserver.messages import Answer, Request, User, as_json
from eightysix.lab.apiserver.pki import Authority, Issued, new_key
from eightysix.lab.apiserver.rbac import MASTERS, Rbac
from eightysix.lab.apiserver.rest import Rest
from eightysix.lab.apiserver.reviews import Reviews
from eightysix.lab.apiserver.status import ApiError
from eightysix.lab.apiserver.store import MOST_BYTES, Gone, Store
from eightysix.lab.apiserver.subresources import Kubelet, Subresources
from eightysix.lab.apiserver.tokens import AUDIENCE, Minted, Tokens
from eightysix.model.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

__all__ = ["ADMIN", "ApiServer", "Tls"]

ADMIN = User("kubernetes-admin", "", (MASTERS, "system:authenticated"))
"""Who the lab acts as where nobody else is told: may do everything."""

_HOSTS = (
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "localhost",
    "127.0.0.1",
)
_PODS, _NODES, _ACCOUNTS, _NAMESPACES = (
    next(each for each in BUILT_IN if each.group == "" and each.plural == plural)
    for plural in ("pods", "nodes", "serviceaccounts", "namespaces")
)
_KUBELETS_S = 3607


class Tls(Struct, frozen=True):
    """The server's certificate with its key, and the authority that clients trust: all as PEM."""

    certificate: bytes
    key: bytes
    authority: bytes

    @classmethod
    def made(cls, authority: Authority, hosts: Iterable[str] = ()) -> Tls:
        """A certificate for `hosts` beside the names that an API server has in every cluster."""
        issued = authority.server(tuple(dict.fromkeys((*hosts, *_HOSTS))))
        return cls(issued.certificate, issued.key, authority.certificate)

    def context(self) -> ssl.SSLContext:
        """What connections are secured with; clients may show a certificate of the same authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=self.authority.decode("ascii"))
        with tempfile.TemporaryDirectory(
            prefix="eightysix-apiserver-"
        ) as folder:  # ssl reads keys from files alone
            paths = Issued(self.certificate, self.key).write(Path(folder), "server")
            context.load_cert_chain(*paths)
        return context


class ApiServer:
    """A stand-in for kube-apiserver that holds `objects` in memory.

    `audit` is called with every audit event, from the threads of requests and one at a time; `clock` tells the time in
    nanoseconds since 1970; `tls` is None for plain HTTP; `tokens` are the operator's static ones. `pods` is called with
    `ADDED`, `MODIFIED` or `DELETED` and the pod, in order, from a thread of its own: what really runs pods listens there.
    `kubelet` runs commands in them and has their logs. `key` signs tokens; a new one where none is given.
    """

    def __init__(
        self,
        objects: Iterable[Object] = (),
        *,
        audit: Callable[[Object], None] | None = None,
        clock: Callable[[], int] = time.time_ns,
        tls: Tls | None = None,
        address: tuple[str, int] = ("127.0.0.1", 0),
        tokens: Mapping[str, User] | None = None,
        policy: Policy | None = None,
        pods: Callable[[str, Object], None] | None = None,
        kubelet: Kubelet | None = None,
        issuer: str = AUDIENCE,
        key: RSAPrivateKey | None = None,
        limits: Limits | None = None,
        history: int = 50_000,
        most_bytes: int = MOST_BYTES,
        bookmark_s: float = 60.0,
    ) -> None:
        self.clock = clock
        self.store = Store(history, most_bytes)
        self.catalogue = Catalogue()
        self.tls = tls
        self._audit = audit
        self._audit_lock = threading.Lock()
        self._pods = pods
        self._rbac = Rbac(self.store)
        self._tokens = Tokens(self.store, key or new_key(), issuer)
        certificate = tls.authority.decode("ascii") if tls is not None else ""
        self._admission = Admission(self.store, self._rbac, self.catalogue, certificate, clock)
        rest = Rest(self.store, self._admission, clock)
        self.handle = Handler(
            store=self.store,
            catalogue=self.catalogue,
            authenticator=Authenticator(self._tokens, dict(tokens or {}), clock),
            rbac=self._rbac,
            rest=rest,
            reviews=Reviews(self.store, self._tokens, self._rbac, clock),
            discovery=Discovery(self.catalogue, self._tokens),
            subresources=Subresources(self.store, rest, kubelet),
            policy=policy or Policy(),
            audit=self._write if audit is not None else None,
            clock=clock,
            bookmark_s=bookmark_s,
        )
        self._serving = False
        self.load(bootstrap())
        self.load(objects)
        context = tls.context() if tls is not None else None
        self._http = HttpServer(address, self.handle, tls=context, limits=limits)
        self.port = self._http.port
        self.address = (address[0], self.port)
        self._follower = threading.Thread(target=self._follow, name="apiserver-pods", daemon=True)

    @property
    def url(self) -> str:
        """Where it is."""
        host = f"[{self.address[0]}]" if ":" in self.address[0] else self.address[0]
        return f"{'https' if self.tls is not None else 'http'}://{host}:{self.port}"

    def start(self) -> ApiServer:
        """Serve from now on."""
        self._serving = True
        if self._pods is not None:
            self._follower.start()
        self._http.start()
        return self

    def close(self) -> None:
        """End watches and connections."""
        self.store.close()
        self._http.close()
        if self._follower.is_alive() and self._follower is not threading.current_thread():
            self._follower.join(5.0)

    def __enter__(self) -> ApiServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, event: Object) -> None:
        if self._audit is not None:
            with self._audit_lock:
                self._audit(event)

    def _follow(self) -> None:
        """Tell of pods until the server is closed, and of those that changed before that."""
        version = self.store.version
        over = False
        while not over:
            over = self.store.closed
            self.store.wait(version, 0.0 if over else 5.0)
            try:
                changes = self.store.since(version)
            except Gone:  # more was forgotten than we had told
                version = self.store.version
                continue
            for change in changes:
                version = change.version
                if change.resource == _PODS and self._pods is not None:
                    self._pods(change.kind, {"kind": "Pod", "apiVersion": "v1", **change.after.read()})

    # --- what the lab asks ------------------------------------------------------------------------------------------

    def load(self, objects: Iterable[Object], *, admit: bool = False) -> None:
        """Put objects into the store as they are, new or in place of the old, unaudited: what others did to the cluster.
        `List` objects are taken apart, namespaces that are named and absent are made, uids and times are given where
        there are none. With `admit` they are manifests, and become what a cluster makes of them: pods get defaults,
        their account (which must be there before them) and its token volume. Raises UsageError."""
        for item in objects:
            if isinstance(item.get("items"), list) and str(item.get("kind", "")).endswith("List"):
                kind = str(item["kind"])[:-4]
                more = {"apiVersion": item.get("apiVersion", "v1"), "kind": kind} if kind else {}
                self.load(({**more, **each} for each in item["items"]), admit=admit)
                continue
            try:
                self._load(msgspec.json.decode(msgspec.json.encode(item)) if admit else dict(item), admit)
            except ApiError as error:
                raise UsageError(f"{item.get('kind')}: {error.message}") from error

    def _load(self, item: Object, admit: bool) -> None:
        resource = self.catalogue.of_kind(str(item.get("apiVersion")), str(item.get("kind")))
        metadata = dict(item.get("metadata") or {})
        item["metadata"] = metadata
        if resource is None:
            raise UsageError(
                f"an object of kind {item.get('kind')} in {item.get('apiVersion')} cannot be held",
                "give its CustomResourceDefinition before it",
            )
        if resource.namespaced:
            namespace = metadata.setdefault("namespace", "default")
            if self.store.get(_NAMESPACES, "", namespace) is None:
                self._load({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}, False)
        kept = {key: metadata[key] for key in ("uid", "creationTimestamp") if metadata.get(key)}
        metadata.pop("resourceVersion", None)
        item = names.made(resource, item, metadata.get("namespace", ""), self.clock())
        item["metadata"].update(kept)
        if admit:
            self._admission.creates(ADMIN, resource, item)
        else:
            self._admission.complete(resource, item)
        self._admission.created(resource, self.store.put(resource, item, silent=not self._serving))

    def ask(self, method: str, target: str, body: Object | None = None, *, user: User = ADMIN, peer: str = "127.0.0.1",
            agent: str = "", headers: Iterable[tuple[str, str]] = ()) -> Answer:  # fmt: skip
        """Send a request from inside, as `user`: it is authorized and audited as any other."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        told = (("user-agent", agent), ("content-type", kind), *headers)
        return self.handle(
            Request(method, target, told, as_json(body) if body is not None else b"", peer, user=user)
        )

    def token(self, namespace: str, account: str, *, pod: str = "", seconds: int = _KUBELETS_S) -> Minted:
        """A token of a service account, bound to a pod where one is named, as its kubelet would ask for; unaudited."""
        held = self.store.get(_ACCOUNTS, namespace, account)
        if held is None:
            raise UsageError(f"there is no service account {namespace}/{account}")
        bound = self.store.get(_PODS, namespace, pod) if pod else None
        if pod and bound is None:
            raise UsageError(f"there is no pod {namespace}/{pod}")
        host = bound.read().get("spec", {}).get("nodeName") if bound is not None else None
        node = self.store.get(_NODES, "", host) if host else None
        return self._tokens.mint(held, seconds, self.clock() // 1_000_000_000, pod=bound, node=node)

    def remove(self, kind: str, namespace: str, name: str, api_version: str = "v1") -> bool:
        """Take an object away, unaudited; whether it was there."""
        resource = self.catalogue.of_kind(api_version, kind)
        with self.store.lock:
            held = self.store.get(resource, namespace, name) if resource is not None else None
            if held is None or resource is None:
                return False
            self.store.remove(resource, held)
            self._admission.deleted(resource, held)
            return True

    def exec(self, namespace: str, pod: str, argv: Sequence[str], *, user: User = ADMIN, container: str = "",
             peer: str = "127.0.0.1", agent: str = "") -> Answer:  # fmt: skip
        """Tell of a command that the lab itself runs in a pod for `user`: authorized and audited as `kubectl exec` over
        WebSockets is (a GET, since 1.31). The answer's status is 101 where it was allowed."""
        words = [("command", word) for word in argv]
        query = urlencode([*words, *([("container", container)] if container else []), ("stdout", "true")])
        target = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/exec?{query}"
        answer = self.ask(
            "GET", target, user=user, peer=peer, agent=agent, headers=[("upgrade", "websocket")]
        )
        if answer.stream is not None and answer.stream.talk is not None:
            answer.stream.talk(lambda _: b"", lambda _: None)
        return answer
