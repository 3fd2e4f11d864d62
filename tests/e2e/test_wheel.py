"""The wheel holds all that the command needs: installed in an empty environment, it runs from any folder."""

import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SHOW_ORIGINS = """
import importlib, pkgutil
for name in {packages!r}:
    package = importlib.import_module(name)
    print(package.__file__)
    for module in pkgutil.iter_modules(package.__path__, name + "."):
        if not module.ispkg:
            print(importlib.import_module(module.name).__file__)
"""


def run(*words: str | Path, cwd: Path) -> str:
    """What a command prints; fails with what it says when it fails."""
    done = subprocess.run([str(word) for word in words], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel; what it depends on comes from the environment of the tests."""
    work = tmp_path_factory.mktemp("wheel")
    source = work / "source"
    for name in ("kpis", "storage", "pipelines", "dashboards", "examples"):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    run(*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-w", work, source, cwd=work)
    shutil.rmtree(source)
    environment = work / "environment"
    venv.create(environment, with_pip=False)
    wheel = next(work.glob("oeeflow-*.whl"))
    python = environment / "bin" / "python"
    run(*pip, "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=work)
    (site_packages(environment) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment


def site_packages(environment: Path) -> Path:
    return next((environment / "lib").glob("python3*")) / "site-packages"


def test_every_module_is_the_installed_one(installed: Path, tmp_path: Path) -> None:
    script = SHOW_ORIGINS.format(packages=PROJECT["tool"]["setuptools"]["packages"])
    origins = run(installed / "bin" / "python", "-I", "-c", script, cwd=tmp_path).splitlines()
    assert len(origins) > 30
    assert [origin for origin in origins if not Path(origin).is_relative_to(site_packages(installed))] == []


def test_command_runs_from_another_folder(installed: Path, tmp_path: Path) -> None:
    assert "replay" in run(installed / "bin" / "oeeflow", "--help", cwd=tmp_path)
    run(installed / "bin" / "oeeflow", "init", "plant", cwd=tmp_path)
    run(installed / "bin" / "oeeflow", "validate", "plant/plant.toml", cwd=tmp_path)


def test_examples_are_in_the_wheel(installed: Path) -> None:
    shipped = site_packages(installed) / "pipelines" / "examples"
    for path in ("plant.toml", "nist/plant.toml", "nist/mazak01-2016-11-29.txt.gz"):
        assert (shipped / path).read_bytes() == (ROOT / "examples" / path).read_bytes()
