"""What tests of more than one folder need."""

import importlib
import os
import sys
from pathlib import Path

import pytest

from pipelines.cli import main
from tests.command import Command, Ended
from tests.oracle.shorthand import one_unit

_REAL_PARTS = {"browser", "e2e"}
_LONG_PARTS = {*_REAL_PARTS, "flow", "property"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first; and a second try for some where a machine is shared.

    Files go to the workers whole and in this order, so that at the end, when one worker waits for another, only short
    ones are left. On a shared machine whole processes and a browser may stand still for long, so what needs them is
    tried twice: it is printed and counted in the summary as a rerun; a fault that is always there fails both.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, _LONG_PARTS.isdisjoint(item.path.parts)))
    if os.environ.get("CI"):
        for item in items:
            if _REAL_PARTS.intersection(item.path.parts):
                item.add_marker(pytest.mark.flaky(reruns=1))


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
