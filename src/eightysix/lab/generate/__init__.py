"""Written telemetry of a cluster that never was: scenes, scenarios and a whole cluster around them, with labels.

Pure: text in memory, no clock, no file. The streams that ship with the rules and the cluster of `eightysix generate` are
written by the same code, byte for byte the same every time.
"""
