"""`Csv` and `Jsonl` against pandas and the csv and json libraries, and what they refuse."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raymtl.errors import ReaderError, StudyError
from raymtl.reading.clips import ClipTable
from raymtl.tasks import AnyOf, Number, OneOf, YesNo
from readers.own import Column, Csv, Jsonl

SPECIES = OneOf("species", ("robin", "wren"))
CALLS = Column("calls", AnyOf("calls", ("alarm", "song", "begging")), "|")


def corpus(root: Path, text: str | bytes, *names: str, table: str = "clips.csv") -> Path:
    root.mkdir(exist_ok=True, parents=True)
    (root / table).write_bytes(text if isinstance(text, bytes) else text.encode())
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def columns(table: ClipTable, *names: str) -> list[list[Any]]:
    """Cells by column; a column that no clip has a value in is not there."""
    there = table.table.column_names
    return [table.table.column(n).to_pylist() if n in there else [None] * len(table) for n in names]


TWO = "file,species\na.wav,robin\nb.wav,wren\n"
BASE: dict[str, Any] = {"table": "clips.csv", "audio": "file", "targets": (SPECIES,)}


def test_every_kind_of_column(tmp_path: Path) -> None:
    text = (
        "file;species;calls;noisy;db;who;part;k;from;to\r\n"
        "a;robin;alarm | song;Yes;-3,5;07;dev;0;0,5;2\r\n"
        "a;wren;-;no;NA;08;train;1;2;\r\n"
        "b;;;;1e2;;;2;;\r\n"
    )
    root = corpus(tmp_path, text, "audio/a.flac", "audio/b.flac")
    reader = Csv(
        "birds", table="clips.csv", delimiter=";", decimal=",", audio="audio/{file}.flac",
        targets=(SPECIES, Column("calls", CALLS.task, "|", none=("-",)), YesNo("noisy"),
                 Column("db", Number("level"))),
        groups=(("recorder", "who"),), split="part", splits=("train", ("dev", "validation")),
        fold="k", start="from", end="to", blanks=("", "NA"), about=("who",),
    )  # fmt: skip
    table = reader.read(root)
    assert table.table.drop(["groups", "about:who"]).to_pydict() == {
        "id": ["birds/audio/a@0.500-2.000", "birds/audio/a@2.000-", "birds/audio/b"],
        "audio": ["audio/a.flac", "audio/a.flac", "audio/b.flac"],
        "start": [0.5, 2.0, None], "end": [2.0, None, None],
        "split": ["validation", "train", None], "fold": [1, 2, 3],
        "target:species": ["robin", "wren", None],
        "target:calls": [["alarm", "song"], [], None],
        "target:noisy": [True, False, None], "target:level": [-3.5, None, 100.0],
    }  # fmt: skip
    assert table.groups()[0] == ("recording:birds/audio/a", "recorder:birds/07")
    assert table.groups()[2] == ("recording:birds/audio/b",)
    assert columns(table, "about:who") == [["07", "08", None]]
    assert "folds are counted from 0 in the list, here from 1" in table.notes


def test_columns_by_number_without_a_header(tmp_path: Path) -> None:
    root = corpus(tmp_path, "x\trobin\ta\ny\twren\tb\n", "clips/a/x.wav", "clips/b/y.wav")
    target = Column(1, SPECIES)
    reader = Csv("birds", table="clips.csv", audio="clips/{2}/{0}.wav", targets=(target,),
                 header=False, delimiter="\t", groups=(("site", 2),))  # fmt: skip
    assert columns(reader.read(root), "id", "target:species") == [
        ["birds/clips/a/x", "birds/clips/b/y"], ["robin", "wren"]
    ]  # fmt: skip
    with pytest.raises(
        ReaderError, match=r"clips\.csv:1: no column 3; there are 3, counted from 0"
    ):
        Csv("b", table="clips.csv", audio=3, targets=(target,), header=False, delimiter="\t").read(
            root
        )


def test_a_table_a_part(tmp_path: Path) -> None:
    root = corpus(tmp_path, "file,species\na.wav,robin\n", "a.wav", "b.wav")
    corpus(root, "file,species\nb.wav,wren\n", table="later.csv")
    tables = (("clips.csv", "train"), ("later.csv", "test"))
    assert columns(Csv("b", **{**BASE, "table": tables}).read(root), "split") == [["train", "test"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(encoding: str, end: str, tmp_path: Path) -> None:
    text = "file,species\nüb.wav,Zaunkönig\na.wav,robin\n".replace("\n", end)
    root = corpus(tmp_path, text.encode(encoding), "üb.wav", "a.wav")
    declared = encoding.removesuffix("-sig")
    reader = Csv("b", **{**BASE, "targets": (OneOf("species", ("robin", "Zaunkönig")),)},
                 encoding=declared)  # fmt: skip
    assert columns(reader.read(root), "target:species") == [["robin", "Zaunkönig"]]


def test_a_wrong_encoding_says_which_was_tried(tmp_path: Path) -> None:
    root = corpus(tmp_path, "file,species\nü.wav,robin\n".encode("latin-1"))
    with pytest.raises(
        ReaderError, match=r"not utf-8.*encoding='utf-8'; if the table is in another"
    ):
        Csv("b", **BASE).read(root)


LINES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=12
)
DIALECTS = st.fixed_dictionaries({
    "delimiter": st.sampled_from([",", ";", "\t"]),
    "lineterminator": st.sampled_from(["\n", "\r\n", "\r"]),
    "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
})  # fmt: skip


@settings(max_examples=80)
@given(st.lists(LINES, min_size=1, max_size=5), DIALECTS, st.sampled_from(["", "\ufeff"]))
def test_what_the_csv_library_writes_is_read_as_pandas_reads_it(
    cells: Sequence[str], dialect: Mapping[str, Any], mark: str
) -> None:
    handle = io.StringIO(newline="")
    writer = csv.writer(handle, **dialect)
    writer.writerow(["file", "species", "about, it"])
    writer.writerows([f"{at}.wav", "robin", cell] for at, cell in enumerate(cells))
    text = mark + handle.getvalue()
    frame = pd.read_csv(io.StringIO(text.removeprefix("\ufeff"), newline=""), dtype=str,
                        sep=dialect["delimiter"], keep_default_na=False, quotechar='"')  # fmt: skip
    with TemporaryDirectory() as folder:
        root = corpus(Path(folder), text, *(f"{at}.wav" for at in range(len(cells))))
        reader = Csv("b", **BASE, delimiter=dialect["delimiter"], about=("about, it",))
        found = columns(reader.read(root), "about:about, it")[0]
    wanted = [str(cell).strip() or None for cell in frame["about, it"]]
    assert [cell.strip() or None for cell in cells] == wanted  # pandas reads what was written
    assert found == wanted


@settings(max_examples=60)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5), st.sampled_from([".", ","]))
def test_numbers_are_those_that_pandas_reads(values: Sequence[float], decimal: str) -> None:
    lines = [f"{at}.wav;{value!r}".replace(".wav", "#").replace(".", decimal).replace("#", ".wav")
             for at, value in enumerate(values)]  # fmt: skip
    text = "\n".join(["file;level", *lines, ""])
    frame = pd.read_csv(io.StringIO(text), sep=";", decimal=decimal)
    with TemporaryDirectory() as folder:
        root = corpus(Path(folder), text, *(f"{at}.wav" for at in range(len(values))))
        fields = {**BASE, "targets": (Number("level"),), "delimiter": ";", "decimal": decimal}
        reader = Csv("b", **fields)
        found = columns(reader.read(root), "target:level")[0]
    assert found == values
    assert found == pytest.approx(frame["level"].astype(float).tolist(), rel=1e-14)


NO_NUMBERS = ["NaN", "inf", "1,5", "1_000", "0x10", "three", "1.5.2", "٣"]


@pytest.mark.parametrize("cell", NO_NUMBERS)
def test_what_is_no_number_is_an_error_with_its_line(cell: str, tmp_path: Path) -> None:
    root = corpus(tmp_path, f'file,level\na.wav,1\nb.wav,"{cell}"\n', "a.wav", "b.wav")
    reader = Csv("b", table="clips.csv", audio="file", targets=(Number("level"),))
    with pytest.raises(
        ReaderError, match=r"clips\.csv:3: 'level' is .*, expected a number"
    ) as error:
        reader.read(root)
    assert ("decimal=','" if cell == "1,5" else "blanks=") in str(error.value)


@pytest.mark.parametrize("cell", ["NA", "None", "nan", "-", "null"])
def test_nothing_is_missing_unless_it_is_said_to_be(cell: str, tmp_path: Path) -> None:
    root = corpus(tmp_path, TWO.replace("wren", cell), "a.wav", "b.wav")
    with pytest.raises(ReaderError, match=rf"clips\.csv:3: label '{cell}' is not declared"):
        Csv("b", **BASE).read(root)
    reader = Csv("b", **BASE, blanks=("", cell))
    assert columns(reader.read(root), "target:species") == [["robin", None]]


BROKEN = [
    ("file;species\na.wav;robin\n", r"csv:1: one line is 'file;species'\. Say delimiter=';'"),
    ("name,species\na.wav,robin\n", r"csv:1: no column 'file'; it has 'name', 'species'"),
    ("file,species,file\na.wav,robin,x\n", "csv:1: two columns are named 'file'"),
    ("file,species\na.wav,robin,x\n", r"csv:2: 3 columns, expected 2 as in line 1"),
    ("file,species\n", "holds no rows below its header"),
    ("", "holds no rows"),
    ("file,species\na.wav,robbin\n", r"csv:2: label 'robbin'.*Did you mean 'robin'\?"),
    ("file,species\nA.wav,robin\n", r"csv:2: 1 of the 1 listed recordings are missing.*A\.wav"),
    ("file,species\nx.wav,robin\n", r"'x\.wav' may be 'audio/x\.wav': say so in audio="),
    ("file,species\na.wav,robin\na.wav,wren\n", r"csv:3: clip 'b/a' is in line 2 too"),
    ("file,species\n,robin\n", r"csv:2: no recording in 'file'"),
    ('file,species\n"a.wav,robin\n', "not a table"),
    ("file,species\n../a.wav,robin\n", "missing"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BROKEN)
def test_broken_tables_are_errors_with_a_place_and_a_remedy(
    text: str, message: str, tmp_path: Path
) -> None:
    root = corpus(tmp_path, text, "a.wav", "audio/x.wav")
    with pytest.raises(ReaderError, match=message):
        Csv("b", **BASE).read(root)


CELLS = [
    ("noisy", "perhaps", {"targets": (YesNo("noisy"),)}, r"expected one of \('1', 'yes', 'true'\)"),
    ("part", "dev", {"split": "part"}, r"splits=\(\('dev', 'validation'\)"),
    ("k", "one", {"fold": "k"}, "expected the number of a fold"),
    ("from", "-1", {"start": "from"}, "a clip from -1.0 to None s"),
    ("to", "0", {"end": "to"}, "a clip from None to 0.0 s"),
]


@pytest.mark.parametrize(("column", "cell", "fields", "message"), CELLS)
def test_cells_that_cannot_be_meant(
    column: str, cell: str, fields: dict[str, Any], message: str, tmp_path: Path
) -> None:
    root = corpus(tmp_path, f"file,species,{column}\na.wav,robin,{cell}\n", "a.wav")
    with pytest.raises(ReaderError, match=rf"clips\.csv:2: .*{message}"):
        Csv("b", **{**BASE, **fields}).read(root)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"audio": 0}, r"column 0; with header=True columns are names"),
        ({"header": False}, "columns are numbers from 0"),
        ({"delimiter": ", "}, "expected one character"),
        ({"encoding": "utf-9"}, "unknown"),
        ({"targets": ()}, "teaches nothing"),
        ({"groups": "room"}, r"groups='room': expected a tuple, as in groups=\('room',\)"),
        ({"targets": OneOf("kind", ("a", "b"))}, "targets=OneOf.*expected a tuple"),
        ({"targets": (AnyOf("calls", ("a",)),)}, "no separator"),
        ({"decimal": "x"}, "expected one of '.', ','"),
        ({"missing": "ignore"}, "expected one of 'error', 'skip'"),
        ({"table": (("a.csv", "dev"),)}, "'dev'; expected one of train"),
    ],
)
def test_declarations_that_cannot_be_meant(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        Csv("b", **{**BASE, **fields})


def test_missing_recordings_can_be_skipped_with_a_note(tmp_path: Path) -> None:
    root = corpus(tmp_path, TWO, "b.wav", "new.wav")
    table = Csv("b", **BASE, missing="skip").read(root)
    assert table.ids == ["b/b"]
    assert any("1 of 2 listed recordings are missing" in note for note in table.notes)
    assert any("1 audio files are not in the list" in note for note in table.notes)


@pytest.mark.parametrize(("separator", "wanted"), [("", "OneOf"), ("|", "AnyOf")])
def test_columns_without_a_task_list_their_labels(
    separator: str, wanted: str, tmp_path: Path
) -> None:
    root = corpus(tmp_path, "file,s\na.wav,x|y\nb.wav,\nc.wav,y|z\n", "a.wav", "b.wav", "c.wav")
    reader = Csv("b", table="clips.csv", audio="file", targets=(Column("s", separator=separator),))
    assert reader.source("s").name == "b.s"
    with pytest.raises(ReaderError, match="labels of column 's' are not declared") as error:
        reader.read(root)
    names = {"Column": Column, "AnyOf": AnyOf, "OneOf": OneOf}
    pasted = eval(str(error.value).partition("study:\n")[2], names)
    assert (type(pasted.task).__name__, pasted.separator) == (wanted, separator)
    found = Csv("b", table="clips.csv", audio="file", targets=(pasted,)).read(root)
    assert columns(found, "target:s")[0][1] is None


def test_a_task_that_tells_groups_apart_learns_them() -> None:
    speaker = Column("spk", OneOf("who", ("a", "b")))
    reader = Csv("b", table="t.csv", audio="file", targets=(speaker,), groups=(("speaker", "spk"),))
    assert reader.source().learnt_groups == {"speaker"}


JSON = {"table": "clips.jsonl", "audio": "{meta.file}.wav"}
RECORDS = [
    {
        "meta": {"file": "a", "who": ["x", "y"]},
        "l": {"species": "robin", "calls": ["song"]},
        "n": 1,
    },
    {"meta": {"file": "b", "who": None}, "l": {"species": None, "calls": []}, "n": None},
    {"meta": {"file": "c"}, "l": {"calls": None}, "n": 2.5, "ok": False},
]


def test_json_lines_with_dotted_keys(tmp_path: Path) -> None:
    text = "\n\n".join(json.dumps(record) for record in RECORDS)
    root = corpus(tmp_path, "\ufeff" + text, "a.wav", "b.wav", "c.wav", table="clips.jsonl")
    targets = (
        Column("l.species", SPECIES),
        Column("l.calls", CALLS.task),
        Number("n"),
        YesNo("ok"),
    )
    table = Jsonl("b", **JSON, targets=targets, groups=(("speaker", "meta.who"),)).read(root)
    assert columns(table, "target:species", "target:calls", "target:n", "target:ok") == [
        ["robin", None, None], [["song"], [], None], [1.0, None, 2.5], [None, None, False]
    ]  # fmt: skip
    assert table.groups()[0] == ("recording:b/a", "speaker:b/x", "speaker:b/y")


BAD_JSON = [
    ('{"file": "a", }', "jsonl:1: not JSON"),
    ('[1]', "jsonl:1: '\\[1\\]', expected an object"),
    ('{"file": "a", "n": NaN}', "NaN is no JSON number"),
    ('{"name": "a"}', "no line has 'file'; keys are name"),
    ('{"file": {"x": 1}}', "'file' is an object with x; name one of them, as in 'file.x'"),
    ('{"file": ["a"], "s": "robin"}', "is a list .* expected one value"),
    ("", "holds no lines"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BAD_JSON)
def test_broken_json_lines(text: str, message: str, tmp_path: Path) -> None:
    root = corpus(tmp_path, text, table="clips.jsonl")
    with pytest.raises(ReaderError, match=message):
        Jsonl("b", table="clips.jsonl", audio="file", targets=(Column("s", SPECIES),)).read(root)


@settings(max_examples=60)
@given(st.lists(st.dictionaries(st.sampled_from("ab"), LINES), min_size=1, max_size=4))
def test_json_strings_are_those_that_were_written(found: list[dict[str, str]]) -> None:
    objects = [{"file": f"{at}.wav", "s": "robin", "deep": {"a": "", "b": "", **cells}}
               for at, cells in enumerate(found)]  # fmt: skip
    text = "\n".join(json.dumps(record, ensure_ascii=bool(len(found) % 2)) for record in objects)
    with TemporaryDirectory() as folder:
        root = corpus(
            Path(folder), text, *(f"{at}.wav" for at in range(len(found))), table="c.jsonl"
        )
        reader = Jsonl("b", table="c.jsonl", audio="file", targets=(Column("s", SPECIES),),
                       about=("deep.a", "deep.b"))  # fmt: skip
        table = reader.read(root)
    for key in "ab":
        wanted = [record["deep"][key].strip() or None for record in objects]  # type: ignore[index]
        assert columns(table, f"about:deep.{key}") == [wanted]
