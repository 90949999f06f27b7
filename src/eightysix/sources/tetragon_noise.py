"""Which lines of Tetragon's export are noise, told from their bytes alone, before anything is decoded.

Nine of ten records of a busy node are exits, starts of small tools, reads of the same files and connections to the same
places. Such a line is left out here when it has exactly the shape in which Tetragon writes it (compact, fields in the
order of `tetragon.proto`) and the decoder has learnt before that it tells nothing new. Everything else (spaces, another
order of keys, escapes, anything unexpected) is decoded, so this may only ever cost time, never an event: the tests hold
it against the decoder with shuffled keys, escapes and white space. What it cannot notice is damage inside a line that is
noise anyway.

A quote inside a JSON string is always escaped, so a pattern with quotes of its own can only be found where the record
really has that key, whatever a process wrote into its arguments.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["LEAVES", "MOST", "Known", "Noise", "NoiseCounts"]

LEAVES = frozenset(
    f"/{folder}/{name}"
    for folder in ("bin", "usr/bin")
    for name in (
        "arch basename cksum cmp comm cp cut date dd df dirname du echo expr false free grep egrep fgrep head hostname"
        " id kill ln ls lscpu lsblk md5sum mkdir mktemp mv nproc nvidia-smi od paste pidof printenv printf ps pwd readlink"
        " realpath rm rmdir sed sha256sum sort stat stty sync tee test touch tr true tty uname uniq uptime"
        " users wc who whoami"
    ).split()
)
"""Programs of coreutils, procps, util-linux and the GPU driver that start no other: their execs are no links of a tree.
Those that serve as entrypoints of idle containers (sleep, tail, cat, yes) are none of them: a tree begins there.
Whoever replaces one of these files loses its descendants to the tree, not their own records, which name their parent."""

MOST = 65_536
"""Connections and paths that are remembered as noise before starting over."""

_EXIT = b'{"process_exit":{"process":{"exec_id":"'
_EXEC = b'{"process_exec":{"process":{"exec_id":"'
_PROBE = b'{"process_kprobe":{"process":{"exec_id":"'
_BINARY = b'"binary":"'
_ARGUMENTS = b'"args":[{"'
_SOCKET = b'"args":[{"sock_arg":{'
_FILE = b'"args":[{"file_arg":{"path":"'
_ADDRESS = b'"daddr":"'
_PORT = b'"dport":'
_TIME = b'"time":"'
_LEAF_BYTES = frozenset(name.encode() for name in LEAVES)


Contact = tuple[str, str]
"""Whose contacts a connection belongs to: pod key, and its name there. Empty texts: nobody's, it is mere noise."""


class NoiseCounts:
    """How many lines of a block were left out, by kind."""

    __slots__ = ("connects", "execs", "exits", "probes")

    def __init__(self) -> None:
        self.exits = self.execs = self.connects = self.probes = 0


class Known:
    """A connection that is known: from `since` on it is noise, but for the `latest` of it, which is on `line` of `file`.
    Times are text without the zone's letter; `latest` is empty while there was none."""

    __slots__ = ("contact", "file", "latest", "line", "since")

    def __init__(self, since: bytes, contact: Contact) -> None:
        self.since = since
        self.contact = contact
        self.latest = b""
        self.file = ""
        self.line = 0


