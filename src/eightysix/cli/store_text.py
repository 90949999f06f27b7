"""What `eightysix store` tells: for people in columns, for programs as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from eightysix.cli.terminal import inert_line

if TYPE_CHECKING:
    from eightysix.store.events.accounts import Checked, Stats

__all__ = ["checked_text", "moment", "size", "stats_text"]

_UNITS = ("B", "KB", "MB", "GB", "TB")


def size(count: int) -> str:
    """A size in bytes for people: `17.4 MB`."""
    value = float(count)
    for unit in _UNITS:
        if value < 1000 or unit == _UNITS[-1]:
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def moment(micro: int) -> str:
    """A time (microseconds since 1970) to the second."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micro)).strftime("%Y-%m-%dT%H:%M:%SZ")


def stats_text(found: Stats, form: str) -> str:
    """All of `stats`."""
    if form == "json":
        return _json(found)
    return "".join(f"{line}\n" for line in _stats(found))


def _stats(found: Stats) -> Iterator[str]:
    from eightysix.report.notes import count

    if found.owner:
        named = f"process {found.owner}" if found.owner > 0 else "another process"
        yield f"The store belongs to {named}: rows that are not sealed yet are not counted."
    yield f"{'table':<34}{'rows':>13}{'not sealed':>12}{'segments':>10}{'size':>10}"
    for one in found.tables:
        rows = one.hot_rows + one.sealed_rows
        yield f"{inert_line(one.name):<34}{rows:>13,}{one.hot_rows:>12,}{one.segments:>10,}{size(one.bytes):>10}"
        damaged = f"; {count(one.faults, 'damaged segments')} left out" if one.faults else ""
        yield f"  {moment(one.first_us)} to {moment(one.last_us)}{damaged}"
    if not found.tables:
        yield "no rows yet"
    kept = f"{found.retention_days:g} days" if found.retention_days else "until the budget is used"
    sealed = sum(one.bytes for one in found.tables)
    yield f"hot file {size(found.hot_bytes)}; segments {size(sealed)} of {size(found.budget_bytes)}; kept {kept}"
    for each in found.deleted:
        yield (
            f"deleted of {inert_line(each.table)}: {each.rows:,} rows ({size(each.bytes)}) from {moment(each.first_us)}"
            f" to {moment(each.last_us)}, {each.why}"
        )


def checked_text(checked: Checked, form: str) -> str:
    """All of `verify`."""
    if form == "json":
        return _json(checked)
    return "".join(f"{line}\n" for line in _checked(checked))


def _checked(checked: Checked) -> Iterator[str]:
    hot = f"{checked.hot_rows:,} rows in the hot file"
    if checked.owner:
        hot = "the hot file belongs to another process, which reads it"
    yield (
        f"{checked.segments:,} segments are as they were written ({checked.rows:,} rows, {size(checked.bytes)}); {hot}"
    )
    for path, fault in checked.faults:
        yield f"damaged: {inert_line(path)}: {inert_line(fault)}"
    for path in checked.strange:
        yield f"not of this store: {inert_line(path)}"
    if checked.faults:
        yield "What is damaged is left out of views. Put a copy of it back and run verify again, or leave it."


def _json(value: object) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=2).decode() + "\n"
