"""Words of a command line that may be repeated: names of packages, versions, hosts; everything else stays out.

Attackers and careless operators put anything into arguments, so each reader here accepts only what is valid in its
ecosystem and gives back a normalised copy. Linear in the length of its input, no regular expressions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from eightysix.model.event import Artifact

__all__ = [
    "READERS",
    "WITHHELD",
    "Landing",
    "Reader",
    "basename",
    "host_name",
    "is_version",
    "looks_secret",
    "normalise_name",
    "same_release",
    "starts_as_token",
    "told_path",
    "url_host",
    "url_scheme",
]

WITHHELD = "…"
"""Stands for a word that was there and is not told."""

MAX_NAME = 128
"""Longest name that is repeated, in characters. npm allows 214 with scope (docs.npmjs.com/cli/configuring-npm/package-json),
PyPI and others name no limit; the longest names in use have about 80."""

MAX_HOST = 253
"""Longest host name in characters (RFC 1035 section 2.3.4, without the root dot)."""

_MAX_VERSION = 48
_MAX_LOCAL = 16
"""Longest local version label (`+cu121`, `+g1a2b3c4`) that is repeated: such labels are free text."""

_VERSION_WORDS = frozenset("v a b c rc alpha beta pre preview post rev r dev".split())
"""Letters that PEP 440 allows in the public part of a version."""

_SECRET_PREFIXES = (
    "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "npm_", "hf_", "pypi-", "dckr_pat_", "xox", "sk-",
    "akia", "asia", "aiza", "ya29.", "eyj", "shpat_", "dop_v1_", "atatt",
)  # fmt: skip
"""How tokens of GitHub, GitLab, npm, Hugging Face, PyPI, Docker Hub, Slack, OpenAI and Anthropic, AWS, Google, JWT,
Shopify, DigitalOcean and Atlassian begin, in lower case (docs.github.com/code-security, supported secret scanning patterns)."""

_SECRET_TAIL = 16
"""Shortest rest of a token after such a prefix; `hf-transfer` and `pypi-simple` are packages."""

_SHORTEST_TOKEN = _SECRET_TAIL + min(map(len, _SECRET_PREFIXES))

_LONG_RUN = 40
_MIXED_RUN = 24
"""A run of letters and digits this long is no word: 40 is a hexadecimal SHA-1 or an AWS secret key, 24 in mixed case with
digits is 128 bits of base64 with room to spare (judged)."""

_CUTS = str.maketrans("/=+:@,~;&?", " " * 10)
_SEPARATORS = str.maketrans("-_./=+:@,~", " " * 10)
_ARCHIVES = (
    ".whl", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip", ".egg", ".conda", ".deb", ".rpm", ".apk", ".gem", ".crate",
)  # fmt: skip
"""What an installer takes from disk."""

_LISTS = (".txt", ".in", ".toml", ".cfg", ".lock", ".yml", ".yaml", ".json")
"""What lists requirements. NOTE: only where a list is expected, as `ruamel.yaml` is a package."""

_SCHEMES = frozenset(
    "http https ftp ssh git git+http git+https git+ssh git+git hg+http hg+https svn+https bzr+https s3 gs az abfs abfss hf "
    "wasbs oci file git+file rsync sftp".split()
)
_SPECIFIERS = ("===", "==", "~=", "!=", "<=", ">=", "<", ">")
"""Version comparisons of PEP 440, longest first."""


class Landing(NamedTuple):
    """What one word of an install says: `artifacts` that it names, and how to show the word."""

    artifacts: tuple[Artifact, ...]
    shown: str


Reader = Callable[[str, str], Landing | None]
"""Reads one word, given the working directory; None when it is nothing that may be repeated."""


def looks_secret(word: str) -> bool:
    """Tell whether `word`, or a part of it, looks like a token or a key. A guess: known beginnings and long random runs."""
    if starts_as_token(word):
        return True
    if len(word) < _MIXED_RUN:
        return False
    for run in word.translate(_SEPARATORS).split():
        size = len(run)
        if size >= _MIXED_RUN and _has_digit(run) and not run.isdigit():
            if size >= _LONG_RUN or (run != run.lower() and run != run.upper()):
                return True
    return False


def starts_as_token(word: str) -> bool:
    """Tell whether `word`, or a part of it, begins as tokens of known issuers do and is as long as one."""
    if len(word) < _SHORTEST_TOKEN:
        return False
    for part in word.lower().translate(_CUTS).split():
        if part.startswith(_SECRET_PREFIXES) and _has_digit(part):
            longest = max(len(prefix) for prefix in _SECRET_PREFIXES if part.startswith(prefix))
            if len(part) - longest >= _SECRET_TAIL:
                return True
    return False


def _has_digit(text: str) -> bool:
    return any(digit in text for digit in "0123456789")


def _made_of(text: str, extra: str) -> bool:
    """Whether `text` is ASCII letters and digits and characters of `extra`, and begins with a letter or digit."""
    if not text or not text.isascii() or not text[0].isalnum():
        return False
    for character in extra:
        text = text.replace(character, "")
    return text.isalnum()


def normalise_name(name: str) -> str:
    """A Python distribution's name as PEP 503 writes it; empty where it is no valid name (PEP 508) or looks like a token."""
    if (
        not 0 < len(name) <= MAX_NAME
        or not name[-1].isalnum()
        or not _made_of(name, "-_.")
        or looks_secret(name)
    ):
        return ""
    name = name.lower().replace("_", "-").replace(".", "-")
    while "--" in name:
        name = name.replace("--", "-")
    return name


