"""The lab's inference server: FastAPI under uvicorn, azure-identity for the cloud, as such servers are.

Everything here is what an application does of its own accord or when it is asked to: nothing in it is an attack. It is
copied into pods of the lab and runs there as `python /app/server.py`.
"""

import importlib
import io
import json
import os
import ssl
import subprocess
import sys
import tarfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import uvicorn
from azure.identity import ManagedIdentityCredential
from fastapi import FastAPI, Request, Response

SUBSCRIPTION = "00000000-0000-4000-8000-00000000bbbb"
ARM = "https://management.azure.com"
STORAGE = "https://mlmodels.blob.core.windows.net"
REGISTRY = "https://registry.example"
API = "https://kubernetes.default.svc"
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

app = FastAPI()
credential = ManagedIdentityCredential(client_id=os.environ.get("AZURE_CLIENT_ID"))
plugins = {}
models = {}


def ask(url, headers=None, body=None, method=None):
    """Ask another service; certificates are checked against what the pod trusts."""
    request = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
    with urllib.request.urlopen(request, context=trusted(url), timeout=20) as answer:
        return answer.read(64 << 20)


def trusted(url):
    """The API server has the cluster's own CA."""
    if url.startswith(API):
        return ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    return ssl.create_default_context() if url.startswith("https:") else None


def bearer(scope, fresh=False):
    """A header with a token of the pod's managed identity; `fresh` asks past the cache, as after a day."""
    source = ManagedIdentityCredential(client_id=os.environ.get("AZURE_CLIENT_ID")) if fresh else credential
    return {"Authorization": "Bearer " + source.get_token(scope).token}


def healthz():
    """Liveness."""
    return {"status": "ok"}


def infer(text: str = "so far so good"):
    """A prediction, by whatever is loaded."""
    tune = getattr(plugins.get("torch_perf_utils"), "tune", None)
    scores = [len(word) for word in text.split()]
    return {"label": "long" if sum(scores) > 8 else "short", "tuned": bool(tune), "models": sorted(models)}


def token(fresh: bool = False):
    """Lists the storage accounts of the subscription with the managed identity."""
    headers = bearer("https://management.azure.com/.default", fresh)
    listing = "/providers/Microsoft.Storage/storageAccounts?api-version=2023-05-01"
    found = json.loads(ask(ARM + "/subscriptions/" + SUBSCRIPTION + listing, headers))
    return {"accounts": len(found.get("value", []))}


def settings():
    """Reads its own settings from the Kubernetes API, as a config map."""
    headers = {"Authorization": "Bearer " + (ACCOUNT / "token").read_text().strip()}
    namespace = (ACCOUNT / "namespace").read_text().strip()
    url = API + "/api/v1/namespaces/" + namespace + "/configmaps/inference-settings"
    try:
        return {"settings": sorted(json.loads(ask(url, headers)).get("data") or {})}
    except urllib.error.HTTPError as error:
        return {"settings": [], "status": error.code}


def storage(account: str = "mlmodels", blob: str = "models/intent.json"):
    """Reads a blob with the managed identity."""
    headers = {**bearer("https://storage.azure.com/.default"), "x-ms-version": "2023-11-03"}
    url = STORAGE if account == "mlmodels" else "https://" + account + ".blob.core.windows.net"
    try:
        return {"size": len(ask(url + "/" + blob, headers))}
    except urllib.error.HTTPError as error:
        return {"size": 0, "status": error.code}


