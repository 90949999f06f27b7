"""The lab's world: addresses, names, ids and credentials that look as in AKS and open nothing.

Addresses are those of the metadata service (RFC 3927 link-local, learn.microsoft.com/azure/virtual-machines/
instance-metadata-service), the service network of AKS's defaults, and documentation ranges (RFC 5737). They exist in the
lab's own network namespaces alone.
"""

from __future__ import annotations

__all__ = [
    "API_SERVER_IP",
    "ARM_HOST",
    "ARM_IP",
    "CLIENT_ID",
    "CLUSTER",
    "GATEWAY_IP",
    "HOSTS",
    "INDEX_HOST",
    "INDEX_IP",
    "LOGIN_HOST",
    "MARKER",
    "METADATA_IP",
    "NODE",
    "NONCE_IP",
    "NONCE_PATH",
    "NONCE_VARIABLE",
    "OBJECT_ID",
    "POD_IP",
    "POD_NETWORK",
    "PUSH_CLIENT_ID",
    "PUSH_SECRET",
    "REGISTRY_HOST",
    "REGISTRY_IP",
    "SECOND_POD_IP",
    "SERVER_IMAGE",
    "SERVER_PORT",
    "SINK_HOST",
    "SINK_IP",
    "STORAGE_HOST",
    "STORAGE_IP",
    "SUBSCRIPTION",
    "TENANT",
    "TOKEN_FOLDER",
]

CLUSTER = "aks-ml-prod"
NODE = "aks-gpu-31337-vmss000000"

METADATA_IP = "169.254.169.254"
API_SERVER_IP = "10.96.0.1"
POD_NETWORK = "10.244.1.0/24"
GATEWAY_IP = "10.244.1.1"
POD_IP = "10.244.1.5"
SECOND_POD_IP = "10.244.1.6"
SERVER_PORT = 8080

SINK_IP = "203.0.113.10"
ARM_IP = "203.0.113.20"
INDEX_IP = "203.0.113.30"
REGISTRY_IP = "203.0.113.40"
STORAGE_IP = "203.0.113.50"

SINK_HOST = "telemetry.perf-utils.example"
"""Where stolen credentials go. `example` is reserved (RFC 2606)."""
ARM_HOST = "management.azure.com"
LOGIN_HOST = "login.microsoftonline.com"
INDEX_HOST = "pypi.lab.example"
REGISTRY_HOST = "registry.example"
STORAGE_HOST = "mlmodels.blob.core.windows.net"

HOSTS = {
    "kubernetes.default.svc": API_SERVER_IP,
    "kubernetes.default.svc.cluster.local": API_SERVER_IP,
    SINK_HOST: SINK_IP,
    ARM_HOST: ARM_IP,
    LOGIN_HOST: ARM_IP,
    INDEX_HOST: INDEX_IP,
    REGISTRY_HOST: REGISTRY_IP,
    STORAGE_HOST: STORAGE_IP,
}
"""What `/etc/hosts` of a pod says. Every one is served inside of the run's namespaces."""

TENANT = "00000000-0000-4000-8000-00000000aaaa"
SUBSCRIPTION = "00000000-0000-4000-8000-00000000bbbb"
CLIENT_ID = "11111111-1111-4111-8111-111111111111"
"""Application id of the pod's managed identity."""
OBJECT_ID = "22222222-2222-4222-8222-222222222222"
"""Its object id (what sign-in logs call ServicePrincipalId)."""
PUSH_CLIENT_ID = "33333333-3333-4333-8333-333333333333"
"""The second identity: a service principal that may push to the registry, kept in the secret `ml/acr-push-sp`."""
PUSH_SECRET = "lab-not-a-secret"

SERVER_IMAGE = "registry.example/ml/inference:prod"
TOKEN_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"

MARKER = "/etc/eightysix-lab"
"""Payloads refuse to act unless this file is there, holds the run's nonce and names the network namespace (inode of
`/proc/self/ns/net`) that they are in: two lines, `NONCE` and `INODE`."""
NONCE_VARIABLE = "EIGHTYSIX_LAB_NONCE"
NONCE_IP = "169.254.86.86"
"""Where the nonce is told to pods that may not reach the metadata service; nothing else is."""
NONCE_PATH = "/eightysix-lab/nonce"
"""Where the metadata service of the run tells its nonce (plain text, no Metadata header needed). Without it, or with
another one, a payload refuses."""
