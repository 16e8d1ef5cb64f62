"""`raymtl check-reader`: one reader against the laws that all readers keep."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

import raymtl.tasks
import readers
import readers.own
from raymtl.errors import RaymtlError, StudyError
from raymtl.reading import choosing, deriving
from raymtl.reading.contract import LAWS, Subject, Verdict, examine
from raymtl.reading.contract.behaviour import crash
from raymtl.reading.reader import Reader


def check_reader(text: str, data: Path | None, console: Console) -> int:
    """Prints what comes of every law; 0 where none that must hold is broken, else 1.

    Raises:
        StudyError: for a text that names no reader.
        ReaderError: when its corpus is not below the data root.
    """
    reader = load_reader(text)
    with TemporaryDirectory(prefix="raymtl-check-reader-") as scratch:
        subject, miniature = _subject(reader, data, Path(scratch))
        where = "its miniature" if subject.miniature else str(subject.root)
        title = f"{type(reader).__name__} on {where}"
        try:
            title += f": {len(subject.table):,} clips"
        except Exception as error:  # without a table there is nothing to hold laws against
            finding = crash("read", subject, error)
            text = f"{title} cannot be read: {finding.found}\n{finding.remedy}"
            console.print(text.rstrip(), markup=False, soft_wrap=True)
            return 1
        console.print(title, markup=False, soft_wrap=True)
        verdicts = examine(subject, miniature)
        _show(subject, verdicts, console)
    return int(any(verdict.broken for verdict in verdicts))


def load_reader(text: str) -> Reader:
    """The reader that ``my_reader.py:MyReader``, ``readers.fsdd:Fsdd`` or ``Fsdd`` names.

    After the colon stands a class, a value of the module or Python text such as
    ``MyReader(release="v2")``. Without a module, readers and tasks of raymtl are known, and those
    of one's own data: ``Folder("birds")``.

    Raises:
        StudyError: saying what is wrong with it.
    """
    found = named(text, "reader")
    if not isinstance(found, Reader):
        raise StudyError(
            f"{text}: no reader but {type(found).__name__}. Name a class "
            "or a value of the module after a colon, as in my_reader.py:MyReader."
        )
    return found


def named(text: str, what: str) -> object:
    """What the text names, as `load_reader` reads it; a class of readers becomes a reader.

    Raises:
        StudyError: when it cannot be had, saying that a `what` was expected.
    """
    place, _, name = text.partition(":") if _has_module(text) else ("", "", text)
    names: dict[str, object] = {**vars(choosing), **vars(deriving), **vars(raymtl.tasks)}
    names |= {**vars(readers), **vars(readers.own)}
    names |= vars(_module(place)) if place else {}
    try:
        found = eval(name or "None", names)  # what its user types is as much code as the file is
        return found() if isinstance(found, type) and issubclass(found, Reader) else found
    except RaymtlError:
        raise
    except Exception as error:  # the user's code may raise anything
        raise StudyError(
            f"{text}: {name!r} gives {type(error).__name__}: {error}. Expected a {what}, as in "
            "my_reader.py:MyReader or my_reader.py:MyReader(field=1)."
        ) from error


def _has_module(text: str) -> bool:
    """Whether a module stands before the first colon; colons in brackets are the reader's own."""
    before, colon, _ = text.partition(":")
    return (bool(colon) and "(" not in before) or text.endswith(".py")


def _module(place: str) -> ModuleType:
    if not place.endswith(".py"):
        try:
            return importlib.import_module(place)
        except ImportError as error:
            raise StudyError(f"{place}: cannot be imported ({error}).") from error
    path = Path(place).resolve()
    if not path.is_file():
        raise StudyError(f"{path}: no such file. Expected the Python file that holds the reader.")
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise StudyError(f"{path}: {type(error).__name__}: {error}") from error
    return module


def _subject(reader: Reader, data: Path | None, scratch: Path) -> tuple[Subject, Path | None]:
    """The corpus, or without a data root the miniature; and the miniature, where there is one."""
    small: Path | None = scratch / "miniature" / reader.folder
    copies = scratch / "copies"
    copies.mkdir()
    try:
        reader.miniature(_made(scratch / "miniature" / reader.folder), 0)
    except NotImplementedError:
        small = None
    if data is not None:
        return Subject(reader, reader.locate(data), copies), small
    if small is None:
        raise StudyError(
            f"{type(reader).__name__} has no miniature. Say where its corpus {reader.folder!r} is "
            "with --data."
        )
    return Subject(reader, small, copies, miniature=True), small


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _show(subject: Subject, verdicts: Sequence[Verdict], console: Console) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    table.add_column(no_wrap=True)
    for verdict in verdicts:
        table.add_row(verdict.law.name, escape(verdict.law.says), _word(verdict))
    console.print(table)
    for note in subject.table.notes:
        console.print(f"note: {note}", markup=False)
    for verdict in verdicts:
        _explain(verdict, console)
    broken = sum(verdict.broken for verdict in verdicts)
    console.print(f"{broken} of {len(LAWS)} laws broken." if broken else "No law is broken.")


def _word(verdict: Verdict) -> str:
    if verdict.not_shown:
        return "[yellow]not shown[/]"
    if verdict.findings:
        return "[red]broken[/]" if verdict.broken else "[yellow]advice[/]"
    return "[green]holds[/]"


def _explain(verdict: Verdict, console: Console) -> None:
    if verdict.not_shown:
        console.print(f"{verdict.law.name}: not shown: {verdict.not_shown}", markup=False)
    for finding in verdict.findings[:5]:
        console.print(f"{verdict.law.name}: {escape(finding.where)}: {escape(finding.found)}")
        console.print(Padding(f"→ {escape(finding.remedy)}", (0, 0, 0, 2)))
    if len(verdict.findings) > 5:
        console.print(f"  and {len(verdict.findings) - 5} or more besides", markup=False)