def is_version(text: str) -> bool:
    """Tell whether `text` is a version as PEP 440 and most registries write it: begins with a digit, has few words."""
    if not 0 < len(text) <= _MAX_VERSION or not text.isascii():
        return False
    public, plus, local = text.partition("+")
    if plus and not (0 < len(local) <= _MAX_LOCAL and local == local.lower() and _made_of(local, "._-")):
        return False
    public = public.removeprefix("v")
    if not public[:1].isdigit() or not _made_of(public, "._-!*"):
        return False
    letters = "".join(character if character.isalpha() else " " for character in public)
    return all(word.lower() in _VERSION_WORDS for word in letters.split())


def basename(path: str, suffixes: tuple[str, ...] = ()) -> str:
    """The last part of a local path, where it is a plain file name (with one of `suffixes`, where given), else empty."""
    name = path.rstrip("/").rpartition("/")[2]
    if not 0 < len(name) <= MAX_NAME or looks_secret(name) or not _made_of(name.lstrip("._"), "._+-"):
        return ""
    return name if not suffixes or name.lower().endswith(suffixes) else ""


def url_scheme(url: str) -> str:
    """The scheme of `url` in lower case, where it is one that installers and downloaders know, else empty."""
    scheme = url[:20].partition("://")[0].lower()
    return scheme if scheme in _SCHEMES else ""


@lru_cache(maxsize=8192)
def told_path(path: str) -> str:
    """`path` without what may be secret: parts that look like a token, and what stands behind a query's mark, which
    downloaders keep in the names of files. The same for all paths that lead to it, because programs are compared with
    what was written."""
    if "?" not in path and "&" not in path and ";" not in path and "#" not in path and not looks_secret(path):
        return path
    return "/".join(_told_part(part) for part in path.split("/"))


def _told_part(part: str) -> str:
    ends = [place for place in map(part.find, "?&;#") if place >= 0]
    if ends:
        part = part[: min(ends) + 1] + WITHHELD
    return WITHHELD if looks_secret(part) else part


def url_host(url: str) -> str:
    """The host of `scheme://[user@]host[:port]/...` in lower case, empty where there is none to be sure of.

    User, path, query and port never come out, also where a password holds unescaped delimiters: a name without a dot
    counts only when no `@` follows it.
    """
    rest = url.partition("://")[2]
    authority, tail = _until(rest, "/?#\\ ")
    host = authority.rpartition("@")[2].lower()
    if host.startswith("["):
        host, bracket, _ = host[1:].partition("]")
        return host if bracket and len(host) <= 64 and _made_of(host.replace(":", "0"), ".") else ""
    host, colon, port = host.partition(":")
    if colon and port and not (port.isdigit() and port.isascii()):
        return ""
    if "." not in host and "@" in tail:
        return ""
    return host_name(host)


def host_name(host: str) -> str:
    """`host` in lower case where it is a valid name or IPv4 address, else empty. Labels that look like secrets are
    withheld, not told: data leaves in them (`<token>.evil.example`). A token alone (the three parts of a JWT look like
    labels) is no host."""
    host = host.rstrip(".").lower()
    if not 0 < len(host) <= MAX_HOST or not _made_of(host, ".-_"):
        return ""
    labels = host.split(".")
    hidden = [looks_secret(label) for label in labels]
    for place, label in enumerate(labels):
        if hidden[place] and label.startswith("eyj"):  # a JWT's head; body and signature follow (RFC 7519)
            hidden[place : place + 3] = [True] * len(hidden[place : place + 3])
    if all(hidden):
        return ""
    return ".".join(WITHHELD if hide else label for label, hide in zip(labels, hidden, strict=True))


