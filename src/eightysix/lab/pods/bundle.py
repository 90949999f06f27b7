"""The OCI bundle of a pod's container: `config.json` of the runtime specification, version 1.0.

Shaped after what containerd's CRI plug-in asks of runc for an unprivileged pod: its capabilities, masked paths and devices
by default. The root is writable, as most pods' is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["CAPABILITIES", "config"]

CAPABILITIES = (
    *("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID"),
    *("CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL"),
    "CAP_AUDIT_WRITE",
)
"""containerd/pkg/oci/spec.go, defaultUnixCaps."""

_MASKED = (
    *("/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list"),
    *("/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"),
)
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def config(
    *, root: str, argv: Sequence[str], env: Mapping[str, str], hostname: str, cgroup: str
) -> dict[str, object]:
    """The configuration. `root` has everything mounted already. The network is that in which the runtime is started: where
    it had to join one, it would do so as the pod, and the kernel's sensor would see a pod that enters a namespace."""
    capabilities = list(CAPABILITIES)
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": list(argv),
            "env": [f"{name}={value}" for name, value in env.items()],
            "cwd": "/app",
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
            "noNewPrivileges": False,
            "oomScoreAdj": 1000,
        },
        "root": {"path": root, "readonly": False},
        "hostname": hostname,
        "mounts": [
            _mount("proc", "/proc", "nosuid", "noexec", "nodev"),
            _mount("tmpfs", "/dev", "nosuid", "strictatime", "mode=755", "size=65536k"),
            _mount("devpts", "/dev/pts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
            _mount("mqueue", "/dev/mqueue", "nosuid", "noexec", "nodev"),
            _mount("tmpfs", "/dev/shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),  # noqa: S108 - the pod's
            _mount("sysfs", "/sys", "nosuid", "noexec", "nodev", "ro"),
        ],
        "linux": {
            "cgroupsPath": cgroup,
            "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "cgroup")],
            "maskedPaths": list(_MASKED),
            "readonlyPaths": list(_READ_ONLY),
        },
    }


def _mount(kind: str, destination: str, *options: str) -> dict[str, object]:
    return {"destination": destination, "type": kind, "source": kind, "options": list(options)}
