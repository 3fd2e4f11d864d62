"""The reading commands as people and programs call them."""

import csv
import importlib
import json
import os
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from datetime import datetime
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer

from kpis.elements import ACCOUNTS
from pipelines.cli import COMMANDS, DB_COMMANDS, main
from pipelines.replay import replay

ROOT = Path(__file__).parents[2]
UNIT = "nist/shop/mazak01"
TIMES = [f"{account}_us" for account in ACCOUNTS]
RATIOS = [
    "availability",
    "performance",
    "quality",
    "oee",
    "ooe",
    "teep",
    "scrap_ratio",
    "throughput_per_hour",
    "coverage",
]
COLUMNS = [
    *("equipment", "level", "window_start", "window_end", "shift", "status", "revision"),
    *(*TIMES, "good", "scrap", "rework", "ideal_us", "good_ideal_us", *RATIOS),
]


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reading") / "nist.duckdb"
    replay(ROOT / "examples/nist/plant.toml", [ROOT / "examples/nist/mazak01-2016-11-29.txt.gz"], path, source="mazak")
    return path


def oeeflow(*arguments: str | Path, db: Path | None = None, code: int = 0) -> tuple[bytes, str]:
    """What a command writes to standard output and to standard error, in this process: to start one takes longer."""
    given = {"OEEFLOW_DB": str(db or ""), "NO_COLOR": "1", "COLUMNS": "80"}
    out, told, status = TextIOWrapper(BytesIO(), encoding="utf-8"), StringIO(), 0
    importlib.import_module("pandas")  # a command keeps it out of its process unless it is there; our pages need it
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(told):
        for name, value in given.items():
            patch.setenv(name, value)
        patch.chdir(ROOT)
        patch.setattr(sys, "argv", ["oeeflow", *map(str, arguments)])
        try:
            main()
        except SystemExit as exit_:
            status = int(exit_.code or 0)
    out.flush()
    assert status == code, told.getvalue()
    return out.buffer.getvalue(), told.getvalue()


