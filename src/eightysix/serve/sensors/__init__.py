"""Records of the sensors of this node: one socket a pod, and the socket is the identity."""

from eightysix.serve.sensors.limits import Counts, Limits
from eightysix.serve.sensors.pods import PodDirectory, PodInfo
from eightysix.serve.sensors.receiver import Receiver

__all__ = ["Counts", "Limits", "PodDirectory", "PodInfo", "Receiver"]
