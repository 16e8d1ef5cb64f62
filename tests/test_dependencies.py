"""What is imported is asked for: `pip install raymtl` brings all that its modules import."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("raymtl", "readers", "experiments")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
GIVEN = packages_distributions()  # of each importable name
MODULES = [path for folder in OURS for path in sorted((ROOT / folder).rglob("*.py"))]


def _names(requirements: list[str]) -> set[str]:
    """The packages asked for, without extras and bounds, as PyPI compares names (PEP 503)."""
    return {_plain(re.split(r"[^\w.-]", wanted, maxsplit=1)[0]) for wanted in requirements}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _brought(package: str, extra: str) -> set[str]:
    """What comes with an installation of a package, of its `extra` too, by the package's word."""
    asked = [wanted for wanted in requires(package) or () if "extra ==" not in wanted]
    asked += [w for w in requires(package) or () if f"extra == {extra!r}" in w.replace('"', "'")]
    return _names(asked)


CORE = _names(PROJECT["dependencies"]) | _brought("jinja2", "")  # markupsafe
EXTRAS = {
    name: _names(wanted)
    for name, wanted in PROJECT["optional-dependencies"].items()
    if name != "dev"
}
EXTRAS["serve"] |= _brought("ray", "serve")  # starlette


def _imports(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """(package, whether importing the module imports it) of each import; types alone excepted."""
    waiting: list[tuple[ast.AST, bool]] = [(tree, True)]
    while waiting:
        node, at_once = waiting.pop()
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], at_once) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module).partition(".")[0], at_once
        inner = ast.iter_child_nodes(node)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            inner = iter(node.orelse)
        later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        waiting += [(child, at_once and not later) for child in inner]


def _foreign(path: Path, at_once: bool) -> set[str]:
    """The packages of others that a module imports when it is imported, or only later."""
    found = {name for name, now in _imports(ast.parse(path.read_text())) if now is at_once}
    return found - set(sys.stdlib_module_names) - set(OURS)


def _unknown(path: Path, at_once: bool, known: set[str]) -> set[str]:
    """Imports of a module whose package is not among `known`."""
    return {
        name
        for name in _foreign(path, at_once)
        if not {_plain(package) for package in GIVEN.get(name, [name])} & known
    }


@pytest.mark.parametrize("folder", OURS)
def test_importing_any_module_needs_the_core_dependencies_alone(folder: str) -> None:
    modules = sorted((ROOT / folder).rglob("*.py"))
    assert modules
    found = {path.relative_to(ROOT): _unknown(path, True, CORE) for path in modules}
    assert {path: names for path, names in found.items() if names} == {}


def test_what_is_imported_later_is_of_an_extra_or_of_the_core() -> None:
    known = CORE.union(*EXTRAS.values())
    found = {path.relative_to(ROOT): _unknown(path, False, known) for path in MODULES}
    assert {path: names for path, names in found.items() if names} == {}


def test_the_reference_of_the_features_is_a_dependency_of_the_core() -> None:
    assert "librosa" in CORE


def test_how_imports_are_told_apart() -> None:
    module = ast.parse(
        "import a.b\nif TYPE_CHECKING:\n import never\nelse:\n from c import d\n"
        "def f():\n import e\nclass G:\n import h\n def i(self):\n  from j.k import l\n"
        "from . import own\n"
    )
    found = set(_imports(module))
    assert found == {("a", True), ("c", True), ("h", True), ("e", False), ("j", False)}


def test_names_of_packages_are_compared_without_bounds() -> None:
    wanted = ["ray[data,tune]>=2", "Scikit_Learn <2", "miniaudio>=1; platform_machine != 'arm'"]
    assert _names(wanted) == {"ray", "scikit-learn", "miniaudio"}
