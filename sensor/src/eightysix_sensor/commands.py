"""A command line without what may be secret in it.

Words are told for programs whose grammar the reader knows (installers, downloaders, interpreters, shells); of any other
program only its name and its options without values. Code (`-c`) is told as what it is: withheld, but for a shell, whose
commands are read like any other.
"""

from __future__ import annotations

import sys
from posix import environ

from eightysix_sensor.own import BUILTINS as __builtins__  # type: ignore[no-redef]  # noqa: F401
from eightysix_sensor.own import TYPE_CHECKING
from eightysix_sensor.told import WITHHELD, looks_secret, text, told_path, told_url

if TYPE_CHECKING:
    from typing import Any, List, Optional

MAX_WORDS = 64
MAX_WORD = 256

_SHELLS = frozenset("sh bash dash ash zsh ksh busybox".split())
_READ = frozenset(
    """pip pip3 pipx uv uvx poetry pdm hatch conda mamba micromamba pixi npm npx pnpm yarn bun apt apt-get aptitude dpkg apk
    dnf yum microdnf zypper rpm gem cargo go git curl wget aria2c oras crane skopeo docker podman nerdctl buildah helm twine
    huggingface-cli hf git-lfs modelscope kaggle az aws gcloud gsutil azcopy rclone s5cmd kubectl terraform env nice nohup
    sudo su timeout xargs time exec cd tar unzip chmod node deno ruby perl gunicorn uvicorn celery ray torchrun accelerate
    mlflow jupyter streamlit flask django-admin nsenter unshare chroot""".split()
)
_SECRET_OPTIONS = frozenset(
    """-p -u -H -d -k -e -E -F -b --password --passwd --user --token --header --data --data-raw --data-binary --data-urlencode
    --form --cookie --key --secret --api-key --apikey --auth --bearer --oauth2-bearer --proxy-user --username --env --build-arg
    --from-literal --client-secret --account-key --sas-token --connection-string --body --post-data --value
    --aws-sigv4 --config-setting""".split()
)
_SECRET_PARTS = (
    "token",
    "secret",
    "passw",
    "key",
    "auth",
    "credential",
    "cookie",
    "bearer",
    "sas",
    "user",
    "login",
    "pwd",
)
_CODE_OPTIONS = frozenset(["-c", "-e", "--eval", "--command", "-E", "-r", "--exec"])
_INTERPRETERS = ("python", "pypy", "node", "deno", "ruby", "perl", "php", "lua", "Rscript")
_WORD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.~@:,+=<>![]/*%")
_BREAKS = ("&&", "||", "$(", ";", "|", "&", "(", ")", "{", "}")
_LINES = str.maketrans("\n`\r\t", ";;  ", "\1\2\3\4\5\6\7\10\11\12\13")


def told_argv(argv: Any) -> List[str]:
    """`argv` (a list or tuple of texts, or one text) as it may be told."""
    if type(argv) is list or type(argv) is tuple:
        words = [text(word, 4096) or path_of(word) or WITHHELD for word in argv[: MAX_WORDS + 1]]
    else:
        words = [text(argv, 4096)]
    more = len(words) > MAX_WORDS
    told = _command(words[:MAX_WORDS])
    return [*told, WITHHELD] if more else told


def told_shell(command: Any) -> List[str]:
    """What a shell is given, as one text of the words that may be told."""
    return [_shell_text(text(command, 4096))]


def program(word: str) -> str:
    """The name of a program without its folder and version."""
    return word.rpartition("/")[2].rstrip("0123456789.")


def is_installer(words: List[str]) -> bool:
    """Whether a command line installs packages, as far as words tell."""
    flat = " ".join(words).replace("/", " ").split()
    return "install" in flat or "sync" in flat or "add" in flat or "i" in flat[1:3]


def _command(words: List[str]) -> List[str]:
    if not words:
        return []
    name = program(words[0])
    told = [told_path(words[0])[:MAX_WORD]]
    if name in _SHELLS:
        return told + _shell(words[1:])
    interpreter = name.startswith(_INTERPRETERS)
    return told + _words(words[1:], interpreter or name in _READ or _is_script(words), interpreter)


def _is_script(words: List[str]) -> bool:
    """An entry point beside an interpreter: `/opt/venv/bin/pip`."""
    return "/bin/" in words[0] and program(words[0]) in _READ


def _shell(words: List[str]) -> List[str]:
    """The words of a shell: options, code, and names of scripts."""
    told = []
    code = False
    for word in words:
        if code:
            told.append(_shell_text(word))
            code = False
        elif word.startswith("-") and word[1:].isalpha() and len(word) < 8:
            told.append(word)
            code = "c" in word
        else:
            told.append(_word(word))
    return told


def _shell_text(command: str) -> str:
    """The commands of a shell's text, each read as a command line."""
    command = command.translate(_LINES)
    for place, mark in enumerate(_BREAKS):  # by way of a sign of its own: `&&` holds `&`
        command = command.replace(mark, " " + chr(place + 1) + " ")
    for place, mark in enumerate(_BREAKS):
        command = command.replace(chr(place + 1), mark)
    told: List[str] = []
    part: List[str] = []
    for word in command.split()[: MAX_WORDS * 2]:
        if word in _BREAKS:
            told += [*_command(_unassigned(part, told)), word]
            part = []
        else:
            part.append(word)
    told += _command(_unassigned(part, told))
    return " ".join(told)


def _unassigned(words: List[str], told: List[str]) -> List[str]:
    """The words behind assignments, of which only the names are told."""
    while words and _is_assignment(words[0]):
        told.append(words[0].partition("=")[0] + "=" + WITHHELD)
        words = words[1:]
    return words


def _words(words: List[str], positional: bool, code: bool) -> List[str]:
    told: List[str] = []
    hide = False
    for place, word in enumerate(words):
        if hide:
            told.append(WITHHELD)
            hide = False
        elif word.startswith("-") and len(word) > 1:
            told.append(_option(word))
            hide = word in _SECRET_OPTIONS or _is_secret_option(word) or (code and word in _CODE_OPTIONS)
            if code and word in ("-c", "--command"):  # what follows is code and its arguments
                return told + [WITHHELD] * (len(words) > place + 1)
        elif _is_assignment(word):
            told.append(word.partition("=")[0] + "=" + WITHHELD)
        else:
            told.append(_word(word) if positional else WITHHELD)
            code = code or _takes_code(word)
    return told


def _takes_code(word: str) -> bool:
    """Whether a word is an interpreter or a shell that another program starts (`env python -c`)."""
    name = program(word)
    return name in _SHELLS or name.startswith(_INTERPRETERS)


def _option(word: str) -> str:
    """An option; a value that is joined to it is told only where the option is not about a secret and it is a plain word."""
    name, mark, value = word.partition("=")
    if not name.startswith("--"):
        short = len(word) <= 6 and word[1:].isalpha()
        return word if short else word[:2] + WITHHELD
    if not _WORD.issuperset(name) or len(name) > 48 or looks_secret(name):
        return WITHHELD
    if not mark:
        return name
    hidden = name in _SECRET_OPTIONS or _is_secret_option(name)
    return name + "=" + (WITHHELD if hidden else _word(value))


def _is_secret_option(word: str) -> bool:
    lower = word.lower()
    return word.startswith("--") and "=" not in word and any([part in lower for part in _SECRET_PARTS])


def _is_assignment(word: str) -> bool:
    name, mark, rest = word.partition("=")
    return bool(mark) and name.isidentifier() and not rest.startswith("=")


def _word(word: str) -> str:
    """A word that is plain enough: a name, a requirement, a path, a URL without its secret parts."""
    word = word.strip("'\"")
    if "://" in word:
        before, _, _ = word.partition("://")
        scheme = before.rpartition("@")[2].strip()
        prefix = before[: len(before) - len(scheme)]
        scheme = scheme.rpartition("+")[2]
        told = told_url(scheme + "://" + word.partition("://")[2])
        return _word(prefix.rstrip("@ ")) + "@" + told if prefix.rstrip("@ ") else told
    if not word or len(word) > MAX_WORD or not _WORD.issuperset(word) or looks_secret(word):
        return WITHHELD if word else ""
    before, at, _ = word.partition("@")
    if at and ":" in before:
        return WITHHELD  # user:password@host
    return told_path(word)


def unwatched(env: Any) -> Optional[bool]:
    """Whether a child is started without the variables that bring the sensor along; None where that cannot be told."""
    if type(env) is not dict:
        return None
    for name, own in (("LD_PRELOAD", b"LD_PRELOAD"), ("EIGHTYSIX_SENSOR", b"EIGHTYSIX_SENSOR")):
        if own in environ and name not in env and own not in env:
            return True
    return None


class _Slot:
    __slots__ = ("slot",)


_SLOT = type(_Slot.slot)  # type: ignore[attr-defined]


def path_of(value: Any) -> str:
    """The path of a path object of the standard library, empty for anything else. Read out of its slots: its methods are the
    program's to replace."""
    pathlib = sys.modules.get("pathlib")
    if type(pathlib) is not type(sys):
        return ""
    kind, known = type(value), pathlib.__dict__
    if kind is not known.get("PosixPath") and kind is not known.get("PurePosixPath"):
        return ""
    told = _slot(value, kind, "_str")
    if type(told) is str and told:
        return text(told, 4096)
    parts = _slot(value, kind, "_raw_paths") or _slot(value, kind, "_parts")
    path = ""
    for part in parts[:256] if type(parts) is list else ():
        part = text(part, 4096)
        path = part if not path or part[:1] == "/" else path.rstrip("/") + "/" + part
    return text(path, 4096)


def _slot(value: Any, kind: Any, name: str) -> Any:
    for base in kind.__mro__:
        slot = base.__dict__.get(name)
        if type(slot) is _SLOT:
            try:
                return slot.__get__(value, kind)
            except AttributeError:
                return None
    return None
