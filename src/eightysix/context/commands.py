"""What a command line means, without repeating it: a harmless summary, an activity, and the artifacts that it names.

Secrets stand in command lines in every place that one can think of, so nothing is taken out of them: the summary is put
together from words that are known (`context.programs`) and from names that are valid in their ecosystem
(`context.packages`). What the process does is told as `activity`:

`install` (packages land) · `download` (files or models land) · `publish` (a package, image, model
or commit is pushed) · `build-hook` (a package's own build code runs) · `interpreter` (a script or module of anybody's
runs) · `shell` · `host-entry` (it enters other namespaces or another root) · `cloud-cli` (a tool that holds cloud,
cluster or registry credentials) · empty for everything else.

Limits: a program under another name (a copy of curl), an applet of busybox (the kernel's record lacks `argv[0]`), and
code that installs without a command are not recognised here; file writes and the sensor tell of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from eightysix.context.argv import (
    MAX_ARGUMENTS,
    MAX_SUMMARY,
    Command,
    Summary,
    Words,
    split,
    split_joined,
    take,
)
from eightysix.context.packages import WITHHELD, looks_secret
from eightysix.context.programs import TOOLS, Grammar
from eightysix.context.runtimes import (
    BUILD_HOOKS,
    HOST_ENTRY,
    INTERPRETER_NAMES,
    INTERPRETERS,
    MODULES,
    MULTIPROCESSING,
    SCRIPTS,
    SETUP_COMMANDS,
    SHELLS,
    TRANSFERS,
    WRAPPERS,
    Interpreter,
    Transfer,
)
from eightysix.context.servers import shown_application
from eightysix.context.tools import read_tool, read_transfer
from eightysix.model.event import Artifact

__all__ = [
    "MAX_ARGUMENTS",
    "MAX_SUMMARY",
    "Command",
    "is_inline",
    "is_worker",
    "program_kind",
    "program_name",
    "summarise",
    "summarise_joined",
]

_MAX_BINARY = 512
_MAX_NAME = 64
_MAX_MODULE = 80
_MAX_FIRST = 16
"""Characters of a path's first folder that a cut path keeps: `/usr/`, `/tmp/`, `/workspace/`."""

_MAX_PATH = 1024
_SCRIPT_SUFFIXES = (
    *(
        ".py",
        ".pyc",
        ".pyz",
        ".sh",
        ".bash",
        ".js",
        ".mjs",
        ".cjs",
        ".ts",
        ".rb",
        ".pl",
        ".php",
        ".r",
        ".R",
        ".lua",
    ),
    *(".jl", ".ipynb"),
)
_HARMLESS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-/@~=,:[]")
"""Characters of paths that are shown."""

_WORKER = "multiprocessing"
"""What is shown behind `-c` of an interpreter that `multiprocessing` starts."""

_INLINE = frozenset(
    {"-", *(f"-{flag}" if len(flag) == 1 else flag for kind in INTERPRETERS.values() for flag in kind.code)}
)

_Handler = Grammar | Interpreter | Transfer | str
"""How a program's arguments are read; a text names the kind of a program with a reader of its own: `shell`, `wrapper`."""


def summarise(binary: str, arguments: str | Sequence[str], cwd: str = "") -> Command:
    """Say what a process does, from its program and `arguments` (without `argv[0]`): one text as Tetragon writes it, or words.

    Never raises, and never takes longer than a look at `MAX_ARGUMENTS` characters. `cwd` names what `pip install .` takes.
    """
    name, handler, plain = _program(binary if len(binary) <= _MAX_BINARY else binary[-_MAX_BINARY:])
    if handler is None:
        return plain
    return _read(name, handler, split(arguments) if isinstance(arguments, str) else take(arguments), cwd)


