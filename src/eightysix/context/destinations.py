"""Where a connection goes: metadata service, Kubernetes API, the cluster, or the world.

Only the address decides. A name comes from whoever wrote the record, in sensor records from the suspect itself, so it
never moves a public address to a harmless class; where no address is known, it decides the class alone, and a name that
nothing is known of counts as `public`.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address

__all__ = ["address", "classify"]

_METADATA = frozenset(
    {
        "169.254.169.254",  # Azure, AWS, Google, Oracle, DigitalOcean, OpenStack: each one's instance metadata page
        "fd00:ec2::254",  # AWS: docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
        "fd20:ce::254",  # Google: cloud.google.com/compute/docs/metadata/querying-metadata
        "fe80::a9fe:a9fe",  # OpenStack: specs.openstack.org/openstack/neutron-specs, metadata-add-ipv6-support
        "169.254.170.2",  # ECS tasks: docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
        "169.254.170.23",  # EKS Pod Identity: docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
        "fd00:ec2::23",  # EKS Pod Identity on IPv6: the same page
        "100.100.100.200",  # Alibaba: alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata
    }
)
"""Addresses that hand out credentials. On any port: a proxy or a record without port must not hide them, and nothing else
lives there."""

_METADATA_NAMES = frozenset(
    {
        "metadata",  # Google: cloud.google.com/compute/docs/metadata/querying-metadata, as the next two
        "metadata.google.internal",
        "metadata.goog",
        "instance-data",  # AWS: resolves in EC2-Classic style VPC DNS, also with the suffix
        "instance-data.ec2.internal",
    }
)

_WIRE_SERVER = "168.63.129.16"
_WIRE_PORTS = (80, 32526)
"""Azure's host agent endpoint: learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16. On other ports,
DNS above all, it is part of the platform's network (`cluster`)."""

_API_ADDRESSES = frozenset(
    {
        "10.96.0.1",  # kubeadm, 10.96.0.0/12: kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-init
        "10.0.0.1",  # AKS, 10.0.0.0/16, and kube-apiserver's own default: learn.microsoft.com/cli/azure/aks#az-aks-create
        "10.43.0.1",  # k3s and RKE, 10.43.0.0/16: docs.k3s.io/cli/server
        "10.100.0.1",  # EKS, 10.100.0.0/16 or 172.20.0.0/16: docs.aws.amazon.com/eks/latest/APIReference,
        "172.20.0.1",  # KubernetesNetworkConfigRequest
        "172.30.0.1",  # OpenShift, 172.30.0.0/16: docs.openshift.com, installation configuration parameters
        "34.118.224.1",  # GKE, 34.118.224.0/20: cloud.google.com/kubernetes-engine/docs/concepts/alias-ips
        "10.152.183.1",  # MicroK8s, 10.152.183.0/24: microk8s.io/docs/configuring-services
    }
)
"""First address of the default service range of common distributions: there the service `kubernetes` lives."""

_API_PORTS = (443, 6443)
"""The service's port, and kube-apiserver's own: kubernetes.io/docs/reference/networking/ports-and-protocols."""

_API_NAMES = frozenset(
    {
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "kubernetes.docker.internal",
    }
)
"""kubernetes.io/docs/tasks/run-application/access-api-from-pod."""

_API_SUFFIXES = (".azmk8s.io", ".eks.amazonaws.com", ".gke.goog")
"""Public API endpoints of AKS (learn.microsoft.com/azure/aks/outbound-rules-control-egress), EKS, GKE."""

_INDEXES = frozenset(
    """
    pypi.org files.pythonhosted.org test.pypi.org pythonhosted.org pypi.python.org download.pytorch.org pypi.nvidia.com
    pypi.anaconda.org registry.npmjs.org registry.yarnpkg.com npm.jsr.io conda.anaconda.org repo.anaconda.com
    repo.prefix.dev anaconda.org deb.debian.org security.debian.org archive.ubuntu.com security.ubuntu.com
    ports.ubuntu.com dl-cdn.alpinelinux.org packages.microsoft.com rubygems.org index.rubygems.org static.crates.io
    index.crates.io crates.io proxy.golang.org sum.golang.org cran.r-project.org cloud.r-project.org huggingface.co
    cdn-lfs.huggingface.co cas-bridge.xethub.hf.co hf.co
    """.split()
)
"""Public indexes of packages and models by their documented host names; mirrors are the operator's to name."""

_CLUSTER_SUFFIXES = (".cluster.local", ".svc", ".internal", ".local", ".lan")
"""Names that only a cluster's or a private network's resolver answers (`.internal`: ICANN resolution 2024.07.29.06)."""

_LONGEST_ADDRESS = 64
_LONGEST_NAME = 253  # RFC 1035 section 2.3.4


def classify(ip: str, port: int, name: str = "", api_servers: frozenset[str] = frozenset()) -> str:
    """Sort a destination: `metadata`, `wire-server`, `api-server`, `index`, `loopback`, `link-local`, `cluster`, `public`
    or `unknown`.

    `api_servers` are addresses (or names) of this cluster's API that the operator or the audit log told. `name` counts only
    where `ip` is empty; `cluster` is private and carrier-grade space (RFC 1918, 6598, 4193), not Python's `is_private`,
    which has documentation ranges in it. Never raises: text that is no address is `unknown`.
    """
    if len(ip) > _LONGEST_ADDRESS:
        return "unknown"
    return _classify(ip, port, "" if ip else name[: _LONGEST_NAME + 2], api_servers)


