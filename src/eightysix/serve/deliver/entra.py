"""Access tokens of Microsoft Entra for Azure Monitor: workload identity, client secret, or managed identity.

Which one, the environment says, by the names that Azure's own libraries use: AZURE_FEDERATED_TOKEN_FILE (workload
identity; AKS writes the file and renews it), else AZURE_CLIENT_SECRET or AZURE_CLIENT_SECRET_FILE, both with
AZURE_TENANT_ID and AZURE_CLIENT_ID; else the metadata service of the node (learn.microsoft.com, "How to use managed
identities on a VM to acquire an access token"). Tokens stay in memory and are in no message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import quote, urlencode

import msgspec

from eightysix.model.errors import DeliveryError, EightysixError, UsageError
from eightysix.serve.deliver.http import Answer, HttpClient, parse_address
from eightysix.serve.deliver.settings import Secret

__all__ = ["EntraTokens", "monitor_audience"]

EARLY_S = 300.0
"""A token is renewed that long before it ends."""
PAUSE_S = 30.0
"""Before an identity that gets no token is tried again: a role or a federation takes minutes to be known everywhere."""

_METADATA = "http://169.254.169.254"
_PUBLIC = "https://login.microsoftonline.com"
_AUDIENCES = {
    "login.microsoftonline.us": "https://monitor.azure.us/",
    "login.partner.microsoftonline.cn": "https://monitor.azure.cn/",
    "login.chinacloudapi.cn": "https://monitor.azure.cn/",
}
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class _Token(NamedTuple):
    value: str
    ends: float


class _Reply(msgspec.Struct):
    """What is read of a token answer. The metadata service writes numbers as text."""

    access_token: str = ""
    expires_in: str | int | float = 0
    error: str = ""


class EntraTokens:
    """The token of one identity, renewed before it ends; `clock` gives seconds that only grow. `audience` is what the token is
    for, by default Azure Monitor of the authority's cloud."""

    def __init__(
        self,
        environment: Mapping[str, str],
        client: HttpClient,
        clock: Callable[[], float],
        *,
        audience: str = "",
    ) -> None:
        self._client = client
        self._clock = clock
        self._token: _Token | None = None
        self._tenant = environment.get("AZURE_TENANT_ID", "")
        self._client_id = environment.get("AZURE_CLIENT_ID", "")
        self._federated = environment.get("AZURE_FEDERATED_TOKEN_FILE", "")
        value, path = (
            environment.get("AZURE_CLIENT_SECRET", ""),
            environment.get("AZURE_CLIENT_SECRET_FILE", ""),
        )
        self._secret = Secret(value, path) if value or path else None
        authority = environment.get("AZURE_AUTHORITY_HOST") or _PUBLIC
        if "://" not in authority:
            authority = f"https://{authority}"
        self._audience = audience or monitor_audience(authority)
        if self._federated or self._secret:
            if not (self._tenant and self._client_id):
                raise UsageError(
                    f"{'registry' if audience else 'sentinel'}: AZURE_TENANT_ID or AZURE_CLIENT_ID is not set",
                    "AKS sets both for a pod with the label azure.workload.identity/use",
                )
            url = f"{authority.rstrip('/')}/{quote(self._tenant, safe='')}/oauth2/v2.0/token"
            self._address = parse_address("entra", url, environment)
        else:
            host = environment.get("AZURE_POD_IDENTITY_AUTHORITY_HOST") or _METADATA
            query = {"api-version": "2018-02-01", "resource": self._audience}
            if self._client_id:
                query["client_id"] = self._client_id
            url = f"{host.rstrip('/')}/metadata/identity/oauth2/token?{urlencode(query)}"
            self._address = parse_address("metadata", url, environment, plain=True)

    def get(self) -> str:
        """A token that is good for some minutes. Raises `DeliveryError` that may pass: an identity can be repaired."""
        token = self._token
        if token is None or token.ends - EARLY_S <= self._clock():
            token = self._token = self._ask()
        return token.value

    def forget(self) -> None:
        """The token was refused: get a new one next time."""
        self._token = None

    def _ask(self) -> _Token:
        try:
            answer = self._request()
        except DeliveryError as error:
            error.permanent = False
            raise
        except EightysixError as error:  # the secret or the federated token cannot be read
            raise DeliveryError(f"no token: {error.what}", error.advice, retry_after_s=PAUSE_S) from error
        reply = _decode(answer)
        token = reply.access_token
        seconds = _seconds(reply.expires_in)
        if answer.status != 200 or not token or not (token.isascii() and token.isprintable()):
            reason = f": {reply.error}" if reply.error.replace("_", "").isalnum() else ""
            raise DeliveryError(
                f"no token: {self._address.label} answers {answer.status}{reason}",
                "look at the identity, its federation and its role on the data collection rule",
                retry_after_s=max(answer.retry_after_s or 0.0, PAUSE_S),
            )
        return _Token(token, self._clock() + seconds)

    def _request(self) -> Answer:
        if not (self._federated or self._secret):
            return self._client.send(self._address, "GET", b"", {"Metadata": "true"})
        form = {
            "client_id": self._client_id,
            "scope": f"{self._audience}/.default",
            "grant_type": "client_credentials",
        }
        if self._federated:
            # NOTE: AKS projects it with mode 0644 for pods that run without root: its protection is the mount.
            form["client_assertion_type"] = _ASSERTION
            form["client_assertion"] = _read_assertion(self._federated)
        elif self._secret:
            form["client_secret"] = self._secret.read().decode("utf-8", "replace")
        return self._client.send(self._address, "POST", urlencode(form).encode(), _FORM)


def monitor_audience(authority: str) -> str:
    """Azure Monitor's audience in the cloud of this authority. With its slash at the end the scope has two in a row, as
    in Microsoft's own libraries: `https://monitor.azure.com//.default`."""
    host = authority.partition("://")[2].partition("/")[0].partition(":")[0].lower()
    return _AUDIENCES.get(host, "https://monitor.azure.com/")


def _read_assertion(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(65_536).decode("ascii", "replace").strip()
    except OSError as error:
        raise UsageError(
            f"AZURE_FEDERATED_TOKEN_FILE {path} cannot be read: {error.strerror}",
            "look at the pod's volumes",
        ) from error


def _decode(answer: Answer) -> _Reply:
    try:
        return msgspec.json.decode(answer.body, type=_Reply)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Reply()


def _seconds(text: str | float) -> float:
    try:
        seconds = float(text)
    except ValueError:
        return 0.0
    return seconds if 0 < seconds < 172_800 else 0.0