def process(*arguments: str | Path, code: int = 0) -> tuple[bytes, str]:
    """The same of a process of its own, without a store."""
    environment = {name: value for name, value in os.environ.items() if name != "OEEFLOW_DB"} | {"NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == code, done.stderr.decode()
    return done.stdout, done.stderr.decode()


def rows(*arguments: str | Path, db: Path) -> list[dict[str, Any]]:
    found = json.loads(oeeflow(*arguments, "--format", "json", db=db)[0])
    assert isinstance(found, list)
    return found


def test_kpi_rows_have_what_programs_rely_on(db: Path) -> None:
    found = rows("kpi", "--by", "shift", db=db)
    assert found
    for row in found:
        assert [name for name in COLUMNS if name not in row] == []
        assert all(isinstance(row[name], int) for name in (*TIMES, "ideal_us", "good_ideal_us"))
        for name in ("window_start", "window_end"):
            assert datetime.fromisoformat(row[name]).utcoffset() is not None
            assert row[name].endswith("Z")
    assert {row["equipment"] for row in found} >= {"nist", "nist/shop", UNIT}


def test_order_rows_name_the_order(db: Path) -> None:
    text = oeeflow("kpi", "--by", "order", "--format", "csv", db=db)[0].decode()
    assert {"order", "product"} <= set(next(csv.reader(StringIO(text))))


def test_formats_agree(db: Path) -> None:
    asked = ("kpi", "--by", "hour", "--equipment", UNIT, "--from", "2016-11-29")
    found = rows(*asked, db=db)
    frame = pl.read_parquet(BytesIO(oeeflow(*asked, "--format", "parquet", db=db)[0]))
    texts = list(csv.DictReader(StringIO(oeeflow(*asked, "--format", "csv", db=db)[0].decode())))
    assert [row["oee"] for row in found] == frame["oee"].to_list()
    assert [row["producing_us"] for row in found] == frame["producing_us"].to_list()
    assert [row["window_start"] for row in found] == [row["window_start"] for row in texts]
    assert [row["producing_us"] for row in found] == [int(row["producing_us"]) for row in texts]
    table = oeeflow(*asked, db=db)[0].decode().splitlines()
    assert len(table) == len(found) + 1
    assert "\x1b" not in "".join(table)


def test_what_is_selected_is_what_is_shown(db: Path) -> None:
    every = rows("timeline", "--equipment", "nist*", db=db)
    some = rows("timeline", "--level", "unit", "--from", every[3]["start"], "--to", every[9]["start"], db=db)
    assert some == every[3:9]
    assert list(every[0]) == [
        *("equipment", "start", "end", "account", "category", "reason", "product", "order", "shift")
    ]


def test_the_waterfall_ends_where_the_elements_do(db: Path) -> None:
    asked = ("--by", "month", "--equipment", UNIT)
    (month,) = rows("kpi", *asked, db=db)
    steps = {row["step"]: row["us"] for row in rows("losses", *asked, db=db)}
    assert steps["calendar"] == sum(month[name] for name in TIMES)
    assert steps["fully_productive"] == month["good_ideal_us"]
    six = rows("losses", *asked, "--six", db=db)
    assert len(six) == 6


def test_stops_alerts_and_rejected_events_are_listed(db: Path) -> None:
    assert all(row["duration_us"] >= row["us"] for row in rows("stops", db=db))
    assert rows("alerts", db=db) == []
    assert rows("rejected", db=db) == []


def test_an_empty_answer_points_to_what_is_below(db: Path) -> None:
    out, err = oeeflow("stops", "--equipment", "nist/shop", "--format", "json", db=db)
    assert (json.loads(out), "nist/shop/*" in err) == ([], True)


def test_an_explanation_holds_the_figure_and_what_makes_it(db: Path) -> None:
    (day,) = (row for row in rows("kpi", "--by", "day", "--equipment", UNIT, db=db) if row["producing_us"])
    asked = ("explain", UNIT, "--by", "day", "--at", day["window_start"], "--kpi", "availability")
    (found,) = rows(*asked, db=db)
    assert found["value"] == day["availability"]
    assert found["elements"]["producing_us"] == sum(
        row["us"] for row in found["intervals"] if row["account"] == "producing"
    )
    assert found["events"]
    text = oeeflow(*asked, db=db)[0].decode()
    assert "availability = run_us / planned_production_us" in text
    assert "time by account" in text


def test_queries_see_the_views(db: Path) -> None:
    (found,) = rows("sql", f"SELECT sum(producing_us)::BIGINT AS us FROM kpi_day WHERE equipment = '{UNIT}'", db=db)
    assert found["us"] == sum(row["producing_us"] for row in rows("kpi", "--by", "day", "--equipment", UNIT, db=db))
    assert found["us"] > 0


def test_the_catalogue_needs_no_store() -> None:
    found = json.loads(oeeflow("catalogue", "--format", "json")[0])
    assert {"oee", "mean_time_to_failure"} <= {row["name"] for row in found}
    assert all(row["meaning"] and row["formula"] and row["source"] for row in found)
    assert "= good / total" in oeeflow("catalogue")[0].decode()


def test_a_replay_tells_its_end_alone(tmp_path: Path) -> None:
    plant, events = tmp_path / "plant.toml", tmp_path / "a.jsonl"
    plant.write_text('[plant]\ntimezone = "UTC"\n[equipment.u]\nideal_cycle = "1s"\n')
    events.write_text('{"ts": 1772431200000, "equipment": "u", "type": "state", "state": "down"}\n')
    assert oeeflow("replay", plant, events, db=tmp_path / "kpi.duckdb") == (b"", "1 event taken in\n")


def test_the_validation_counts_what_it_finds(tmp_path: Path) -> None:
    plant = tmp_path / "[old] of a name that makes the path longer than a line of the terminal has columns.toml"
    plant.write_text('[plant]\ntimezone = "UTC"\n[equipment.u]\nideal_cycle = "2h"\nlevl = "unit"\n[defaults]\n')
    found, told = oeeflow("validate", plant, code=1)
    assert (found.count(b"fault:"), told) == (1, f"{plant}: 1 fault, 0 warnings\n")
    plant.write_text(plant.read_text().replace('levl = "unit"\n[defaults]', '[defaults]\ncalendar = "c"'))
    found, told = oeeflow("validate", plant, "--format", "json", code=1)
    assert ([row["severity"] for row in json.loads(found)], told) == (["fault", "warning"], "")


def test_the_doctor_finds_a_missing_plant_file(db: Path) -> None:
    assert b"error" not in oeeflow("doctor", db=db)[0]
    out, _ = oeeflow("doctor", db=db.with_name("none.duckdb"), code=1)
    assert b"there is no store" in out


def test_copies_and_exports_are_whole(db: Path, tmp_path: Path) -> None:
    oeeflow("db", "backup", tmp_path / "copy.duckdb", db=db)
    assert rows("timeline", db=tmp_path / "copy.duckdb") == rows("timeline", db=db)
    oeeflow("export", tmp_path / "out", db=db)
    days = pl.read_parquet(tmp_path / "out" / "kpi_day.parquet").filter(pl.col("equipment") == UNIT)
    assert days["producing_us"].sum() == sum(
        row["producing_us"] for row in rows("kpi", "--by", "day", "--equipment", UNIT, db=db)
    )
    oeeflow("db", "export", tmp_path / "texts", "--format", "csv", db=db)
    assert (tmp_path / "texts" / "events.csv").exists()
    oeeflow("db", "migrate", db=tmp_path / "copy.duckdb")
    assert "is there already" in oeeflow("db", "backup", tmp_path / "copy.duckdb", db=db, code=2)[1]
    assert "not empty" in oeeflow("export", tmp_path / "out", db=db, code=2)[1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["kpi"], "Missing option '--db'"),
        (["kpi", "--db", "none.duckdb"], "error: there is no store at none.duckdb\nhint: "),
        (["kpi", "--db", "README.md"], "error: cannot open the store README.md"),
        (["nothing"], "No such command 'nothing'"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], told: str) -> None:
    out, err = process(*arguments, code=2)
    assert out == b""
    assert told in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["kpi", "--by", "year"], 'error: unknown kind of window "year"\nhint: one of minute, hour'),
        (["kpi", "--from", "soon"], 'error: "soon" is no time\nhint: '),
        (["kpi", "--equipment", "nist/shop/mazak"], "hint: did you mean nist/shop/mazak01"),
        (["kpi", "--by", "sliding", "--length", "90"], "error: not a duration"),
        (["explain", UNIT, "--kpi", "oe"], 'error: unknown KPI "oe"'),
        (["explain", UNIT, "--format", "csv"], "hint: --format table or json"),
        (["sql", "SELECT nothing FROM nowhere"], "error: Catalog Error"),
        (["rejected", "plant.toml"], "only with --retry"),
    ],
)
def test_wrong_questions_end_with_2(db: Path, arguments: list[str], told: str) -> None:
    out, err = oeeflow(*arguments, db=db, code=2)
    assert out == b""
    assert told in err


