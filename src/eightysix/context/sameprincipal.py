"""Which ids are of the same cloud principal: records name one by its object id, its application id, or both."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

__all__ = ["Principals"]


class Principals:
    """Ids of the same principal, joined where one record names several of them. Any order of records gives the same."""

    def __init__(self, records: Iterable[Sequence[str]] = ()) -> None:
        self._same: dict[str, str] = {}
        self._members: dict[str, set[str]] = {}
        for ids in records:
            self.join(ids)

    def join(self, ids: Sequence[str]) -> None:
        """Take the ids that one record names."""
        for one in ids:
            self._same.setdefault(one, one)
        for one in ids[1:]:
            self._join(ids[0], one)

    def _root(self, one: str) -> str:
        path = []
        while (above := self._same.get(one, one)) != one:
            path.append(one)
            one = above
        for below in path:
            self._same[below] = one
        return one

    def _join(self, left: str, right: str) -> None:
        a, b = sorted((self._root(left), self._root(right)))
        if a != b:
            self._same[b] = a
            self._members.setdefault(a, {a}).update(self._members.pop(b, {b}))

    def of(self, ids: Collection[str]) -> tuple[str, ...]:
        """`ids` and every other id of the same principals, sorted."""
        found = set(ids)
        for root in {self._root(one) for one in ids}:
            found |= self._members.get(root, set())
        return tuple(sorted(found))
