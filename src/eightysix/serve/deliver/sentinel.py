"""Microsoft Sentinel by the Logs Ingestion API: rows of a custom table, through a data collection rule.

`POST {endpoint}/dataCollectionRules/{rule}/streams/{stream}?api-version=2023-01-01` with an array of rows, gzip, at most
1 MB a call before compression (learn.microsoft.com, "Logs Ingestion API in Azure Monitor" and service limits). 204 means
taken. A table has no keys: a repetition is a second row, and queries take the last one of each id and revision.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from urllib.parse import parse_qs, quote

from eightysix.model.errors import DeliveryError, UsageError
from eightysix.report.sentinel import sentinel_row
from eightysix.serve.deliver.entra import EntraTokens
from eightysix.serve.deliver.http import Address, Answer, HttpClient, check, parse_address
from eightysix.serve.deliver.interface import Delivery

__all__ = ["MAX_CALL", "SentinelSink", "open_sink"]

MAX_CALL = 1_000_000
"""Bytes of one call before compression."""
API_VERSION = "2023-01-01"
_FORBIDDEN_PAUSE_S = 60.0


class SentinelSink:
    """Sends rows in as few calls as their size allows."""

    batch = 200

    def __init__(self, address: Address, tokens: EntraTokens, client: HttpClient, name: str) -> None:
        self.name = name
        self._address = address
        self._tokens = tokens
        self._client = client

    def send(self, items: Sequence[Delivery]) -> None:
        """Send all rows; what was taken before a failure is told in the error."""
        taken = 0
        for rows in _calls([sentinel_row(item.incident) for item in items]):
            try:
                taken += self._call(rows)
            except DeliveryError as error:
                error.accepted += taken
                raise

    def close(self) -> None:
        """Nothing is open between two requests."""

    def _call(self, rows: list[str]) -> int:
        """Send `rows` in one call, or in halves where the service finds it too large; gives how many were taken."""
        # NOTE: mtime 0, so that the same rows give the same bytes.
        body = gzip.compress(f"[{','.join(rows)}]".encode(), mtime=0)
        token = self._tokens.get()
        answer = self._post(body, token)
        if answer.status == 401:  # a token may end early: rights that were taken back, a restored key
            self._tokens.forget()
            token = self._tokens.get()
            answer = self._post(body, token)
        if answer.status == 413 and len(rows) > 1:
            half = len(rows) // 2
            taken = self._call(rows[:half])
            try:
                return taken + self._call(rows[half:])
            except DeliveryError as error:
                error.accepted += taken
                raise
        try:
            check(answer, self._address, [token])
        except DeliveryError as error:
            if answer.status in (401, 403, 404):
                # The identity, its role or the rule: people repair these, and a new role takes up to half an hour.
                error.permanent = False
                error.retry_after_s = max(error.retry_after_s or 0.0, _FORBIDDEN_PAUSE_S)
                error.advice = (
                    "give the identity the role Monitoring Metrics Publisher on the data collection rule"
                )
            raise
        return len(rows)

    def _post(self, body: bytes, token: str) -> Answer:
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
        }
        return self._client.send(self._address, "POST", body, headers)


def _calls(rows: list[str]) -> list[list[str]]:
    """`rows` in groups that a call can hold."""
    calls: list[list[str]] = []
    size = MAX_CALL
    for row in rows:
        length = len(row.encode()) + 1
        if size + length > MAX_CALL:
            calls.append([])
            size = 2
        calls[-1].append(row)
        size += length
    return calls


def open_sink(
    kind: str, target: str, environment: Mapping[str, str], clock: Callable[[], float] = monotonic
) -> SentinelSink:
    """`sentinel:https://ENDPOINT?dcr=dcr-...&stream=Custom-EightySix_CL`."""
    url, _, query = target.partition("?")
    asked = parse_qs(query, max_num_fields=8)
    rule, stream = (asked.get(key, [""])[0] for key in ("dcr", "stream"))
    if not rule or not stream:
        raise UsageError(
            f"{kind}: the data collection rule or the stream is missing",
            f"write it as {kind}:https://ENDPOINT?dcr=dcr-...&stream=Custom-EightySix_CL",
        )
    path = f"/dataCollectionRules/{quote(rule, safe='')}/streams/{quote(stream, safe='')}"
    address = parse_address(kind, f"{url.rstrip('/')}{path}?api-version={API_VERSION}", environment)
    client = HttpClient(environment)
    return SentinelSink(address, EntraTokens(environment, client, clock), client, address.label)
