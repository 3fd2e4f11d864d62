"""Rules of the house that no linter knows: small files, plain names, complete packages, documented commands."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pipelines.cli import ALERT_COMMANDS, COMMANDS, DB_COMMANDS, SOURCE_COMMANDS

ROOT = Path(__file__).parents[2]
PACKAGES = ("kpis", "storage", "pipelines", "dashboards")
SOURCES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "core", "base", "manager", "tools"}


def name_of(path: Path) -> str:
    """A path as seen from the root, for test names."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [*SOURCES, *TESTS], ids=name_of)
def test_files_are_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_names_say_what_is_in_a_module(path: Path) -> None:
    assert path.stem not in VAGUE
    assert path.parent.name not in VAGUE


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_modules_say_what_they_are_for(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith('"""')


def test_packages_are_complete_and_shipped() -> None:
    folders = {path.parent for path in SOURCES}
    assert [name_of(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = project["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted(name_of(folder).replace("/", ".") for folder in folders)


def test_the_image_gets_all_that_is_shipped() -> None:
    lines = (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8").splitlines()
    linked = {path.resolve().name for name in PACKAGES for path in (ROOT / name).iterdir() if path.is_symlink()}
    assert [name for name in sorted({*PACKAGES, *linked}) if f"COPY {name} {name}" not in lines] == []


def test_the_command_line_loads_nothing_large_before_it_is_needed() -> None:
    """Help is quick then, and `run` comes in time to tell allocators what they read only once, when loaded."""
    code = "import sys, pipelines.cli; print([name for name in ('polars', 'duckdb', 'bytewax') if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said == "[]\n"


def test_every_command_is_documented() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    names = [command.__name__ for command in COMMANDS] + [f"db {command.__name__}" for command in DB_COMMANDS]
    names += ["alerts", *(f"alerts {command.__name__}" for command in ALERT_COMMANDS)]
    names += [f"source {name}" for name in SOURCE_COMMANDS]
    assert [name for name in names if f"oeeflow {name}" not in page] == []


def test_pages_link_to_files_that_are_there() -> None:
    missing = []
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")):
        for part in page.read_text(encoding="utf-8").split("](")[1:]:
            target = part.split(")")[0].split("#")[0]
            if target and "://" not in target and not (page.parent / target).exists():
                missing.append(f"{name_of(page)}: {target}")
    assert missing == []


def test_make_tells_what_there_is_to_make() -> None:
    asked = ["make", "--no-print-directory"]  # which it tells when another make runs this
    told = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = {line.split()[0] for line in told.splitlines()}
    benchmarks = {"bench", "bench-live", "bench-dashboards", "bench-alerts"}
    assert listed == {"help", "setup", "demo", "test", "lint", "type", "docs", "screenshots"} | benchmarks
