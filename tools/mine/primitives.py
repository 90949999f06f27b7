"""The effects that matter and where they begin: built-in functions and C modules, not a list of gadgets.

Everything else that does harm does it by calling one of these, however many levels down; finding that out is the solver's
work. A name belongs here only if there is no Python source below it. Windows' and macOS' twins are here as well, because
a file is scanned on one system and loaded on another.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["CONSTANT_IS_HARMLESS", "HARMLESS", "METHODS", "PRIMITIVES", "Effect", "primitive"]


class Effect(StrEnum):
    """What a call does to the world outside the objects of its pickle, in the words that a finding uses."""

    PROCESS = "starts a process"
    CODE = "runs code given as text or bytes"
    IMPORT = "imports a module by name"
    NATIVE = "loads a native library or calls into memory"
    UNPICKLE = "loads another pickle or marshalled code"
    WRITE = "writes or changes a file by path"
    DELETE = "deletes files"
    READ = "reads a file or directory by path"
    NETWORK = "opens a network connection"
    LISTEN = "listens on the network"
    EXIT = "ends or signals a process"
    SETTINGS = "changes settings of the process"
    THREAD = "starts a thread"
    DEBUG = "waits for input or opens a debugger"
    REFLECT = "gets an attribute by name and calls it"
    CALLS = "calls what it is given"


#: With a constant argument these are how ordinary libraries work (a data file of their own, a lazy import, a cached
#: setting); only what a caller controls makes them a gadget.
CONSTANT_IS_HARMLESS = frozenset(
    {Effect.IMPORT, Effect.READ, Effect.SETTINGS, Effect.CALLS, Effect.REFLECT, Effect.WRITE, Effect.DELETE, Effect.CODE,
     Effect.UNPICKLE, Effect.NATIVE, Effect.THREAD}
)  # fmt: skip


def _table(effect: Effect, position: int | None, names: str) -> dict[str, tuple[Effect, int | None]]:
    return dict.fromkeys(names.split(), (effect, position))


#: Dotted name -> effect, and the argument that says what is done (None: any of them). A class stands for making one.
PRIMITIVES: dict[str, tuple[Effect, int | None]] = {
    **_table(Effect.PROCESS, None, """
        posix.system posix.popen posix.execv posix.execve posix.posix_spawn posix.posix_spawnp posix.fork posix.forkpty
        posix.fork1 posix.spawnv posix.spawnve nt.system nt.startfile nt.execv nt.execve nt.spawnv nt.spawnve
        _posixsubprocess.fork_exec _winapi.CreateProcess _subprocess.CreateProcess pwn.process
        pty.fork msvcrt.execv"""),
    **_table(Effect.CODE, 0, """
        builtins.exec builtins.eval builtins.execfile _interpreters.exec _interpreters.run_string
        _interpreters.run_func _xxsubinterpreters.run_string _xxsubinterpreters.run_func _testcapi.run_in_subinterp
        types.FunctionType types.CodeType types.LambdaType _frozen_importlib._call_with_frames_removed
        _imp.get_frozen_object _imp.init_frozen readline.parse_and_bind"""),
    **_table(Effect.IMPORT, 0, """
        builtins.__import__ importlib._bootstrap._gcd_import importlib._bootstrap._find_and_load
        importlib._bootstrap.__import__ importlib._bootstrap._load importlib._bootstrap._exec importlib.__import__
        imp.load_module imp.load_source imp.load_compiled imp.load_dynamic imp.load_package imp.init_builtin"""),
    **_table(Effect.NATIVE, 0, """
        _imp.create_dynamic _imp.load_dynamic _imp.exec_dynamic _ctypes.dlopen _ctypes.LoadLibrary _ctypes.dlsym
        _ctypes.call_function _ctypes.call_cdeclfunction _ctypes.PyObj_FromPtr _ctypes.Py_INCREF _ctypes.Py_DECREF
        _ctypes.CFuncPtr _ctypes.memmove_addr _ctypes._string_at_addr _ctypes._cast_addr _cffi_backend.load_library
        nt.add_dll_directory
        nt._add_dll_directory"""),
    **_table(Effect.UNPICKLE, 0, """
        _pickle.load _pickle.loads _pickle.Unpickler cPickle.load cPickle.loads cPickle.Unpickler marshal.load
        marshal.loads"""),
    **_table(Effect.WRITE, 0, """
        posix.rename posix.replace posix.link posix.symlink posix.mkdir posix.mkfifo posix.mknod posix.truncate
        posix.chmod posix.chown posix.lchown posix.lchmod posix.fchmodat posix.setxattr posix.removexattr posix.utime
        posix.chflags posix.lchflags posix.mount nt.rename nt.replace nt.mkdir nt.link nt.symlink nt.chmod nt.truncate
        nt.utime _sqlite3.connect _sqlite3.Connection sqlite3.dbapi2.connect _dbm.open _gdbm.open dbm.gnu.open
        dbm.ndbm.open _winapi.CreateFile winreg.SetValue winreg.SetValueEx winreg.CreateKey winreg.SaveKey
        readline.write_history_file _curses.putwin syslog.openlog faulthandler.enable _hotshot.profiler
        posixshmem.shm_open _posixshmem.shm_open fcntl.fcntl fcntl.ioctl"""),
    **_table(Effect.DELETE, 0, """
        posix.unlink posix.remove posix.rmdir nt.unlink nt.remove nt.rmdir posix.removedirs _posixshmem.shm_unlink
        winreg.DeleteKey winreg.DeleteValue"""),
    **_table(Effect.READ, 0, """
        builtins.open io.open _io.open _io.open_code io.open_code _io.FileIO io.FileIO builtins.file posix.open nt.open
        posix.listdir posix.scandir nt.listdir nt.scandir posix.readlink nt.readlink posix.getxattr
        _io.OpenWrapper mmap.mmap zipimport.zipimporter _winapi.OpenFile readline.read_history_file"""),
    **_table(Effect.NETWORK, None, """
        _socket.socket.connect _socket.socket.connect_ex _socket.socket.sendto _socket.socket.sendmsg _socket.getaddrinfo
        _socket.gethostbyname _socket.gethostbyname_ex _socket.gethostbyaddr _socket.getnameinfo socket.getnameinfo
        _ssl._SSLContext.load_verify_locations"""),
    **_table(Effect.LISTEN, None, "_socket.socket.bind _socket.socket.listen _socket.socket.accept"),
    **_table(Effect.EXIT, None, """
        posix._exit nt._exit posix.kill posix.killpg posix.abort nt.abort nt.kill sys.exit builtins.exit builtins.quit
        signal.raise_signal signal.pthread_kill signal.alarm signal.setitimer _signal.raise_signal _signal.alarm
        _signal.setitimer _signal.pthread_kill _winapi.TerminateProcess faulthandler._sigsegv ctypes.string_at
        posix.reboot _thread.interrupt_main posix.pidfd_send_signal"""),
    **_table(Effect.SETTINGS, None, """
        posix.putenv posix.unsetenv nt.putenv nt.unsetenv os.putenv os.unsetenv posix.chdir posix.fchdir posix.chroot
        posix.setuid posix.setgid posix.seteuid posix.setegid posix.setreuid posix.setresuid posix.setregid posix.setgroups
        posix.umask posix.nice nt.chdir nt.umask sys.settrace sys.setprofile sys.addaudithook sys.set_asyncgen_hooks
        sys.setrecursionlimit sys.setswitchinterval sys.setdlopenflags sys._setprofileallthreads sys.activate_stack_trampoline
        sys.set_int_max_str_digits sys.set_coroutine_origin_tracking_depth signal.signal _signal.signal gc.disable
        gc.freeze atexit.register atexit.unregister atexit._clear sys.breakpointhook resource.setrlimit
        codecs.register _codecs.register copyreg.add_extension copyreg.remove_extension warnings._filters_mutated
        locale.setlocale _locale.setlocale time.tzset time.clock_settime posix.sched_setaffinity
        posix.setpriority builtins.setattr builtins.delattr"""),
    **_table(Effect.THREAD, None, """
        _thread.start_new_thread _thread.start_new _thread.start_joinable_thread thread.start_new_thread
        threading._start_new_thread threading._start_joinable_thread"""),
    **_table(Effect.DEBUG, None, "builtins.input builtins.raw_input builtins.breakpoint sys.stdin.readline code.interact"),
    **_table(Effect.CALLS, 0, """
        builtins.map builtins.filter builtins.apply functools.reduce _functools.reduce itertools.starmap itertools.map
        itertools.accumulate itertools.takewhile itertools.dropwhile itertools.filterfalse itertools.groupby
        _operator.call operator.call asyncio.run _asyncio.Task weakref.finalize _contextvars.Context.run"""),
    **_table(Effect.REFLECT, None, "_operator.methodcaller _operator.attrgetter operator.methodcaller operator.attrgetter"),
}  # fmt: skip

#: These take a constant or an own value so often that a controlled argument alone says nothing: attribute names on
#: objects, which the loading machine judges by itself.
for _name in ("builtins.setattr", "builtins.delattr"):
    del PRIMITIVES[_name]

#: Method names that mean one thing whatever the object is. Used where the receiver's class is not known.
METHODS: dict[str, tuple[Effect, int | None]] = {
    **_table(Effect.CODE, None, "exec_module run_cell run_line_magic runcode runsource"),
    **_table(Effect.IMPORT, None, "load_module import_module"),
    **_table(
        Effect.PROCESS,
        None,
        "fork_exec create_subprocess_exec create_subprocess_shell check_output getoutput",
    ),
    **_table(Effect.NATIVE, None, "LoadLibrary dlopen load_library"),
    **_table(Effect.WRITE, None, "write_text write_bytes extractall symlink_to hardlink_to"),
    **_table(Effect.DELETE, None, "unlink rmtree rmdir"),
    **_table(Effect.READ, None, "read_text read_bytes"),
    **_table(Effect.NETWORK, None, "urlopen urlretrieve create_connection open_connection"),
}

#: Built-ins that neither do anything nor pass anything on; left out of the facts to keep them small.
HARMLESS = frozenset(
    """abs all any ascii bin bool bytearray bytes callable chr complex dict divmod enumerate float format frozenset
    getattr hasattr hash hex id int isinstance issubclass iter len list max memoryview min next object oct ord pow print
    property range repr reversed round set slice sorted str sum super tuple type zip classmethod staticmethod vars dir
    ValueError TypeError RuntimeError NotImplementedError KeyError AttributeError IndexError ImportError OSError Exception
    AssertionError StopIteration DeprecationWarning UserWarning warnings.warn setattr delattr""".split()
)


def primitive(name: str) -> tuple[Effect, int | None] | None:
    """The effect of calling `name`, which is absolute; os.* stands for the posix.* or nt.* that it exports."""
    found = PRIMITIVES.get(name)
    if found is None and name.startswith("os.") and name.count(".") == 1:
        return PRIMITIVES.get("posix" + name[2:]) or PRIMITIVES.get("nt" + name[2:])
    return found
