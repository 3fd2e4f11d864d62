"""Bad input through the command line: each kind is kept with its reason and its bytes, and the rest goes on."""

import base64
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.command import Command
from tests.engine import dump, lines, queried, unequal
from tests.oracle.shorthand import END, UNIT, count, one_unit, state

ROOT = Path(__file__).parents[2]
TOML = one_unit('ideal_cycle = "1s"')
GOOD = [state(0, "producing"), count(10, 500), state(30, "down"), END]


def line(**fields: Any) -> bytes:
    """A count with some fields of its own, as a line."""
    return json.dumps(count(20, 1, id="bad") | fields).encode()


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in count(20, 1, id="bad").items() if key != name}).encode()


BAD_LINES: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"what is this?", "not_json"),
    "JSON cut off": (line()[:-7], "not_json"),
    "not UTF-8": (line().replace(b'"bad"', b'"\xff\xfe"'), "not_json"),
    "zero bytes": (b"\x00" * 40, "not_json"),
    "an array": (b"[1, 2]", "not_an_object"),
    "a number": (b"17", "not_an_object"),
    "no time": (without("ts"), "missing_field"),
    "no equipment": (without("equipment"), "missing_field"),
    "no type": (without("type"), "missing_field"),
    "a time of null": (line(ts=None), "missing_field"),
    "a time without offset": (line(ts="2026-03-02T08:20:00"), "naive_time"),
    "no day of the calendar": (line(ts="2026-02-30T08:20:00Z"), "bad_time"),
    "a word for a time": (line(ts="soon"), "bad_time"),
    "a time before 1970": (line(ts=-1), "out_of_range"),
    "a time after 2200": (line(ts="2200-01-01T00:00:01Z"), "out_of_range"),
    "a time with a fraction of a millisecond": (line(ts=1.5), "wrong_type"),
    "an unknown equipment": (line(equipment="acme/elsewhere"), "unknown_equipment"),
    "an equipment that is no text": (line(equipment=7), "wrong_type"),
    "NaN": (line().replace(b'"good": 1', b'"good": NaN'), "not_json"),
    "an infinity": (line().replace(b'"good": 1', b'"good": -Infinity'), "not_json"),
    "a number beyond all": (line().replace(b'"good": 1', b'"good": 1e999'), "not_json"),
    "a number beyond what is exact": (line(good=2**53 + 1), "out_of_range"),
    "a fraction of a piece": (line(good=1.5), "wrong_type"),
    "text for a number": (line(good="many"), "wrong_type"),
    "a truth for a number": (line(good=True), "wrong_type"),
    "an unknown type": (line(type="gossip"), "unknown_type"),
    "an unknown quality": (line(type="counter", quality="shiny", value=1), "unknown_quality"),
    "a negative reading": (line(type="counter", quality="good", value=-1), "out_of_range"),
    "an unknown action": (line(type="order", action="pause", order="O"), "unknown_action"),
    "an interval of nothing": (line(type="reclassify", start=1000, end=1000, state="idle"), "empty_interval"),
    "an id in use": (json.dumps(state(0, "down")).encode(), "id_reused"),
}


def rejected(oeeflow: Command) -> list[dict[str, Any]]:
    ended = oeeflow("rejected", "--format", "json")
    assert ended.status == 0
    rows: list[dict[str, Any]] = json.loads(ended.out)
    return rows


def as_bytes(raw: str) -> bytes:
    """Original bytes as JSON shows them: text where they are, else base64."""
    return base64.b64decode(raw.removeprefix("base64:")) if raw.startswith("base64:") else raw.encode()


def test_every_kind_is_kept_with_its_reason_and_bytes(oeeflow: Command) -> None:
    good = lines(GOOD).splitlines()
    mixed = [good[0], *(bad for bad, _ in BAD_LINES.values()), *good[1:]]
    Path("a.jsonl").write_bytes(b"\n".join(mixed) + b"\n")
    ended = oeeflow("replay", "plant.toml", "a.jsonl")
    assert ended.status == 0
    assert f"{len(GOOD)} events taken in; {len(BAD_LINES)} rejected" in ended.told
    rows = queried(Path("kpi.duckdb"), "SELECT line, reason, detail, raw, source FROM rejected_events ORDER BY line")
    found = {row["line"] - 2: (row["raw"], row["reason"]) for row in rows}
    expected = dict(enumerate(BAD_LINES.values()))
    names = list(BAD_LINES)
    assert {names[n]: found.get(n) for n in expected if found.get(n) != expected[n]} == {}
    assert len(rows) == len(BAD_LINES)
    assert all(row["detail"] and row["source"] == "a.jsonl" for row in rows)
    shown = {row["line"]: row for row in rejected(oeeflow)}
    assert {row["line"]: row["reason"] for row in rows} == {number: row["reason"] for number, row in shown.items()}
    assert shown[2]["raw"] == "what is this?"
    (unit,) = json.loads(oeeflow("kpi", "--by", "hour", "--level", "unit", "--format", "json").out)[:1]
    assert (unit["producing_us"], unit["good"]) == (1_800_000_000, 500)


