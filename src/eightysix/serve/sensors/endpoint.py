"""The folder of one pod with the socket in it: made so that nothing which the pod does to the folder leads elsewhere.

The pod may be able to write there: the socket can be deleted, replaced by a link, or drowned in files. So nothing in the
folder is ever opened, followed or changed. The socket lies in a folder of our own, which no pod sees, and the pod's
`s.sock` is a hard link to it: put there by a rename, which replaces what has that name and follows nothing. Who was
connected stays connected when the name is made anew, because the socket is the same.
"""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress
from itertools import islice

from eightysix.model.errors import EightysixError

__all__ = ["SOCKET", "Endpoint", "EndpointError", "Root", "is_uid"]

SOCKET = "s.sock"

_OWN = ".sockets"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_UID = 64
_MAX_BURIED = 10_000
"""Entries that are deleted with a pod's folder."""

_BUFFER = 4 << 20
"""Bytes asked for the socket's queue. The number of datagrams in it is bounded by net.unix.max_dgram_qlen."""


class EndpointError(EightysixError):
    """A folder or socket that cannot be made, or is not what it must be."""


def is_uid(name: str) -> bool:
    """Whether `name` can be a pod's uid, and so the name of its folder: a UUID, or the hash that static pods have."""
    return (
        1 <= len(name) <= _MAX_UID and name.isascii() and name.replace("-", "a").isalnum() and name[0] != "-"
    )


class Root:
    """The folder of all pods' folders, of which no pod sees more than its own. One receiver at a time."""

    def __init__(self, path: str) -> None:
        self.path = path
        os.makedirs(path, 0o711, exist_ok=True)
        self.descriptor = _open_folder(path, None)
        try:
            self.own = self._prepare()
        except (OSError, EndpointError):
            os.close(self.descriptor)
            raise

    def _prepare(self) -> int:
        _must_be_ours(self.descriptor, self.path)
        with suppress(FileExistsError):
            os.mkdir(_OWN, 0o700, dir_fd=self.descriptor)
        own = _open_folder(_OWN, self.descriptor)
        _must_be_ours(own, f"{self.path}/{_OWN}")
        os.fchmod(own, 0o700)
        _lock(own, self.path)
        return own

    def pods(self, most: int) -> list[str]:
        """The uids that have a folder: the kubelet makes it (`subPathExpr`) when it starts the pod."""
        found = []
        with os.scandir(self.descriptor) as entries:
            for entry in entries:
                if is_uid(entry.name) and entry.is_dir(follow_symlinks=False):
                    found.append(entry.name)
                if len(found) >= most:
                    break
        return sorted(found)

    def close(self) -> None:
        """Give the descriptors back; sockets and folders stay for the next receiver."""
        os.close(self.own)
        os.close(self.descriptor)


