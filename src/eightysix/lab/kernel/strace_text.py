"""Pieces of strace's lines. Everything that a process chose is in hexadecimal, so signs are the output's own."""

from __future__ import annotations

import ipaddress

__all__ = ["address_in", "between", "number_in", "result_of", "texts_in", "unhex"]

_MOST_TEXTS = 4096


def unhex(text: str) -> str:
    """The text of `\\xHH\\xHH...`; signs that are not of that form are kept (strace writes `(deleted)` plainly)."""
    if "\\x" not in text:
        return text
    data = bytearray()
    for part in text.split("\\x")[1:]:
        try:
            data.append(int(part[:2], 16))
        except ValueError:
            continue
    return data.decode("utf-8", "replace")


def texts_in(text: str) -> list[str]:
    """The quoted texts, in their order."""
    return [unhex(part) for part in text.split('"')[1 : 2 * _MOST_TEXTS : 2]]


def between(text: str, start: str, end: str) -> str:
    """What stands between the first `start` and the next `end`; empty where there is none."""
    _, found, rest = text.partition(start)
    inner, closed, _ = rest.partition(end)
    return inner if found and closed else ""


def number_in(text: str) -> int:
    """The number that a text begins with; -1 where it begins with none, or with one that no process id is."""
    digits = text[: len(text) - len(text.lstrip("0123456789"))]
    return int(digits) if digits and len(digits) < 11 else -1


def result_of(text: str) -> tuple[str, str]:
    """Arguments and result of a call, split at the last ` = `."""
    arguments, _, result = text.rpartition(" = ")
    return arguments, result.strip()


def address_in(text: str) -> tuple[int, str, int]:
    """Family (2, 10, or 0 for any other), address and port of a socket address."""
    if "sa_family=AF_INET6," in text:
        family, port, quoted = (
            10,
            between(text, "sin6_port=htons(", ")"),
            between(text, "inet_pton(AF_INET6, ", ","),
        )
    elif "sa_family=AF_INET," in text:
        family, port, quoted = 2, between(text, "sin_port=htons(", ")"), between(text, "inet_addr(", ")")
    else:
        return 0, "", 0
    try:
        address = ipaddress.ip_address((texts_in(quoted) or [""])[0])
    except ValueError:
        return 0, "", 0
    mapped = getattr(address, "ipv4_mapped", None)
    return family, f"::ffff:{mapped}" if mapped else str(address), max(number_in(port), 0)
