"""The network of a run: one namespace with everything that pods talk to, one for each pod, and no way out of them.

A pod has `eth0` and a default route to the gateway, as a CNI plug-in without a bridge makes it. The other namespace has the
addresses of `lab.world` on its loopback and no default route: what is not there is unreachable, at once. Who may not
reach the metadata service has a route that forbids it, and asks for the nonce at an address of its own before it acts.
"""

from __future__ import annotations

from eightysix.lab.pods.keeper import Keeper
from eightysix.lab.world import (
    API_SERVER_IP,
    ARM_IP,
    GATEWAY_IP,
    INDEX_IP,
    METADATA_IP,
    NONCE_IP,
    REGISTRY_IP,
    SINK_IP,
    STORAGE_IP,
)

__all__ = ["CLOUD", "SERVED", "add_pod", "inode", "make_cloud", "remove_pod"]

CLOUD = "cloud"

SERVED = (METADATA_IP, NONCE_IP, API_SERVER_IP, SINK_IP, ARM_IP, INDEX_IP, REGISTRY_IP, STORAGE_IP)


def make_cloud(keeper: Keeper) -> None:
    """The namespace of services, with every address of the world."""
    _make(keeper, CLOUD)
    addresses = "\n".join(f"ip addr add {address}/32 dev lo" for address in (*SERVED, GATEWAY_IP))
    # Without the limit of answers a second, every second "unreachable" would be a time-out.
    limits = "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit"
    keeper.shell(
        f"{addresses}\nip link set lo up\necho 1 > /proc/sys/net/ipv4/ip_forward\n{limits}", net=CLOUD
    )


def add_pod(keeper: Keeper, name: str, ip: str, *, metadata: bool = True) -> str:
    """The namespace of a pod, joined to the services; returns its name. Without `metadata` no connection there is made."""
    net = f"pod-{name}"
    _make(keeper, net)
    other = f"{keeper.folder}/net/{net}"
    link = f"veth{ip.rpartition('.')[2]}"
    keeper.shell(
        f"ip link add {link} type veth peer name eth0 netns {other}\n"
        f"ip link set {link} up\nip route replace {ip}/32 dev {link} src {GATEWAY_IP}",
        net=CLOUD,
    )
    keeper.shell(
        f"ip link set lo up\nip addr add {ip}/32 dev eth0\nip link set eth0 up\n"
        f"ip route add {GATEWAY_IP} dev eth0 scope link src {ip}\n"
        f"ip route add default via {GATEWAY_IP} dev eth0 src {ip}",
        net=net,
    )
    if not metadata:
        keeper.shell(f"ip route add prohibit {METADATA_IP}/32", net=net)
    return net


def remove_pod(keeper: Keeper, net: str) -> None:
    """Let the namespace go; its end of the pair takes the other along."""
    keeper.shell(f"umount {keeper.folder}/net/{net}; rm {keeper.folder}/net/{net}")


def inode(keeper: Keeper, net: str) -> int:
    """What `/proc/self/ns/net` shows inside: the marker names it."""
    return (keeper.inside / "net" / net).stat().st_ino


def _make(keeper: Keeper, net: str) -> None:
    """A network namespace that lives as long as its name is mounted in the run's folder."""
    place = f"{keeper.folder}/net/{net}"
    keeper.shell(f": > {place}\nunshare --net mount --bind /proc/self/ns/net {place}")
