"""What tests of more than one folder need."""

import importlib
import sys
from pathlib import Path

import pytest

from pipelines.cli import main
from tests.command import Command, Ended
from tests.oracle.shorthand import one_unit


@pytest.fixture
def oeeflow(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """The command line, in this process and in an empty folder with a plant file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OEEFLOW_DB", "kpi.duckdb")
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "plant.toml").write_text(one_unit('ideal_cycle = "1s"'))
    importlib.import_module("pandas")  # a command keeps it out of its process unless it is there; our pages need it

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["oeeflow", *arguments])
        status = 0
        try:
            main()
        except SystemExit as exit_:
            status = int(exit_.code or 0)
        printed = capsys.readouterr()
        return Ended(status, printed.out, " ".join(printed.err.split()))

    return run
