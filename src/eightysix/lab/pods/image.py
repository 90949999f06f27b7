"""What a container of the lab sees: a fresh root with the machine's `/usr` read-only, and an environment at `/opt/venv`.

Nothing else of the machine is there: no home, no `/var`, an `/etc` of its own. `/opt/venv` is an overlay whose lower layer
is the cache, so `pip install` in a pod is a real one and ends with the pod.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from shlex import quote

from eightysix.lab.interface import PodSpec
from eightysix.lab.pods.interpreter import Interpreter
from eightysix.lab.pods.keeper import Keeper
from eightysix.lab.world import (
    API_SERVER_IP,
    CLIENT_ID,
    HOSTS,
    INDEX_HOST,
    MARKER,
    NONCE_VARIABLE,
    TOKEN_FOLDER,
)
from eightysix.model.errors import LabError

__all__ = [
    "SENSOR_PLACE",
    "SOCKET_PLACE",
    "environment",
    "make",
    "mark",
    "mount_script",
    "remove",
    "write_files",
]

SENSOR_PLACE = "/opt/eightysix"
SOCKET_PLACE = "/run/eightysix"
TRUSTED = "/etc/ssl/certs/ca-certificates.crt"
"""Certificates that pods trust: the run's own authority and nobody else."""

_FOLDERS = (
    *(
        "app",
        "dev",
        "etc/ssl/certs",
        "home",
        "mnt",
        "opt/venv",
        "opt/eightysix",
        "proc",
        "root",
        "run/eightysix",
    ),
    *("run/lock", "srv", "sys", "tmp", "usr", "var/cache", "var/lib", "var/log", "var/tmp"),
    TOKEN_FOLDER.replace("/var/run/", "run/"),
)
_LINKS = {"var/run": "/run", "var/lock": "/run/lock"}
_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
"""Links into `/usr`, as on every distribution with a merged one (usr-merge, freedesktop.org)."""

_COPIED = (
    *("etc/ld.so.cache", "etc/ld.so.conf", "etc/ssl/openssl.cnf", "etc/protocols", "etc/services"),
    "etc/debian_version",
)

_USERS = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
_GROUP = "root:x:0:\nnogroup:x:65534:\n"


def environment(pod: PodSpec, nonce: str, *, preload: str = "") -> dict[str, str]:
    """Environment of the container: the image's, the kubelet's, the webhook's, and the pod's own over all of them.

    `preload` is the sensor's library in the pod, empty where its Python part starts alone.
    """
    told = {
        "PATH": "/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOSTNAME": pod.name,
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "VIRTUAL_ENV": "/opt/venv",
        "PYTHONUNBUFFERED": "1",
        "KUBERNETES_SERVICE_HOST": API_SERVER_IP,
        "KUBERNETES_SERVICE_PORT": "443",
        "KUBERNETES_SERVICE_PORT_HTTPS": "443",
        "AZURE_CLIENT_ID": CLIENT_ID,
        # Libraries with certificates of their own (certifi) would not look where the image has its.
        "SSL_CERT_FILE": TRUSTED,
        "REQUESTS_CA_BUNDLE": TRUSTED,
        NONCE_VARIABLE: nonce,
    }
    if pod.sensor:
        told["EIGHTYSIX_SENSOR"] = f"unix:{SOCKET_PLACE}/s.sock"
        told["EIGHTYSIX_SENSOR_HOME"] = SENSOR_PLACE
        if preload:
            told["LD_PRELOAD"] = preload
    return {**told, **pod.env, NONCE_VARIABLE: nonce}


def make(keeper: Keeper, name: str, pod: PodSpec, ca: str) -> str:
    """Make the root of one container in the run's tmpfs, without its mounts; returns its path inside. `ca` is whom it trusts."""
    root = keeper.inside / "pods" / name / "root"
    for folder in _FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for folder in ("tmp", "var/tmp"):
        (root / folder).chmod(0o1777)
    for link, target in _LINKS.items():
        (root / link).symlink_to(target)
    for merged in _MERGED:
        if os.path.islink(f"/{merged}"):
            (root / merged).symlink_to(f"usr/{merged}")
        elif os.path.isdir(f"/{merged}"):
            (root / merged).mkdir()
    _write_etc(root / "etc", pod, ca)
    return f"{keeper.folder}/pods/{name}/root"