def summarise_joined(binary: str, arguments: str, cwd: str = "") -> Command:
    """The same for `arguments` that were joined by blanks without any quotes, as Falco does: see `argv.split_joined`."""
    name, handler, plain = _program(binary if len(binary) <= _MAX_BINARY else binary[-_MAX_BINARY:])
    if handler is None:
        return plain
    strict = not isinstance(handler, Grammar | Interpreter) and handler != "shell"
    program_first = isinstance(handler, Interpreter) or handler == "shell"
    return _read(name, handler, split_joined(arguments, strict=strict, program_first=program_first), cwd)


def program_kind(binary: str) -> str:
    """What kind of program this is, for a first decision: `tool`, `interpreter`, `shell`, `wrapper`, `host`, or empty when no
    arguments can give it an activity."""
    handler = _program(binary if len(binary) <= _MAX_BINARY else binary[-_MAX_BINARY:])[1]
    if isinstance(handler, str):
        return handler
    if isinstance(handler, Interpreter):
        return "interpreter"
    return "tool" if handler is not None else ""


def program_name(binary: str) -> str:
    """The program's file name, `?` where it has none that may be shown: made of anything but a file's usual characters."""
    return _program(binary if len(binary) <= _MAX_BINARY else binary[-_MAX_BINARY:])[0]


@lru_cache(maxsize=4096)
def _program(binary: str) -> tuple[str, _Handler | None, Command]:
    """Name, handler and argument-less command of a program; the cache makes noise cost one look-up."""
    name = binary.removesuffix(" (deleted)").rpartition("/")[
        2
    ]  # the kernel's mark of a program without a file
    if not 0 < len(name) <= _MAX_NAME or not _HARMLESS.issuperset(name) or "=" in name or looks_secret(name):
        name = "?" if binary else ""
    return name, _handler(name), Command(name, "", (), "")


def _handler(name: str) -> _Handler | None:
    """The handler of a program name, with or without a version behind it (`pip3.11`, `python3.13t`)."""
    for candidate in (name, name.rstrip("0123456789."), name.rstrip("t").rstrip("0123456789.")):
        candidate = INTERPRETER_NAMES.get(candidate, candidate)
        found: _Handler | None = (
            TOOLS.get(candidate) or TRANSFERS.get(candidate) or INTERPRETERS.get(candidate)
        )
        if found is not None:
            return found
        if candidate in SHELLS:
            return "shell"
        if candidate in WRAPPERS:
            return "wrapper"
        if candidate in HOST_ENTRY:
            return "host"
    return None


def _read(name: str, handler: _Handler, words: Words, cwd: str) -> Command:
    if isinstance(handler, Grammar):
        return read_tool(name, handler, words, cwd)
    if isinstance(handler, Interpreter):
        return _interpreter(name, handler, words, cwd)
    if isinstance(handler, Transfer):
        return read_transfer(name, handler, words)
    if handler == "host":
        return _host(name, words)
    return _shell(name, words) if handler == "shell" else _wrapper(name, words, cwd)


def _interpreter(name: str, kind: Interpreter, words: Words, cwd: str) -> Command:
    """The script, module or code that an interpreter is given; installers among them are read as themselves."""
    place, rest = 0, words.words
    while place < len(rest):
        word = rest[place]
        if kind.tool == "R" and word == "CMD":
            return _r_command(name, words.after(place + 1), cwd)
        if not word.startswith("-") or word == "-":
            return _script(name, kind, word, words.after(place), cwd)
        letter, value, attached = _interpreter_flag(kind, word)
        following = place + 1 if attached else place + 2
        if letter in kind.code:
            code = " ".join(rest[place:])
            activity = next((activity for marker, activity in kind.markers if marker in code), "interpreter")
            shown = f"{name} {'-' + letter if len(letter) == 1 else letter}"
            given = value if attached else " ".join(rest[place + 1 : None if words.joined else following])
            shown += f" {_WORKER}" if kind.tool == "python" and _is_worker(given) else ""
            return Command(shown, activity, (), kind.tool)
        if letter in kind.module:
            module = value if attached else "".join(rest[place + 1 : following])
            return _module(name, kind, module, words.after(following), cwd)
        place = following if letter in kind.values else place + 1
    return Command(name, "interpreter", (), kind.tool)


