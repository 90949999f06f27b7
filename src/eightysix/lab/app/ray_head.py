"""The head of a cluster of workers: starts its parts as processes of its own, looks for its pods, then serves."""

import os
import subprocess
import sys

PARTS = ("gcs", "raylet", "dashboard")
parts = [subprocess.Popen([sys.executable, "/app/ray_part.py", name]) for name in PARTS]
os.execv(sys.executable, [sys.executable, "/app/server.py"])