def _until(text: str, stops: str) -> tuple[str, str]:
    """`text` up to the first character of `stops`, and the rest."""
    end = min((place for place in map(text.find, stops) if place >= 0), default=len(text))
    return text[:end], text[end:]


def read_url(word: str, cwd: str = "") -> Landing | None:  # noqa: ARG001 - one signature for all readers
    """A URL or `git@host:path`, of which only scheme and host are told."""
    if "://" in word:
        scheme, host = url_scheme(word), url_host(word)
        if not scheme or scheme in ("file", "git+file"):
            return None
        return (
            Landing((Artifact("url", host),), f"{scheme}://{host}") if host else Landing((), f"{scheme}://")
        )
    before, colon, _ = word.partition(":")
    user, at, host = before.partition("@")
    host = host_name(host)
    if colon and at and user.isalnum() and len(user) < 16 and "." in host:
        return Landing((Artifact("url", host),), host)
    return None


def read_location(word: str, cwd: str) -> Landing | None:
    """A URL, a `git@host:path`, or a local file or folder: of it only scheme and host, or the last part of the path."""
    if "://" in word and url_scheme(word) in ("file", "git+file"):
        word = word.partition("://")[2].partition("#")[0]
    if "://" in word or "@" in word:
        return read_url(word, cwd)
    path = word.partition("[")[0]
    if path in (".", "./", ".."):
        name = basename(cwd) if path != ".." else ""
        return Landing((Artifact("file", name or path.rstrip("/")),), path)
    anchored = path.startswith(("/", "./", "../", "~/"))
    name = basename(path, () if anchored else _ARCHIVES)
    return Landing((Artifact("file", name),), name) if name else None


def read_list(word: str, cwd: str) -> Landing | None:
    """The value of `-r`: a file with a known suffix, or the host that it comes from."""
    if "://" in word:
        return read_location(word, cwd)
    name = basename(word, _LISTS)
    return Landing((Artifact("file", name),), name) if name else None


def read_pypi(word: str, cwd: str) -> Landing | None:
    """A requirement (PEP 508: name, extras and versions; extras and markers are left out), a file, a URL, or `name @ URL`."""
    word = word.partition(";")[0].strip()
    name, at, url = word.partition("@")
    if at and "://" in url and normalise_name(_until(name.strip(), "[ ")[0]):
        target = read_location(url.strip(), cwd)
        named = Artifact("pypi", normalise_name(_until(name.strip(), "[ ")[0]))
        return (
            Landing((named, *target.artifacts), f"{named.name} @ {target.shown}")
            if target
            else Landing((named,), named.name)
        )
    place = read_location(word, cwd)
    if place is not None:
        return place
    raw, rest = _until(word, "[(<>=!~@ ")
    name = normalise_name(raw)
    if not name:
        return None
    if rest.startswith("["):
        rest = rest.partition("]")[2]
    if rest.startswith("@"):  # Poetry and uv: `name@^1.2`, `name@latest`
        version = rest[1:] if is_version(rest[1:]) else ""
        return Landing((Artifact("pypi", name, version),), f"{name}=={version}" if version else name)
    return _specified(name, rest.strip(" ()"))


def _specified(name: str, text: str) -> Landing | None:
    """`name` with the version comparisons of `text`; None where these are none, because then the word is no requirement."""
    clauses = []
    for clause in text.split(",")[:8] if text else ():
        clause = clause.replace(" ", "")
        operator = next((o for o in _SPECIFIERS if clause.startswith(o)), "")
        version = clause[len(operator) :]
        if not operator or not is_version(version.partition("+")[0]):
            return None
        clauses.append((operator, version))
    if not all(is_version(version) for _, version in clauses):
        return Landing((Artifact("pypi", name),), name)  # a local label could be anything
    shown = name + ",".join(operator + version for operator, version in clauses)
    pinned = len(clauses) == 1 and clauses[0][0] in ("==", "===") and "*" not in clauses[0][1]
    return Landing((Artifact("pypi", name, clauses[0][1] if pinned else ""),), shown)