def patch(requirement: str, target: str = ""):
    """The server updates one of its plug-ins with pip, as self-patching servers do."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", requirement]
    done = subprocess.run(command + (["--target", target] if target else []), capture_output=True, text=True)
    return {"code": done.returncode, "output": (done.stdout + done.stderr)[-2000:]}


def reload(module: str):
    """Imports a plug-in, again where it was imported before."""
    importlib.invalidate_caches()
    for name in [name for name in sys.modules if name == module or name.startswith(module + ".")]:
        del sys.modules[name]
    plugins[module] = importlib.import_module(module)
    return {"version": getattr(plugins[module], "__version__", "")}


def batch():
    """Runs a batch job: an interpreter of its own."""
    done = subprocess.run([sys.executable, "/app/batch.py"], capture_output=True, text=True, timeout=60)
    return {"code": done.returncode, "output": (done.stdout + done.stderr)[-2000:]}


def pull(repository: str, tag: str, to: str, unpack: bool = False):
    """Fetches a model from the registry: the first layer of the artifact with this tag."""
    headers = {
        "Accept": "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
    }
    base = REGISTRY + "/v2/" + repository
    manifest, headers = registry_ask(base + "/manifests/" + tag, headers)
    layer = json.loads(manifest)["layers"][0]["digest"]
    content, _ = registry_ask(base + "/blobs/" + layer, headers)
    place = Path(to)
    if unpack:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            unpacked = [member for member in archive if member.isfile() and ".." not in member.name]
            for member in unpacked:  # by hand: the filter of extractall came with Python 3.11.4
                (place / member.name).parent.mkdir(parents=True, exist_ok=True)
                (place / member.name).write_bytes(archive.extractfile(member).read())
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return {"size": len(content), "digest": layer}


def registry_ask(url, headers):
    """Ask the registry; where it wants to know who asks, log in with the managed identity, as AKS does."""
    try:
        return ask(url, headers), headers
    except urllib.error.HTTPError as error:
        if error.code != 401:
            raise
    repository = url.partition("/v2/")[2].rpartition("/manifests/")[0].partition("/blobs/")[0]
    token = bearer("https://management.azure.com/.default")["Authorization"].partition(" ")[2]
    service = urllib.parse.urlsplit(REGISTRY).netloc
    exchange = {"grant_type": "access_token", "service": service, "access_token": token}
    refresh = form(REGISTRY + "/oauth2/exchange", exchange)["refresh_token"]
    scope = "repository:" + repository + ":pull"
    asked = {"grant_type": "refresh_token", "service": service, "scope": scope, "refresh_token": refresh}
    headers = {
        **headers,
        "Authorization": "Bearer " + form(REGISTRY + "/oauth2/token", asked)["access_token"],
    }
    return ask(url, headers), headers


def form(url, fields):
    """Post a form, answered by JSON."""
    return json.loads(ask(url, body=urllib.parse.urlencode(fields).encode()))


def load(kind: str, path: str):
    """Loads a model as its library does, trusting it."""
    if kind == "joblib":
        import joblib

        models[path] = joblib.load(path)
    elif kind == "torch":
        import torch

        models[path] = torch.load(path, weights_only=False)
    elif kind == "transformers":
        from transformers import AutoConfig

        models[path] = AutoConfig.from_pretrained(path, trust_remote_code=True)
    else:
        return Response(status_code=400)
    return {"type": type(models[path]).__name__}


async def state(request: Request):
    """An agent goes on from its saved state, as LangChain reads it; `model` in it answers, where it has one."""
    from langchain_core.load import loads

    revived = loads((await request.body()).decode(), valid_namespaces=["agentapp"])
    model = revived.get("model") if isinstance(revived, dict) else None
    answer = await model.ainvoke("resume") if model is not None else ""
    return {"type": type(revived).__name__, "answer": str(answer)[:200]}


def leave():
    """Ends this worker, as one that leaks too much memory does."""
    threading.Timer(0.2, os._exit, (1,)).start()
    return {"leaves": os.getpid()}


ROUTES = {
    "/healthz": healthz,
    "/infer": infer,
    "/token": token,
    "/settings": settings,
    "/storage": storage,
    "/patch": patch,
    "/reload/{module}": reload,
    "/batch": batch,
    "/pull": pull,
    "/load": load,
    "/leave": leave,
}
for path, handler in ROUTES.items():
    app.add_api_route(path, handler, methods=["GET"])
app.add_api_route("/state", state, methods=["POST"])


def begin():
    """What a server does before it serves: its plug-ins and, where it is told so, a first look at its surroundings."""
    for name in filter(None, os.environ.get("PLUGINS", "").split(",")):
        plugins[name] = importlib.import_module(name)
    steps = {"token": token, "settings": settings, "storage": storage}
    for name in filter(None, os.environ.get("AT_START", "").split(",")):
        steps[name]()


def refresh(seconds):
    """A worker renews its token before it ends."""
    while True:
        token(fresh=True)
        time.sleep(seconds)


if os.environ.get("REFRESH_S") and __name__ == "server":  # in each worker, not in the supervisor
    threading.Thread(target=refresh, args=(float(os.environ["REFRESH_S"]),), daemon=True).start()

if __name__ == "__main__":
    begin()
    workers = int(os.environ.get("WORKERS") or 1)
    sys.path.insert(0, "/app")
    uvicorn.run(
        "server:app" if workers > 1 else app,
        host="0.0.0.0",
        port=int(os.environ.get("PORT") or 8080),
        workers=workers,
        loop=os.environ.get("LOOP") or "asyncio",
        log_level="warning",
    )
