"""Real azure-identity against the stand-ins, in an interpreter that has it: the world's names lead to the test's addresses.

`EIGHTYSIX_AZURE_PYTHON` names such an interpreter (`python -m venv x && x/bin/pip install azure-identity azure-storage-blob`).
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from eightysix.lab.world import CLIENT_ID, PUSH_CLIENT_ID, PUSH_SECRET, TENANT
from tests.lab.services.world import LOCAL, World
from tests.tiers import require_tier

pytestmark = pytest.mark.tier("azure")

_CLIENT = """
import json, os, socket, sys
told = json.load(open(sys.argv[1]))
real = socket.getaddrinfo
def lookup(host, port, *rest, **more):
    name = host.decode() if isinstance(host, bytes) else host
    host, port = told["where"].get(name, (host, port))
    return real(host, port, *rest, **more)
socket.getaddrinfo = lookup
os.environ.update(REQUESTS_CA_BUNDLE=told["ca"], SSL_CERT_FILE=told["ca"])
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential, CredentialUnavailableError
from azure.identity import ManagedIdentityCredential, WorkloadIdentityCredential
ARM = "https://management.azure.com/.default"
out = {}
def attempt(name, make):
    try:
        out[name] = len(make().get_token(ARM).token)
    except (ClientAuthenticationError, CredentialUnavailableError) as error:
        out[name] = str(error)
attempt("managed", ManagedIdentityCredential)
attempt("named", lambda: ManagedIdentityCredential(client_id=told["client"]))
attempt("unknown", lambda: ManagedIdentityCredential(client_id="99999999-1111-4111-8111-111111111111"))
attempt("secret", lambda: ClientSecretCredential(told["tenant"], told["pusher"], told["secret"]))
attempt("wrong", lambda: ClientSecretCredential(told["tenant"], told["pusher"], "wrong"))
who = dict(tenant_id=told["tenant"], client_id=told["client"], token_file_path=told["file"])
attempt("federated", lambda: WorkloadIdentityCredential(**who))
try:
    from azure.storage.blob import BlobServiceClient
except ImportError:
    out["blobs"] = "no azure-storage-blob"
else:
    account = "https://mlmodels.blob.core.windows.net"
    models = BlobServiceClient(account, credential=ManagedIdentityCredential()).get_container_client("models")
    models.upload_blob("a/prod.bin", b"x" * 100_000, overwrite=True)
    out["blobs"] = [[blob.name, blob.size] for blob in models.list_blobs()]
    out["size"] = len(models.download_blob("a/prod.bin").readall())
print(json.dumps(out))
"""


def test_azure_identity_takes_the_stand_ins_for_azure(world: World, tmp_path: Path) -> None:
    python = os.environ.get("EIGHTYSIX_AZURE_PYTHON", "")
    if not python:
        require_tier("azure", "EIGHTYSIX_AZURE_PYTHON names no interpreter with azure-identity")
    pod = world.start_pod(LOCAL)
    (tmp_path / "token").write_text(pod["federated_token"])
    where = {
        name: [world.addresses[service]["ip"], world.addresses[service][kind]]
        for name, service, kind in (
            ("169.254.169.254", "metadata", "http"),
            ("login.microsoftonline.com", "arm", "https"),
            ("management.azure.com", "arm", "https"),
            ("mlmodels.blob.core.windows.net", "storage", "https"),
        )
    }
    told = {
        "where": where,
        "ca": pod["ca"],
        "tenant": TENANT,
        "client": CLIENT_ID,
        "file": str(tmp_path / "token"),
    }
    told |= {"pusher": PUSH_CLIENT_ID, "secret": PUSH_SECRET}
    (tmp_path / "told.json").write_text(json.dumps(told))
    command = [python, "-c", _CLIENT, str(tmp_path / "told.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    out = json.loads(done.stdout.splitlines()[-1])
    for name in ("managed", "named", "secret", "federated"):
        assert isinstance(out[name], int), out
    assert "Identity not found" in out["unknown"]
    assert "AADSTS7000215" in out["wrong"]
    if out["blobs"] != "no azure-storage-blob":
        assert (out["blobs"], out["size"]) == ([["a/prod.bin", 100_000]], 100_000)
    assert {mark["grant"] for mark in world.marks("entra-token")} == {"secret", "federated"}
    assert len(world.marks("metadata-token")) >= 2
    world.ask("delete-pod", pod="inference-0")
