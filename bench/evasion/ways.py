"""The ways themselves: `python ways.py NAME` does one of them, in a place that the environment tells (`EVASION`).

Harmless: a server on this machine's own loopback, a file and a variable that hold no secret. Each is documented behaviour
of Python or Linux. It runs in the process that is watched, so everything is imported where it is used.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Dict, Tuple

CONNECT = "import socket; s = socket.socket(); s.connect((%r, %r)); s.send(b'x'); s.close()"


class Place:
    """What the environment tells: an address with a port, a file, a program, open descriptors of others."""

    def __init__(self, told: Dict[str, Any]) -> None:
        self.address = told["address"]
        self.port = told["port"]
        self.token = told["token"]
        self.link = told["link"]
        self.static = told["static"]
        self.handed = told["handed"]
        self.channel = told["channel"]
        self.code = CONNECT % (self.address, self.port)

    @property
    def to(self) -> Tuple[str, int]:
        return self.address, self.port


class NotHereError(Exception):
    """The way cannot be gone here."""


def library() -> Any:
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def sockaddr(place: Place) -> bytes:
    import socket
    import struct

    return struct.pack("=HH4s8x", 2, socket.htons(place.port), socket.inet_aton(place.address))


def optional(name: str) -> Any:
    try:
        return __import__(name)
    except ImportError as error:
        raise NotHereError(f"no {name} here") from error


def received(place: Place) -> int:
    import array
    import socket

    channel = socket.socket(fileno=place.channel)
    numbers = array.array("i")
    _, ancillary, _, _ = channel.recvmsg(1, socket.CMSG_SPACE(numbers.itemsize))
    numbers.frombytes(ancillary[0][2][: numbers.itemsize])
    return numbers[0]


# --- reaching another host ---


def nothing(place: Place) -> None:
    pass


def socket_connect(place: Place) -> None:
    import socket

    with socket.socket() as made:
        made.connect(place.to)
        made.send(b"x")


def asyncio_connect(place: Place) -> None:
    import asyncio

    async def main() -> None:
        _, writer = await asyncio.open_connection(*place.to)
        writer.close()

    asyncio.run(main())


def thread(place: Place) -> None:
    import threading

    made = threading.Thread(target=socket_connect, args=(place,))
    made.start()
    made.join()


def fork(place: Place) -> None:
    pid = os.fork()
    if pid == 0:
        socket_connect(place)
        os._exit(0)
    os.waitpid(pid, 0)


def subprocess_child(place: Place) -> None:
    import subprocess

    subprocess.run([sys.executable, "-c", place.code], check=True)


def child_of_empty_environment(place: Place) -> None:
    import subprocess

    subprocess.run([sys.executable, "-c", place.code], env={}, check=True)


def fork_exec(place: Place) -> None:
    raw = optional("_posixsubprocess")

    read, write = os.pipe()
    program = os.fsencode(sys.executable)
    known = [
        [program, b"-I", b"-S", b"-c", place.code.encode()],
        [program],
        True,
        (write,),
        None,
        [],
        -1,
        -1,
        -1,
        -1,
        -1,
        -1,
        read,
        write,
    ]
    after = [[False, False, -1, None, None, None, -1, None], [False, False, None, None, None, -1, None]]
    for rest in (after[0], [*after[0], False], after[1]):  # 3.11, 3.12 and later, 3.8
        try:
            pid = raw.fork_exec(*known, *rest)
            break
        except TypeError:
            continue
    else:
        raise NotHereError("another signature of fork_exec")
    if os.waitpid(pid, 0)[1]:
        raise OSError("the child failed")


def exec_without_preload(place: Place) -> None:
    env = {
        name: value for name, value in os.environ.items() if name != "LD_PRELOAD" and "EIGHTYSIX" not in name
    }
    os.execve(sys.executable, [sys.executable, "-c", place.code], env)


def static_program(place: Place) -> None:
    import subprocess

    if not place.static:
        raise NotHereError("no compiler here, or no static C library")
    subprocess.run([place.static, place.address, str(place.port)], check=True)


def ctypes_connect(place: Place) -> None:
    libc = library()
    made = libc.socket(2, 1, 0)
    if libc.connect(made, sockaddr(place), 16):
        raise OSError("connect")


def uvloop_connect(place: Place) -> None:
    uvloop = optional("uvloop")
    import asyncio

    async def main() -> None:
        _, writer = await asyncio.open_connection(*place.to)
        writer.close()

    loop = uvloop.new_event_loop()
    loop.run_until_complete(main())
    asyncio.set_event_loop(None)


def pycurl_connect(place: Place) -> None:
    pycurl = optional("pycurl")
    made = pycurl.Curl()
    made.setopt(pycurl.URL, "http://%s:%d/" % place.to)
    made.setopt(pycurl.CONNECT_ONLY, 1)
    made.perform()


def subinterpreter(place: Place) -> None:
    try:
        made = optional("_interpreters")
    except NotHereError:
        made = optional("_xxsubinterpreters")
    one = made.create()
    (getattr(made, "run_string", None) or made.exec)(one, place.code)
    made.destroy(one)


def name_taken_by_compile(place: Place) -> None:
    """Code of one distribution of the environment takes the name of another one's file."""
    optional("poisoned").by_compile(place.code, optional("innocent").__file__)