def read_npm(word: str, cwd: str) -> Landing | None:
    """`name`, `@scope/name`, each with `@version`; a tag or range is left out."""
    place = None if word.startswith("@") else read_location(word, cwd)
    if place is not None:
        return place
    name, _, version = word[1:].partition("@")
    name = word[:1] + name
    scope, slash, rest = name.partition("/")
    if slash and not (scope.startswith("@") and _made_of(scope[1:], "-._~")):
        return None
    if len(name) > MAX_NAME or looks_secret(name) or not _made_of(rest if slash else name, "-._~"):
        return None
    version = version.lstrip("^~=") if is_version(version.lstrip("^~=")) else ""
    return Landing((Artifact("npm", name, version),), f"{name}@{version}" if version else name)


def read_conda(word: str, cwd: str) -> Landing | None:
    """`[channel::]name[=version[=build]]` or with a comparison."""
    place = read_location(word, cwd)
    if place is not None:
        return place
    name, rest = _until(word.rpartition("::")[2], "[<>=!~ ")
    version = _until(rest.lstrip("<>=!~ "), "= ,|*")[0]
    if len(name) > MAX_NAME or not _made_of(name.lstrip("_"), "-_.") or looks_secret(name):
        return None
    if rest and not rest.startswith("[") and not is_version(version):
        return None
    version = version if rest.startswith("=") else ""
    return Landing(
        (Artifact("conda", name.lower(), version),), f"{name.lower()}={version}" if version else name.lower()
    )


def read_oci(word: str, cwd: str) -> Landing | None:
    """`[registry/]repository[:tag][@digest]` without the digest, or a URL."""
    if "://" in word:
        return read_url(word, cwd)
    name, _, _ = word.partition("@")
    head, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    name = head + slash + last
    if len(name) > MAX_NAME or looks_secret(name) or not _made_of(name, "-._/:"):
        return None
    tag = tag if len(tag) <= 64 and _made_of(tag, "-._") and not looks_secret(tag) else ""
    return Landing((Artifact("oci", name, tag),), f"{name}:{tag}" if tag else name)


def read_model(word: str, cwd: str) -> Landing | None:  # noqa: ARG001
    """`owner/name` of a model hub. A name without owner is not repeated: it could be anything."""
    owner, slash, name = word.partition("/")
    if (
        not slash
        or len(word) > MAX_NAME
        or looks_secret(word)
        or not (_made_of(owner, "-._") and _made_of(name, "-._"))
    ):
        return None
    return Landing((Artifact("model", word),), word)


def read_go(word: str, cwd: str) -> Landing | None:
    """A module path, whose first part is a host, with `@version`."""
    path, _, version = word.partition("@")
    host = path.partition("/")[0]
    if "://" in word or "." not in host or not host_name(host):
        return None if "://" in word else read_location(word, cwd)
    if len(path) > MAX_NAME or looks_secret(path) or not _made_of(path, "-._~/"):
        return None
    version = version if is_version(version) else ""
    return Landing((Artifact("golang", path, version),), f"{path}@{version}" if version else path)


def _plain(kind: str, separators: str, shown_separator: str) -> Reader:
    """A reader of `name`, or `name` with a version behind one of `separators`."""

    def read(word: str, cwd: str) -> Landing | None:
        place = read_location(word, cwd)
        if place is not None:
            return place
        name, rest = _until(word, separators + "<>")
        if len(name) > MAX_NAME or looks_secret(name) or not _made_of(name, "-._+"):
            return None
        version = rest.lstrip(separators + "<>")
        if rest and not version:
            return None  # `...==` is the end of base64
        version = version if is_version(version) else ""
        return Landing(
            (Artifact(kind, name, version),), f"{name}{shown_separator}{version}" if version else name
        )

    return read


READERS: Mapping[str, Reader] = {
    "apk": _plain("apk", "=~@", "="),
    "cargo": _plain("cargo", "@=:", "@"),
    "conda": read_conda,
    "deb": _plain("deb", "=:/", "="),
    "file": read_list,
    "gem": _plain("gem", ":", ":"),
    "golang": read_go,
    "model": read_model,
    "npm": read_npm,
    "oci": read_oci,
    "pypi": read_pypi,
    "rpm": _plain("rpm", "=@", "="),
    "place": read_location,
    "url": read_url,
}
"""By what a tool takes: the purl type of packages (github.com/package-url/purl-spec), a `model` of a hub, a `url`, a
`place` (URL or local path), or a `file` that lists requirements."""


def same_release(text: str) -> str:
    """A version as it is compared with another one: `v1.4.0` and `1.4` are the same release (PEP 440)."""
    public, plus, local = text.lower().removeprefix("v").partition("+")
    while public.endswith(".0") and public.replace(".", "").isdigit():
        public = public[:-2]
    return public + plus + local