class Endpoint:
    """One pod's folder and socket."""

    def __init__(self, root: Root, uid: str) -> None:
        if not is_uid(uid):
            raise EndpointError(f"{uid[:80]!r} is no uid of a pod", "a uid has letters, digits and hyphens")
        self.uid = uid
        self._root = root
        self._name = f"{uid}.sock"
        with suppress(FileExistsError):
            os.mkdir(uid, 0o755, dir_fd=root.descriptor)
        self._folder = _open_folder(uid, root.descriptor)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._take()
            self._bind()
            self._put()
        except (OSError, EndpointError):
            self.socket.close()
            os.close(self._folder)
            raise

    @property
    def path(self) -> str:
        """The folder that is mounted into the pod."""
        return f"{self._root.path}/{self.uid}"

    def is_in_place(self) -> bool:
        """Whether the pod's `s.sock` is our socket, and the folder the one that we know."""
        try:
            there = os.stat(SOCKET, dir_fd=self._folder, follow_symlinks=False)
            folder = os.stat(self.uid, dir_fd=self._root.descriptor, follow_symlinks=False)
        except OSError:
            return False
        mine = os.fstat(self._folder)
        return (there.st_dev, there.st_ino) == self._id and (folder.st_dev, folder.st_ino) == (
            mine.st_dev,
            mine.st_ino,
        )

    def repair(self) -> None:
        """Put the socket back where it belongs."""
        if os.fstat(self._folder).st_nlink == 0:
            with suppress(FileExistsError):
                os.mkdir(self.uid, 0o755, dir_fd=self._root.descriptor)
            folder = _open_folder(self.uid, self._root.descriptor)
            os.close(self._folder)
            self._folder = folder
        self._take()
        self._put()

    def strangers(self, most: int) -> int:
        """Entries of the folder that are not the socket, up to `most`."""
        number = 0
        folder = os.open(".", _FOLDER, dir_fd=self._folder)
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    number += entry.name != SOCKET
                    if number >= most:
                        break
        finally:
            os.close(folder)
        return number

    def close(self, *, remove: bool) -> None:
        """Close the socket. With `remove` the pod's folder goes too: out of the way at once, and from the disk unless the pod
        left folders in it."""
        self.socket.close()
        with suppress(OSError):
            os.unlink(self._name, dir_fd=self._root.own)
        if remove:
            with suppress(OSError):
                self._bury()
        os.close(self._folder)

    def _bury(self) -> None:
        root, grave = self._root, f"gone-{self.uid}"
        os.rename(self.uid, grave, src_dir_fd=root.descriptor, dst_dir_fd=root.own)
        folder = os.open(".", _FOLDER, dir_fd=self._folder)  # a position of its own to list from
        try:
            with os.scandir(folder) as entries:
                for entry in islice(entries, _MAX_BURIED):
                    with suppress(OSError):
                        os.unlink(entry.name, dir_fd=folder)
        finally:
            os.close(folder)
        os.rmdir(grave, dir_fd=root.own)

    def _take(self) -> None:
        """Give the folder its owner and mode: the kubelet makes it with 0750, any user of the pod may send, and a pod whose
        mount is writable may have changed both. Its place in the root is ours alone, so this is no other folder."""
        if os.fstat(self._folder).st_uid != os.geteuid():
            os.fchown(self._folder, os.geteuid(), -1)
        os.fchmod(self._folder, 0o755)

    def _bind(self) -> None:
        own = self._root.own
        with suppress(FileNotFoundError):
            os.unlink(self._name, dir_fd=own)  # of a receiver that was killed
        # A path of a socket has 107 bytes; the descriptor's is short wherever the folder is.
        self.socket.bind(f"/proc/self/fd/{own}/{self._name}")
        os.chmod(self._name, 0o666, dir_fd=own)  # noqa: S103 - any user of the pod may send; others cannot reach it
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        made = os.stat(self._name, dir_fd=own, follow_symlinks=False)
        self._id = (made.st_dev, made.st_ino)

    def _put(self) -> None:
        own = self._root.own
        link = f"{self.uid}.link"
        with suppress(FileNotFoundError):
            os.unlink(link, dir_fd=own)
        os.link(self._name, link, src_dir_fd=own, dst_dir_fd=own, follow_symlinks=False)
        try:
            os.rename(link, SOCKET, src_dir_fd=own, dst_dir_fd=self._folder)
        except IsADirectoryError:
            self._move_folder_away()
            os.rename(link, SOCKET, src_dir_fd=own, dst_dir_fd=self._folder)
        finally:
            with suppress(FileNotFoundError):  # a rename to another name of the same file does nothing
                os.unlink(link, dir_fd=own)

    def _move_folder_away(self) -> None:
        """A folder that the pod put in the socket's place is given another name there: emptying it would be a walk through
        what the pod made."""
        for number in range(1_000):
            try:
                os.mkdir(f"moved-{number}", 0o700, dir_fd=self._folder)
            except FileExistsError:
                continue
            os.rename(SOCKET, f"moved-{number}", src_dir_fd=self._folder, dst_dir_fd=self._folder)
            return
        raise EndpointError(f"{self.path} is full of folders", "end the pod")


def _open_folder(name: str, parent: int | None) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except OSError as error:
        raise EndpointError(
            f"{name} is no folder that can be used: {error.strerror}", "move it away"
        ) from error


def _must_be_ours(descriptor: int, path: str) -> None:
    told = os.fstat(descriptor)
    if told.st_uid != os.geteuid():
        raise EndpointError(f"{path} belongs to another user", "give it to the user of the receiver")
    if told.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise EndpointError(f"{path} can be written by others", f"chmod go-w {path}")


def _lock(own: int, path: str) -> None:
    import fcntl

    try:
        fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise EndpointError(f"another receiver uses {path}", "stop it, or name another folder") from error
