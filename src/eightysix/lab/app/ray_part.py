"""A part of the head: waits for work that never comes in the lab."""

import sys
import time

print("part", sys.argv[1], flush=True)
time.sleep(600)