def _is_worker(code: str) -> bool:
    """Whether code of `python -c` is what `multiprocessing` starts its own processes with, and holds no other call."""
    code = code.removesuffix(" --multiprocessing-fork")  # an argument of its own, where words are told apart
    head = next((head for head in MULTIPROCESSING if code.startswith(head)), "")
    return bool(head) and code.endswith(")") and not any(mark in code[len(head) : -1] for mark in "();\n\\")


def is_inline(summary: str) -> bool:
    """Whether the summary of an interpreter says that its code came by the command line or by standard input, and that
    this is not the way in which `multiprocessing` starts its own processes."""
    return summary.rpartition(" ")[2] in _INLINE


def is_worker(summary: str) -> bool:
    """Whether the summary of an interpreter says that `multiprocessing` started it."""
    return summary.endswith(f" -c {_WORKER}")


def _interpreter_flag(kind: Interpreter, word: str) -> tuple[str, str, bool]:
    """The first flag in `word` that takes something, what follows it in the same word, and whether anything does."""
    if word.startswith("--"):
        flag, equals, value = word.partition("=")
        return flag, value, bool(equals)
    for place, letter in enumerate(word[1:], 1):
        if letter in kind.attached:
            break
        if letter in kind.code or letter in kind.module or letter in kind.values:
            return letter, word[place + 1 :], place + 1 < len(word)
    return "", "", True


def _module(name: str, kind: Interpreter, module: str, rest: Words, cwd: str) -> Command:
    tool = MODULES.get(module)
    if tool is not None:
        return read_tool(f"{name} -m {module}", TOOLS[tool], rest, cwd)
    known = rest.trusted >= 0 and len(module) <= _MAX_MODULE and module.isascii() and not looks_secret(module)
    shown = module if known and module.replace(".", "_").isidentifier() else WITHHELD
    short = _short(f"{name} -m", shown, "build-hook" if module == "build" else "interpreter", kind.tool)
    return _serving(short, module, rest)


def _script(name: str, kind: Interpreter, path: str, words: Words, cwd: str) -> Command:
    """A script by its path, `-` for standard input. `words` begins with the path itself."""
    if path == "-":
        return Command(f"{name} -", "interpreter", (), kind.tool)
    rest = words.after(1)
    folder, _, base = path.rpartition("/")
    if base == "__main__.py":
        base = folder.rpartition("/")[2]
    tool = TOOLS.get(SCRIPTS.get(base, ""))
    if tool is None and folder:
        tool = TOOLS.get(base) or TOOLS.get(base.rstrip("0123456789."))
    if tool is not None:
        return read_tool(tool.tool if base in SCRIPTS else base, tool, rest, cwd)
    if base == "_in_process.py":
        return _subcommands(f"{name} {base}", rest, BUILD_HOOKS, "build-hook", kind.tool)
    if base == "setup.py":
        return _subcommands(f"{name} {base}", rest, SETUP_COMMANDS, "interpreter", kind.tool)
    if base == "get-pip.py":
        return Command(f"{name} {base}", "install", (Artifact("pypi", "pip"),), kind.tool)
    short = _short(name, _path(path) if words.trusted > 0 else WITHHELD, "interpreter", kind.tool)
    return _serving(short, base, rest) if folder and kind.tool == "python" else short


def _serving(command: Command, server: str, words: Words) -> Command:
    """The command of a server with the module of its application behind it, where it is told and fits."""
    shown = shown_application(server, words)
    summary = f"{command.summary} {shown}"
    if not shown or len(summary) > MAX_SUMMARY or not command.summary.endswith(server):
        return command
    return Command(summary, command.activity, command.artifacts, command.tool)


def _subcommands(start: str, words: Words, known: Mapping[str, str], default: str, tool: str) -> Command:
    """A script whose words are commands: those that are known are shown; an install outweighs a build."""
    summary, activity = Summary(start), default
    for word in words.words:
        meaning = known.get(word)
        if meaning is not None:
            summary.add(word)
            activity = meaning if activity != "install" else activity
    return summary.command(activity, tool)


