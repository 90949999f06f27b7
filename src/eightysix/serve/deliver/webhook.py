"""A webhook of the operator: one incident as `incidents/v1`, signed, with a key by which a repetition is known.

`X-Eightysix-Signature: t=<seconds since 1970>,v1=<hex>`, where the second part is the HMAC-SHA256 of `<t>.<body>` by
the shared secret. A receiver compares it in constant time and refuses old times, so that nobody can forge or repeat.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from time import time
from urllib.parse import quote

from eightysix.model.errors import DeliveryError, EightysixError, UsageError
from eightysix.report.incident_json import incident_line
from eightysix.serve.deliver.http import Address, HttpClient, check, parse_address
from eightysix.serve.deliver.interface import Delivery
from eightysix.serve.deliver.settings import Secret

__all__ = ["SIGNATURE", "WebhookSink", "open_sink", "sign"]

SIGNATURE = "X-Eightysix-Signature"
MIN_SECRET = 16
"""Bytes of the shortest secret; a shorter one can be guessed from one signed body."""


def sign(secret: bytes, seconds: int, body: bytes) -> str:
    """The value of the signature header."""
    digest = hmac.new(secret, f"{seconds}.".encode() + body, sha256).hexdigest()
    return f"t={seconds},v1={digest}"


class WebhookSink:
    """Posts one incident a request."""

    batch = 1

    def __init__(
        self, address: Address, secret: Secret, client: HttpClient, clock: Callable[[], float] = time
    ) -> None:
        self.name = address.label
        self._address = address
        self._secret = secret
        self._client = client
        self._clock = clock

    def send(self, items: Sequence[Delivery]) -> None:
        """Send and wait for a 2xx."""
        for number, item in enumerate(items):
            try:
                self._post(item)
            except DeliveryError as error:
                error.accepted = number
                raise

    def close(self) -> None:
        """Nothing is open between two requests."""

    def _post(self, item: Delivery) -> None:
        body = incident_line(item.incident).encode()
        try:
            secret = read_secret(self._secret)
        except (
            EightysixError
        ) as error:  # a file that is being replaced, or was taken away: not the incident's fault
            raise DeliveryError(f"{self.name}: {error.what}", error.advice) from error
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": f"{quote(item.id)}/{quote(item.revision)}",
            SIGNATURE: sign(secret, int(self._clock()), body),
        }
        check(self._client.send(self._address, "POST", body, headers), self._address)


def read_secret(secret: Secret) -> bytes:
    """The secret, refused where it is too short."""
    value = secret.read()
    if len(value) < MIN_SECRET:
        raise UsageError(
            f"the webhook secret has fewer than {MIN_SECRET} bytes",
            "make one: head -c 32 /dev/urandom | base64 > FILE; chmod 600 FILE",
        )
    return value


def open_sink(kind: str, target: str, environment: Mapping[str, str]) -> WebhookSink:
    """`webhook:URL`; a fragment `#NAME` chooses EIGHTYSIX_WEBHOOK_SECRET_<NAME> for this receiver."""
    url, _, fragment = target.partition("#")
    variable = "EIGHTYSIX_WEBHOOK_SECRET" + (f"_{fragment.upper()}" if fragment else "")
    value, path = environment.get(variable, ""), environment.get(f"{variable}_FILE", "")
    if not value and not path:
        raise UsageError(
            f"{kind}: there is no secret to sign with", f"set {variable[:80]}_FILE to a file with mode 0600"
        )
    secret = Secret(value, path)
    read_secret(secret)
    return WebhookSink(parse_address(kind, url, environment), secret, HttpClient(environment))
