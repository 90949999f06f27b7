"""Puts the native part into a wheel: compiled here, or, where no compiler is, left out and said so by the wheel's tag."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

__all__ = ["NativePart"]

PLATFORM = "EIGHTYSIX_SENSOR_PLATFORM"
"""Platform tag of the wheel where the builder knows better than this machine (`manylinux_2_17_x86_64`)."""
REQUIRED = "EIGHTYSIX_SENSOR_NATIVE"
"""`required`: without a compiler the build fails. `off`: no native part. Else: as it can be had."""


class NativePart(BuildHookInterface):  # type: ignore[type-arg]
    """Build hook of hatchling."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile into a folder that `finalize` removes, and take what was made along."""
        if self.target_name != "wheel" or version == "editable":
            return
        wanted = os.environ.get(REQUIRED, "")
        build_data["pure_python"] = True
        build_data["tag"] = "py3-none-any"
        if wanted == "off":
            return
        compiling = _compiling(Path(self.root) / "native" / "compile.py")
        self._folder = Path(tempfile.mkdtemp(prefix="eightysix-sensor-"))
        try:
            files = compiling.compile_all(self._folder)
        except compiling.CompileError as reason:
            if wanted == "required":
                raise
            self.app.display_warning(f"no native part in this wheel, its tag is py3-none-any: {reason}")
            return
        for file in files:
            inside = f"eightysix_sensor/_native/{file.parent.name}/{file.name}"
            build_data["force_include"][str(file)] = inside
        build_data["pure_python"] = False
        platform = os.environ.get(PLATFORM) or sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled."""
        folder = getattr(self, "_folder", None)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _compiling(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("eightysix_sensor_compile", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
