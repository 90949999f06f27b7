"""The last way in: this folder on PYTHONPATH. Starts the sensor, then runs the `sitecustomize` that it stands in front of.

Every `.pth` file has run by then; what those did is told by the snapshot alone. The package is loaded from its folder, so
that nothing of the sensor is on the path of the program. NOTE: `importlib.util` would cost more than the sensor.
"""

import os
import sys
from _frozen_importlib import module_from_spec
from _frozen_importlib_external import PathFinder


def _start(home: str) -> None:
    if os.environ.get("EIGHTYSIX_SENSOR", "off") == "off":
        return
    if "eightysix_sensor" not in sys.modules:
        spec = PathFinder.find_spec("eightysix_sensor", [home])
        if spec is None or spec.loader is None:
            return
        package = module_from_spec(spec)
        sys.modules["eightysix_sensor"] = package
        spec.loader.exec_module(package)
    import eightysix_sensor.boot

    eightysix_sensor.boot.start()


def _go_on(here: str) -> None:
    """Run the next `sitecustomize` on the path, as if this one were not there."""
    others = [entry for entry in sys.path if os.path.realpath(entry or ".") != here]
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is None or spec.loader is None:
        return
    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


_here = os.path.dirname(os.path.realpath(__file__))
try:
    _start(os.path.dirname(os.path.dirname(_here)))
except Exception:  # noqa: BLE001 - the program goes on without the sensor
    pass
_go_on(_here)