class Noise:
    """What the decoder has learnt to be noise; it adds to this, and asks which lines are left to decode."""

    def __init__(self, *, leaves: bool) -> None:
        self._leaves = _LEAF_BYTES if leaves else frozenset()
        self._paths: set[bytes] = set()
        self.connections: dict[Key, Known] = {}
        self.waiting: list[Known] = []
        """Connections that have a `latest` which nobody took yet."""

    def learn_path(self, path: str) -> None:
        """From now on, touching `path` is noise, whoever does it and how."""
        if len(self._paths) >= MOST:
            self._paths.clear()
        if "\\" not in path and '"' not in path:
            self._paths.add(path.encode("utf-8", "surrogatepass"))

    def learn_connection(
        self, line: bytes, exec_id: str, ip: str, port: int, time: str, contact: Contact
    ) -> None:
        """From now on, this process connecting there at `time` or later is noise, but for being the latest of its
        contact. Empty `time`: at any time. Times compare as text, which is right for UTC without the zone's letter.

        `line` is the record that told of it: what of its bytes must come again is taken from there, and only where these
        say exactly what was decoded (another order of keys or an escape teaches nothing)."""
        if time and not time.endswith("Z"):
            return
        key = _connection_key(line)
        asked = (
            b'%b%b"' % (_PROBE, exec_id.encode("utf-8", "replace")),
            b'%b"' % ip.encode("utf-8", "replace"),
            b"%d" % port,
        )
        if not all(map(bytes.startswith, key, asked)) or key[2][len(asked[2]) : len(asked[2]) + 1].isdigit():
            return
        known = Known(time[:-1].encode("utf-8", "replace"), contact)
        before = self.connections.get(key)
        if before is not None:  # an earlier one came later: what waits to be told still does
            known.latest, known.file, known.line = before.latest, before.file, before.line
            if known.latest:
                self.waiting.append(known)
        self.connections[key] = known

    def sift(  # noqa: C901 - the hottest loop: a call for each line would cost what it saves
        self, block: bytes, ends: Sequence[int], counts: NoiseCounts, file: str, first_line: int
    ) -> list[int]:
        """The indexes of the lines of `block`, ended by `ends`, that must be decoded; counts the others."""
        starts_with, find, find_last = block.startswith, block.find, block.rfind
        leaves, paths, known_connection = self._leaves, self._paths, self.connections.get
        rest: list[int] = []
        keep, wait = rest.append, self.waiting.append
        exits = execs = connects = probes = start = 0
        for index, end in enumerate(ends):
            begin, start = start, end + 1
            if end - begin < _SHORTEST or block[end - 1] != _BRACE:
                keep(index)
                continue
            letter = block[begin + _TELLING]
            if letter == _OF_EXIT:
                if starts_with(_EXIT, begin):
                    exits += 1
                    continue
            elif letter == _OF_PROBE:
                at = find_last(_ARGUMENTS, end - _TAIL if end > _TAIL else 0, end)
                if at < begin:
                    pass
                elif starts_with(_FILE, at):
                    at += _FILE_LENGTH
                    if block[at : find(b'"', at, end)] in paths and starts_with(_PROBE, begin):
                        probes += 1
                        continue
                elif starts_with(_SOCKET, at):
                    # The same parts as in `_connection_key`.
                    address = find(_ADDRESS, at, end) + _ADDRESS_LENGTH
                    port = find(_PORT, address, end) + _PORT_LENGTH
                    asked = block[address : address + _OF_ADDRESS]
                    if _QUOTE not in asked:
                        asked = block[address : find(b'"', address, end) + 1]
                    known = known_connection(
                        (block[begin : begin + _OF_PROCESS], asked, block[port : port + _OF_PORT])
                    )
                    if known is not None:
                        at = find_last(_TIME, port, end) + _TIME_LENGTH
                        time = block[at : find(b'Z"', at, end)]
                        # A colon where a clock has one: a label may be called "time" too, but its value holds none.
                        if known.since <= time and block[at + _HOUR] == _COLON:
                            connects += 1
                            if known.latest < time:
                                if not known.latest:
                                    wait(known)
                                known.latest, known.file, known.line = time, file, first_line + index
                            continue
            elif leaves and letter == _OF_EXEC:
                at = find(_BINARY, begin, end) + _BINARY_LENGTH
                if block[at : find(b'"', at, end)] in leaves and starts_with(_EXEC, begin):
                    execs += 1
                    continue
            keep(index)
        counts.exits, counts.execs, counts.connects, counts.probes = exits, execs, connects, probes
        return rest


Key = tuple[bytes, bytes, bytes]


def _connection_key(line: bytes) -> Key:
    """The parts of a record by which a connection is known again, cut off at a fixed width because finding where each
    ends costs more than the rest: its beginning with the process, and what stands from the address and from the port on.
    The caller sees to it that each holds what it should, to its end."""
    at = line.rfind(_ARGUMENTS, max(0, len(line) - _TAIL))
    address = line.find(_ADDRESS, at) + _ADDRESS_LENGTH
    port = line.find(_PORT, address) + _PORT_LENGTH
    asked = line[address : address + _OF_ADDRESS]
    if _QUOTE not in asked:
        asked = line[address : line.find(b'"', address) + 1]
    return line[:_OF_PROCESS], asked, line[port : port + _OF_PORT]


_TAIL = 720
"""The arguments of a probe begin no further from the end of its record, unless they are of a kind that is no noise."""

_SHORTEST = 64
"""Shorter lines are no records of a process."""

_TELLING = 12
"""The byte by which the beginnings of the three kinds differ."""

_OF_EXIT, _OF_EXEC, _OF_PROBE = _EXIT[_TELLING], _EXEC[_TELLING], _PROBE[_TELLING]
_BRACE = ord("}")
_FILE_LENGTH = len(_FILE)
_BINARY_LENGTH = len(_BINARY)
_ADDRESS_LENGTH = len(_ADDRESS)
_PORT_LENGTH = len(_PORT)
_PROBE_LENGTH = len(_PROBE)
_TIME_LENGTH = len(_TIME)
_HOUR = len("2026-11-24T09")
_COLON = ord(":")
_QUOTE = ord('"')

_OF_PROCESS = len(_PROBE) + 128
"""Bytes of a record that hold the exec id of its process: base64 of 96, which is a node's name of 70. With longer names
each connection is decoded."""

_OF_ADDRESS = len('255.255.255.255"')
"""Those of IPv6 may be longer: their end is looked for. More would reach into the other port, which is a new one each time."""

_OF_PORT = len("65535,")