def name_taken_by_replace(place: Place) -> None:
    optional("poisoned").by_replace(place.code, optional("innocent").__file__)


def code_in_pth(place: Place) -> None:
    """A line of a `.pth` did it before this function was called."""


def sendto_fast_open(place: Place) -> None:
    import socket

    with socket.socket() as made:
        made.sendto(b"x", 0x20000000, place.to)  # MSG_FASTOPEN


def connect_fast_open(place: Place) -> None:
    import socket

    with socket.socket() as made:
        made.setsockopt(6, 30, 1)  # TCP_FASTOPEN_CONNECT
        made.connect(place.to)
        made.send(b"x")


def inherited_socket(place: Place) -> None:
    import socket

    with socket.socket(fileno=place.handed) as made:
        made.send(b"x")


def socket_by_scm_rights(place: Place) -> None:
    import socket

    with socket.socket(fileno=received(place)) as made:
        made.send(b"x")


def io_uring_connect(place: Place) -> None:
    import ctypes
    import socket

    from bench.acts import IORING_OP_CONNECT, Ring

    ring = Ring()
    with socket.socket() as made:
        address = ctypes.create_string_buffer(sockaddr(place))
        ring.request(IORING_OP_CONNECT, made.fileno(), ctypes.addressof(address), 0, 16)
        made.send(b"x")


def udp_sendto(place: Place) -> None:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.sendto(b"x", place.to)


def udp_sendmsg(place: Place) -> None:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.sendmsg([b"x"], [], 0, place.to)


def sensor_emptied(place: Place) -> None:
    """The sensor's own functions are found among all objects and replaced."""
    import gc

    def quiet(*_: Any) -> None:
        return None

    for found in gc.get_objects():
        if type(found) is type(quiet) and str(getattr(found, "__module__", "")).startswith(
            "eightysix_sensor"
        ):
            if not found.__code__.co_freevars:
                found.__code__ = quiet.__code__
        elif type(found) is dict and "socket.connect" in found and "open" in found:
            found.clear()
    socket_connect(place)


def sensor_off_by_cells(place: Place) -> None:
    """Whatever the cells and defaults of functions that the sensor put in place lead to is switched off."""
    import _thread
    import atexit
    import concurrent.futures
    import concurrent.futures.thread

    found: list[Any] = []

    class Same:
        def __eq__(self, other: object) -> bool:
            found.append(other)
            return False

        __hash__ = None  # type: ignore[assignment]

    atexit.unregister(Same())  # type: ignore[arg-type]
    found += [getattr(_thread, name) for name in dir(_thread) if name.startswith("start")]
    found += [concurrent.futures.ThreadPoolExecutor.submit]
    for function in found:
        for cell in getattr(function, "__closure__", None) or ():
            _switch_off(cell.cell_contents)
    socket_connect(place)


def sensor_off_by_signal(place: Place) -> None:
    """A signal's handler gets the frame that was interrupted: the sensor's, if it is asked often enough."""
    import signal
    import time

    off: list[bool] = []

    def handler(number: int, frame: Any) -> None:
        while frame is not None and not off:
            off.extend(True for value in list(frame.f_locals.values()) if _switch_off(value))
            frame = frame.f_back

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
    until = time.monotonic() + 10
    while not off and time.monotonic() < until:
        for port in range(1, 400):
            sys.audit("socket.connect", None, ("127.0.0.1", port))
    signal.setitimer(signal.ITIMER_REAL, 0)
    socket_connect(place)


def _switch_off(found: Any) -> bool:
    core = found if type(found).__name__ == "Core" else getattr(found, "_core", None)
    if core is not None and hasattr(core, "off"):
        core.off = True
        return True
    return False


