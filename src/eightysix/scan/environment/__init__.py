"""Which loaders an environment holds, and which of them have known holes: by installed metadata, importing nothing."""

from eightysix.scan.environment.report import scan_environment

__all__ = ["scan_environment"]