def _write_etc(etc: Path, pod: PodSpec, ca: str) -> None:
    hosts = {**HOSTS, pod.name: pod.ip}
    texts = {
        "passwd": _USERS,
        "group": _GROUP,
        "hostname": f"{pod.name}\n",
        "hosts": "127.0.0.1\tlocalhost\n" + "".join(f"{ip}\t{host}\n" for host, ip in hosts.items()),
        # Nobody answers there, and the gateway says so at once: every name that exists is in `hosts`.
        "resolv.conf": f"search {pod.namespace}.svc.cluster.local svc.cluster.local\nnameserver 10.96.0.10\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
        "pip.conf": f"[global]\nindex-url = http://{INDEX_HOST}/simple\ntrusted-host = {INDEX_HOST}\n"
        "disable-pip-version-check = true\nroot-user-action = ignore\n",
    }
    (etc.parent / TRUSTED.lstrip("/")).write_text(ca)
    for copied in _COPIED:
        source = Path("/", copied)
        if source.is_file():
            shutil.copyfile(source, etc.parent / copied)
    for file, text in texts.items():
        (etc / file).write_text(text)


def mount_script(
    keeper: Keeper, name: str, python: Interpreter, venv: Path, *, token: bool, sensor: str, socket: str
) -> str:
    """The script that mounts what the root of `name` needs; `sensor` and `socket` are folders, empty where there is none."""
    root, own = f"{keeper.folder}/pods/{name}/root", f"{keeper.folder}/pods/{name}"
    lower = f"{keeper.folder}/lower/{name}"
    user = ",userxattr" if keeper.rootless else ""
    # A mount of its own, so that all which lies below it goes with one command.
    lines = [_bind(root, root, write=True), _bind("/usr", f"{root}/usr")]
    lines += [_bind(f"/{part}", f"{root}/{part}") for part in _MERGED if _is_real(f"/{part}")]
    if python.outside_usr:
        lines += [f"mkdir -p {quote(root + python.prefix)}", _bind(python.prefix, root + python.prefix)]
    # The lower layer gets a path of ours: overlay reads `:` and `,` in paths as its own.
    lines += [
        f"mkdir -p {lower} {own}/upper {own}/work",
        _bind(str(venv), lower),
        (
            f"mount -t overlay -o lowerdir={lower},upperdir={own}/upper,workdir={own}/work{user} overlay {root}/opt/venv"
            f" || cp -a {lower}/. {root}/opt/venv/"
        ),
    ]
    if token:
        place = TOKEN_FOLDER.replace("/var/run/", "/run/")
        lines.append(_bind(f"{own}/token", root + place))
    if sensor:
        lines.append(_bind(sensor, root + SENSOR_PLACE))
    if socket:
        lines.append(_bind(socket, root + SOCKET_PLACE, write=True))
    return "\n".join(lines)


def _is_real(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _bind(source: str, target: str, *, write: bool = False) -> str:
    """A bind mount. In a user namespace flags that the source has must stay, and remounting recursively is not asked for."""
    line = f"mount --rbind {quote(source)} {quote(target)}"
    return line if write else f"{line}\nmount -o remount,bind,ro {quote(target)} 2>&1"


def write_files(keeper: Keeper, name: str, files: Mapping[str, str]) -> None:
    """Write files into a mounted root. Raises `LabError` for a path that is none of the pod's."""
    root = keeper.inside / "pods" / name / "root"
    for path, text in files.items():
        parts = PurePosixPath(path).parts
        if (
            not path.startswith("/")
            or ".." in parts
            or parts[1:2] in (("usr",), ("proc",), ("sys",), ("dev",))
        ):
            raise LabError(f"a pod cannot be given the file {path}", "Name an absolute path outside of /usr.")
        place = root.joinpath(*parts[1:])
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


def mark(keeper: Keeper, name: str, nonce: str, inode: int) -> None:
    """Write the marker without which payloads refuse."""
    (keeper.inside / "pods" / name / f"root{MARKER}").write_text(f"{nonce}\n{inode}\n")


def remove(keeper: Keeper, name: str) -> None:
    """Unmount and remove the root of a pod that has ended."""
    place = f"{keeper.folder}/pods/{name}"
    keeper.shell(
        f"umount -R -l {place}/root\numount -l {keeper.folder}/lower/{name}\nrm -rf --one-file-system {place}"
    )