@lru_cache(maxsize=8192)
def _classify(ip: str, port: int, name: str, api_servers: frozenset[str]) -> str:
    if not ip:
        return _by_name(name, port, api_servers)
    known = api_servers | frozenset(map(address, api_servers)) if api_servers else api_servers
    classes = [_by_address(reading, port, known) for reading in _readings(ip)]
    for worst in ("metadata", "wire-server", "public"):  # where a text can be read in two ways
        if worst in classes:
            return worst
    return classes[0] if classes else "unknown"


def address(text: str) -> str:
    """`text` as the canonical text of the address that it is, empty when it is none.

    An IPv4 address inside IPv6 (mapped, compatible, or by NAT64, RFC 6052) is told as IPv4, because that is where the
    connection goes; zone ids are dropped; numbers with leading zeros are octal where they can be, as for connect(2)'s
    callers.
    """
    readings = _readings(text) if len(text) <= _LONGEST_ADDRESS else ()
    return readings[-1] if readings else ""


@lru_cache(maxsize=8192)
def _readings(text: str) -> tuple[str, ...]:
    """The addresses that `text` may mean: one, or two where leading zeros leave open whether octal digits are meant."""
    text = text.strip().lower().strip("[]").partition("%")[0]
    if ":" in text:
        return _readings_v6(text)
    strict = _dotted(text)
    if strict == text and text:
        return (text,)
    return tuple(dict.fromkeys(reading for reading in (strict, _as_inet_aton(text)) if reading))


def _dotted(text: str) -> str:
    """Four decimal numbers, leading zeros dropped."""
    parts = text.split(".")
    if len(parts) != 4 or not all(part.isdigit() and part.isascii() and len(part) < 12 for part in parts):
        return ""
    numbers = [int(part) for part in parts]
    return ".".join(map(str, numbers)) if max(numbers) < 256 else ""


def _as_inet_aton(text: str) -> str:
    """What inet_aton(3) makes of `text`: one to four numbers, decimal, octal (`0251`) or hexadecimal (`0xa9fea9fe`).

    `socket.connect` takes such text, so the sensor's records may hold it.
    """
    numbers = []
    for part in text.split("."):
        base = 16 if part.startswith("0x") else 8 if len(part) > 1 and part.startswith("0") else 10
        digits = part[2:] if base == 16 else part
        if not digits or len(digits) > 12 or not set(digits) <= set("0123456789abcdef"[:base]):
            return ""
        numbers.append(int(digits, base))
    if not 1 <= len(numbers) <= 4 or any(number > 255 for number in numbers[:-1]):
        return ""
    rest = 4 - len(numbers) + 1
    if numbers[-1] >= 256**rest:
        return ""
    value = int.from_bytes(bytes(numbers[:-1]) + numbers[-1].to_bytes(rest, "big"), "big")
    return ".".join(str(octet) for octet in value.to_bytes(4, "big"))


def _readings_v6(text: str) -> tuple[str, ...]:
    try:
        parsed = IPv6Address(text)
    except (AddressValueError, ValueError):
        return ()
    value = int(parsed)
    head, low = value >> 32, value & 0xFFFFFFFF
    if head in (0xFFFF, 0x0064_FF9B << 64) or (head == 0 and low > 0xFFFF):
        return (".".join(str(octet) for octet in low.to_bytes(4, "big")),)
    return (str(parsed),)


def _by_address(ip: str, port: int, api_servers: frozenset[str]) -> str:
    """The class of a canonical address."""
    if ip in _METADATA:
        return "metadata"
    if ip == _WIRE_SERVER:
        return "wire-server" if port in _WIRE_PORTS else "cluster"
    if ip in api_servers or (ip in _API_ADDRESSES and port in _API_PORTS):
        return "api-server"
    return _range_v6(ip) if ":" in ip else _range_v4(ip)


def _range_v4(ip: str) -> str:
    a, b, *_ = map(int, ip.split("."))
    if a == 127 or ip == "0.0.0.0":  # noqa: S104 - Linux connects 0.0.0.0 to itself
        return "loopback"
    if a == 169 and b == 254:
        return "link-local"
    if a == 10 or (a == 172 and 16 <= b < 32) or (a == 192 and b == 168) or (a == 100 and 64 <= b < 128):
        return "cluster"
    return "unknown" if a == 0 or 224 <= a < 240 or ip == "255.255.255.255" else "public"


def _range_v6(ip: str) -> str:
    if ip in ("::1", "::"):
        return "loopback"
    first = int(ip.partition(":")[0] or "0", 16)
    if first & 0xFFC0 == 0xFE80:  # fe80::/10, RFC 4291
        return "link-local"
    if first & 0xFE00 == 0xFC00:  # fc00::/7, RFC 4193
        return "cluster"
    return "unknown" if first >= 0xFF00 else "public"


def _by_name(name: str, port: int, api_servers: frozenset[str]) -> str:
    """The class of a name alone; a name that is an address is judged as one."""
    name = name.strip().rstrip(".").lower()
    if not name or len(name) > _LONGEST_NAME:
        return "unknown"
    if _readings(name) if len(name) <= _LONGEST_ADDRESS else ():
        return _classify(name, port, "", api_servers)
    if name in _METADATA_NAMES:
        return "metadata"
    if name in _API_NAMES or name in api_servers or name.endswith(_API_SUFFIXES):
        return "api-server"
    if name in _INDEXES:
        return "index"
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761 section 6.3
        return "loopback"
    if not name.isascii() or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        return "unknown"
    return "cluster" if "." not in name or name.endswith(_CLUSTER_SUFFIXES) else "public"