def test_a_reason_a_person_understands(oeeflow: Command) -> None:
    Path("a.jsonl").write_bytes(line(ts="2026-03-02T08:20:00") + b"\n" + line(equipment=f"{UNIT}s") + b"\n")
    oeeflow("replay", "plant.toml", "a.jsonl")
    naive, unknown = rejected(oeeflow)
    assert "offset" in naive["detail"]
    assert unknown["detail"] == f'the plant file does not know this equipment; did you mean "{UNIT}"?'
    shown = oeeflow("rejected")
    assert "naive_time" in shown.out
    assert "a.jsonl:1" in shown.out
    assert "`oeeflow rejected --retry` takes in what it then knows of 1 event" in shown.told


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (UNIT.upper(), f'; did you mean "{UNIT}"?'),
        (UNIT.removeprefix("acme/"), f'; did you mean "{UNIT}"?'),
        ("acme/elsewhere/of/no/kind", ""),
        ("x", ""),
    ],
)
def test_equipment_that_is_not_known_may_be_another(oeeflow: Command, name: str, says: str) -> None:
    Path("a.jsonl").write_bytes(lines(GOOD) + line(equipment=name) + b"\n")
    oeeflow("replay", "plant.toml", "a.jsonl")
    assert rejected(oeeflow)[0]["detail"] == f"the plant file does not know this equipment{says}"
    Path("plant.toml").write_text(f'{TOML}[equipment."{name}"]\nlevel = "unit"\n')
    Path("b.jsonl").write_bytes(lines([state(95, "down")]))
    oeeflow("replay", "plant.toml", "b.jsonl")
    assert "by now it does: `oeeflow rejected --retry`" in rejected(oeeflow)[0]["detail"]


def test_repeated_it_rejects_nothing_twice(oeeflow: Command) -> None:
    bad = b"\n".join(bad for bad, _ in BAD_LINES.values())
    Path("a.jsonl").write_bytes(lines(GOOD) + bad + b"\n")
    oeeflow("replay", "plant.toml", "a.jsonl")
    before = rejected(oeeflow)
    oeeflow("replay", "plant.toml", "a.jsonl")
    Path("b.jsonl").write_bytes(lines(GOOD) + b"\n" + bad + b"\n" + bad)
    ended = oeeflow("replay", "plant.toml", "b.jsonl")
    assert f"{len(GOOD)} duplicates" in ended.told
    assert rejected(oeeflow) == before


def test_retry_takes_in_what_a_corrected_plant_file_allows(oeeflow: Command) -> None:
    other, third = "acme/ulm/line/new", "acme/ulm/line/never"
    log = [
        *GOOD,
        *(sent | {"equipment": other} for sent in GOOD),
        count(50, 7, equipment=other, note="a \u00fc", lot="L-7"),
        count(51, 1, equipment=third),
        count(70, 7, equipment=other),
    ]
    late = {name: value for name, value in count(52, 2, equipment=other).items() if name != "id"}
    Path("a.jsonl").write_bytes(lines([*log, late]) + b"no json\n")
    assert "9 rejected" in oeeflow("replay", "plant.toml", "a.jsonl").told
    known = TOML + f'[equipment."{other}"]\nlevel = "unit"\n'
    Path("plant.toml").write_text(known)
    ended = oeeflow("rejected", "--retry")
    assert (ended.status, "7 events taken in" in ended.told) == (0, True), ended.told
    assert {row["reason"] for row in rejected(oeeflow)} == {"not_json", "unknown_equipment"}
    assert len(rejected(oeeflow)) == 2
    again = oeeflow("rejected", "--retry")
    assert "0 events taken in" in again.told
    oeeflow("replay", "plant.toml", "a.jsonl", "--db", "right.duckdb")
    assert unequal(dump(Path("right.duckdb")), dump(Path("kpi.duckdb"))) == {}


def test_retry_without_a_correction_takes_in_nothing(oeeflow: Command) -> None:
    Path("a.jsonl").write_bytes(lines([*GOOD, count(50, 1, equipment="acme/elsewhere")]))
    oeeflow("replay", "plant.toml", "a.jsonl")
    before = rejected(oeeflow)
    assert "0 events taken in; 1 still rejected" in oeeflow("rejected", "--retry").told
    assert rejected(oeeflow) == before


def test_retry_with_a_plant_file_named(oeeflow: Command) -> None:
    other = "acme/ulm/line/new"
    Path("a.jsonl").write_bytes(lines([*GOOD, count(50, 1, equipment=other)]))
    oeeflow("replay", "plant.toml", "a.jsonl")
    Path("right.toml").write_text(TOML + f'[equipment."{other}"]\nlevel = "unit"\n')
    assert "1 event taken in" in oeeflow("rejected", "right.toml", "--retry").told
    assert rejected(oeeflow) == []


