"""Versions that numbers may depend on, for records and environment.json."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = (
    "raymtl",
    "torch",
    "numpy",
    "scipy",
    "scikit-learn",
    "pyarrow",
    "ray",
    "soxr",
    "soundfile",
    "librosa",
    "safetensors",
)


@cache
def versions() -> dict[str, str]:
    """Package name to version, Python's and the machine's among them."""
    found = {"python": platform.python_version(), "machine": platform.platform()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