def test_a_reader_that_has_seen_enough_is_no_error(db: Path) -> None:
    command = [sys.executable, "-m", "pipelines.cli", "timeline", "--db", str(db), "--format", "json"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.read(1)
        running.stdout.close()
        told = running.stderr.read()
        assert running.wait() == 0
    assert told == b""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["alerts", "--state", "open"], "'firing', 'resolved', 'suppressed', 'withdrawn'"),
        (["alerts", "--severity", "high"], "'info', 'warning', 'critical'"),
        (["alerts", "--rule", "x"], 'no rule "x" in the store'),
        (["kpi", "--from", "2016-11-30", "--to", "2016-11-29"], "--to 2016-11-29 is not after --from 2016-11-30"),
        (["export", "README.md"], "README.md is no folder"),
        (["db", "restore", "."], ". is no file"),
        (["alerts", "ack", "", "--by", "Anna"], '"" is no id of an alert'),
        (["alerts", "ack", "a/b", "--by", "Anna"], '"a/b" is no id of an alert'),
    ],
)
def test_what_cannot_be_meant_is_told(words: list[str], told: str, db: Path) -> None:
    said = oeeflow(*words, db=db, code=2)[1]
    assert told in re.sub(r"[\s│]+", " ", said)
    assert "Traceback" not in said


def test_it_says_which_version_it_is() -> None:
    assert re.fullmatch(rb"oeeflow \d+\.\d+\.\d+\n", process("--version")[0])


def options() -> list[tuple[str, str]]:
    """Every option of every command."""
    found = []
    for group, commands in (("", COMMANDS), ("db ", DB_COMMANDS)):
        for function in commands:
            app = typer.Typer(add_completion=False)
            app.command()(function)
            for parameter in typer.main.get_command(app).params:
                found += [(f"{group}{function.__name__}", option) for option in parameter.opts if option[:2] == "--"]
    return [(command, option) for command, option in found if option != "--help"]


def test_every_option_is_documented() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## oeeflow ([a-z ]+)\n(.*?)(?=^## |\Z)", page, flags=re.MULTILINE | re.DOTALL))
    selecting = page.split("## Options of the readers")[1].split("\n## ")[0]
    missing = [
        f"{command} {option}"
        for command, option in options()
        if f"`{option}" not in sections[command] and f"`{option}" not in selecting
    ]
    assert missing == []


def test_the_data_dictionary_is_current() -> None:
    from storage.dictionary import markdown

    assert (ROOT / "docs" / "data-dictionary.md").read_text(encoding="utf-8") == markdown()