FILES: dict[str, tuple[str, bytes, int, str]] = {
    "empty": ("a.jsonl", b"", 0, "0 events taken in"),
    "nothing but blank lines": ("a.jsonl", b"\n\n  \n", 0, "0 events taken in"),
    "the last line cut off": ("a.jsonl", lines(GOOD)[:-9], 0, "3 events taken in; 1 rejected"),
    "no end of the last line": ("a.jsonl", lines(GOOD)[:-1], 0, "4 events taken in"),
    "a mark at the start, and ends of lines of another system": (
        "a.jsonl",
        b"\xef\xbb\xbf" + lines(GOOD).replace(b"\n", b"\r\n"),
        0,
        "4 events taken in",
    ),
    "binary": ("a.jsonl", bytes(range(256)) * 400, 1, "a.jsonl"),
    "text of another kind": ("a.jsonl", b"Dear Sir or Madam,\n" * 2000, 1, "a.jsonl"),
    "compressed data cut off": ("a.jsonl.gz", gzip.compress(lines(GOOD * 50))[:-12], 1, "4 events taken in"),
    "compressed only by its name": ("a.jsonl.gz", lines(GOOD), 1, "a.jsonl.gz"),
    "empty, compressed by its name": ("a.jsonl.gz", b"", 0, "0 events taken in"),
    "Parquet only by its name": ("a.parquet", lines(GOOD), 1, "a.parquet"),
    "empty Parquet": ("a.parquet", b"", 1, "a.parquet"),
    "empty CSV": ("a.csv", b"", 0, "0 events taken in"),
    "CSV without the columns": ("a.csv", b"a;b;c\n1;2;3\n", 1, "a.csv"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_told_and_the_others_are_read(name: str, oeeflow: Command) -> None:
    file, data, status, told = FILES[name]
    Path(file).write_bytes(data)
    Path("good.jsonl").write_bytes(lines([state(90, "down", id="other file")]))
    ended = oeeflow("replay", "plant.toml", file)
    assert told in ended.told
    assert ended.status == status
    assert "Traceback" not in ended.told
    both = oeeflow("replay", "plant.toml", file, "good.jsonl")
    assert both.status == status
    assert queried(Path("kpi.duckdb"), "SELECT id FROM events WHERE id = 'other file'") == [{"id": "other file"}]


@pytest.mark.slow
def test_a_line_of_100_mb_is_cut_short_in_little_memory(oeeflow: Command, tmp_path: Path) -> None:
    Path("short.jsonl").write_bytes(lines(GOOD))
    with Path("a.jsonl").open("wb") as file:
        file.write(lines(GOOD[:2]) + b'{"id":"long","note":"')
        for _ in range(100):
            file.write(b"x" * 1_000_000)
        file.write(b'"}\n' + lines(GOOD[2:]))
    usual, peak = _peak_mb(tmp_path, "short.jsonl", "short.duckdb"), _peak_mb(tmp_path, "a.jsonl", "kpi.duckdb")
    assert peak < usual + 60, (usual, peak)  # the line alone would be 100
    (row,) = rejected(oeeflow)
    assert (row["line"], row["reason"]) == (3, "too_long")
    assert row["raw"].startswith('{"id":"long","note":"xxx')
    assert len(row["raw"]) < 100_000
    assert queried(Path("kpi.duckdb"), "SELECT count(*) AS n FROM events") == [{"n": 4}]


def _peak_mb(folder: Path, events: str, db: str) -> float:
    """The most memory that a replay in a process of its own took, as that says itself.

    What the system tells of a child may be the memory of the process that started it.
    """
    code = (
        "import re, pathlib; from pipelines.cli import main\n"
        "try: main()\n"
        "finally: print(re.search(r'VmHWM:\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, "replay", "plant.toml", events, "--db", db],
        env=dict(os.environ) | {"PYTHONPATH": str(ROOT)},
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return int(ended.stdout.split()[-1]) / 1024


def test_what_is_hardly_meant_so_is_told(oeeflow: Command) -> None:
    """A state that nobody declared, and seconds where milliseconds belong: both are events, and both are wrong."""
    Path("a.jsonl").write_bytes(lines([*GOOD, state(91, "LAEUFT")]))
    told = oeeflow("replay", "plant.toml", "a.jsonl").told
    assert 'does not know the state "LAEUFT" (1 event of acme/ulm/line/filler): its time is unknown' in told
    assert 'LAEUFT" = "producing"' in told
    assert "LAEUFT" in oeeflow("doctor", "--format", "json").out
    Path("b.jsonl").write_bytes(lines([{**state(92, "down"), "ts": 1_772_431_200}]))
    told = oeeflow("replay", "plant.toml", "b.jsonl", "--db", "old.duckdb").told
    assert "has events of 1970-01-21" in told
    assert "milliseconds" in told