def _r_command(name: str, words: Words, cwd: str) -> Command:
    if words.words[:1] != ["INSTALL"]:
        return Command(f"{name} CMD", "interpreter", (), "R")
    summary = Summary(f"{name} CMD INSTALL")
    for index, word in enumerate(words.words[1:], 1):
        if index < words.trusted and not word.startswith("-"):
            summary.accept("place", word, cwd)
    return summary.command("install", "R")


def _path(path: str) -> str:
    """A script's path, absolute or with a script's suffix; parts that look like secrets are withheld, and from the first
    part with an unusual character on everything: what comes before still says where it lies (`/tmp/…`)."""
    if not path.startswith("/") and not path.endswith(_SCRIPT_SUFFIXES):
        return ""
    parts = path[:_MAX_PATH].split("/")
    usual = len(parts) if len(path) <= _MAX_PATH else len(parts) - 1
    usual = next((i for i, part in enumerate(parts[:usual]) if not _HARMLESS.issuperset(part)), usual)
    shown = [WITHHELD if looks_secret(part) else part for part in parts[:usual]]
    return "/".join(shown if usual == len(parts) else [*shown, WITHHELD])


def _short(start: str, shown: str, activity: str, tool: str) -> Command:
    """A command of two words, the second cut to fit after the first folder of a path: where a script lies counts."""
    room = MAX_SUMMARY - len(start) - 1
    if len(shown) > room:
        first = shown[: shown.find("/", 1) + 1][:_MAX_FIRST] if shown.startswith("/") else ""
        shown = first + WITHHELD + shown[1 + len(first) - room :]
    return Command(f"{start} {shown}" if shown else start, activity, (), tool)


def _shell(name: str, words: Words) -> Command:
    """A shell: that it runs a command (`-c`, never the command itself), or which script."""
    place = 0
    while place < len(words.words):
        word = words.words[place]
        if not word.startswith(("-", "+")) or word == "-":
            return _short(name, _path(word) if place < words.trusted else WITHHELD, "shell", "sh")
        if not word.startswith("--") and "c" in word:
            return Command(f"{name} -c", "shell", (), "sh")
        place += 2 if word in ("-o", "+o", "-O", "+O", "--rcfile", "--init-file") else 1
    return Command(name, "shell", (), "sh")


def _host(name: str, words: Words) -> Command:
    """`nsenter` into another process's namespaces, or `chroot` into a folder: in a container that is the node's, or
    nothing at all. What runs there is another program's start."""
    for word in words.words:
        letters = word[1:] if word.startswith("-") and not word.startswith("--") else ""
        if name == "chroot" and word.startswith("/") and word != "/":
            return Command("chroot", "host-entry", (), name)
        if name == "nsenter" and (word.startswith(_ENTERS) or set(letters) & _ENTERING):
            return Command("nsenter", "host-entry", (), name)
    return Command(name, "", (), "")


_ENTERS = ("--target", "--all", "--mount", "--pid", "--net", "--root")
_ENTERING = frozenset("tampnr")
"""nsenter(1)."""


def _wrapper(name: str, words: Words, cwd: str) -> Command:
    """A program that runs another: that one is read. Assignments (`env TOKEN=...`), numbers and flags are passed over."""
    values = WRAPPERS.get(name, frozenset())
    takes_user = name in ("gosu", "su-exec")
    place = 0
    while place < len(words.words):
        word = words.words[place]
        if word in values:
            place += 2
            continue
        place += 1
        if not word or word.startswith("-") or "=" in word or word[0].isdigit():
            continue
        inner, handler, _ = _program(word[-_MAX_BINARY:])
        if handler is None and not takes_user:
            break
        takes_user = False
        if handler is not None and handler != "wrapper":
            return _read(inner, handler, words.after(place), cwd)
    return Command(name, "", (), "")
