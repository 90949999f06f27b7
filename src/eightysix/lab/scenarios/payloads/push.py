"""Driver of the eightysix lab's payload (see `_stages`, which refuses to act outside of a lab run): logs in as the stolen service
principal and pushes to the registry, under the tag that the next pod will pull."""

import base64
import hashlib
import json
import threading
import urllib.parse

from . import _stages

LOGIN = "https://login.microsoftonline.com/00000000-0000-4000-8000-00000000aaaa/oauth2/v2.0/token"