# --- reading a file ---


def builtin_open(place: Place) -> None:
    with open(place.token) as file:
        file.read()


def io_open(place: Place) -> None:

    with open(place.token, "rb", buffering=0) as file:
        file.read()


def os_open(place: Place) -> None:
    os.close(os.open(place.token, os.O_RDONLY))


def relative_open(place: Place) -> None:
    folder, name = os.path.split(place.token)
    os.chdir(folder)
    with open(name) as file:
        file.read()


def relative_to_descriptor(place: Place) -> None:
    folder, name = os.path.split(place.token)
    base = os.open(folder, os.O_RDONLY)
    os.close(os.open(name, os.O_RDONLY, dir_fd=base))


def through_proc_root(place: Place) -> None:
    with open("/proc/self/root" + place.token) as file:
        file.read()


def through_symlink(place: Place) -> None:
    """The link lay there before."""
    with open(place.link) as file:
        file.read()


def through_own_symlink(place: Place) -> None:
    link = "innocent-%d.txt" % os.getpid()
    os.symlink(place.token, link)
    with open(link) as file:
        file.read()


def open_and_map(place: Place) -> None:
    import mmap

    with open(place.token, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        bytes(mapped[:1])


def ctypes_openat(place: Place) -> None:
    found = library().open(os.fsencode(place.token), 0)
    if found < 0:
        raise OSError("open")
    os.read(found, 8)


def io_uring_open(place: Place) -> None:
    import ctypes

    from bench.acts import IORING_OP_OPENAT, Ring

    path = ctypes.create_string_buffer(os.fsencode(place.token))
    os.close(Ring().request(IORING_OP_OPENAT, -100, ctypes.addressof(path), 0, 0))


def child_cat(place: Place) -> None:
    import subprocess

    subprocess.run(["cat", place.token], stdout=subprocess.DEVNULL, check=True)


def inherited_file(place: Place) -> None:
    os.read(place.handed, 8)


def file_by_scm_rights(place: Place) -> None:
    os.read(received(place), 8)


# --- the environment, and memory ---


def os_environ(place: Place) -> None:
    if not os.environ["EVASION_SECRET"]:
        raise OSError("not set")


def ctypes_getenv(place: Place) -> None:
    library().getenv(b"EVASION_SECRET")


def proc_self_environ(place: Place) -> None:
    with open("/proc/self/environ", "rb") as file:
        file.read()


def proc_parent_environ(place: Place) -> None:
    with open("/proc/%d/environ" % os.getppid(), "rb") as file:
        file.read()


def cached_token_by_gc(place: Place) -> None:
    """A client library's cache is an ordinary object: whoever lists all objects has it."""
    import gc

    cache = {"cached": ["not a token"]}
    if not any(type(found) is dict and found is cache for found in gc.get_objects()):
        raise OSError("not found")


def cached_token_by_name(place: Place) -> None:
    """The same, by a name that is known: `module._cache`."""
    vars(sys.modules["json"])["cached"] = "not a token"
    if vars(sys.modules["json"])["cached"] != "not a token":
        raise OSError("not found")


def own_memory(place: Place) -> None:
    with open("/proc/self/mem", "rb", buffering=0) as file:
        file.seek(id(place))
        file.read(8)


def memory_of_parent(place: Place) -> None:
    with open("/proc/%d/maps" % os.getppid()) as maps:
        start = int(maps.readline().split("-")[0], 16)
    with open("/proc/%d/mem" % os.getppid(), "rb", buffering=0) as file:
        file.seek(start)
        file.read(8)


def process_vm_readv(place: Place) -> None:
    import ctypes

    with open("/proc/%d/maps" % os.getppid()) as maps:
        start = int(maps.readline().split("-")[0], 16)
    into = ctypes.create_string_buffer(8)
    ours = (ctypes.c_size_t * 2)(ctypes.addressof(into), 8)
    theirs = (ctypes.c_size_t * 2)(start, 8)
    if library().process_vm_readv(os.getppid(), ours, 1, theirs, 1, 0) != 8:
        raise OSError("process_vm_readv")


def main() -> int:
    place = Place(json.loads(os.environ["EVASION"]))
    try:
        globals()[sys.argv[1]](place)
    except NotHereError as reason:
        sys.stdout.write(f"not here: {reason}\n")
        return 0
    sys.stdout.write("done\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
