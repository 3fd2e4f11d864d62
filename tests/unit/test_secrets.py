"""Secrets come from the environment or from private files, and are not shown."""

from pathlib import Path

import pytest

from kpis.errors import ConfigError
from kpis.plant_sources import SecretReference
from pipelines.secrets import check_private, read_secret

CANARY = "canary-c0ffee-4711"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(f"{CANARY}\n")
    path.chmod(0o640)
    return path


def test_from_a_file(file: Path) -> None:
    secret = read_secret(SecretReference(file=str(file)))
    assert secret.get_secret_value() == CANARY
    assert CANARY not in f"{secret} {secret!r}"


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESS_PASSWORD", f" {CANARY}")
    assert read_secret(SecretReference(env="PRESS_PASSWORD")).get_secret_value() == f" {CANARY}"


def test_what_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PRESS_PASSWORD", "")
    with pytest.raises(ConfigError, match="the environment variable PRESS_PASSWORD is empty"):
        read_secret(SecretReference(env="PRESS_PASSWORD"))
    monkeypatch.delenv("PRESS_PASSWORD")
    with pytest.raises(ConfigError, match="the environment variable PRESS_PASSWORD is not set"):
        read_secret(SecretReference(env="PRESS_PASSWORD"))
    with pytest.raises(ConfigError, match=r"cannot read .*: no such file"):
        read_secret(SecretReference(file=str(tmp_path / "none")))


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644])
def test_a_file_for_everybody_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(ConfigError, match="everybody on this machine may read"):
        check_private(file)


def test_bytes_are_no_secret(file: Path) -> None:
    file.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not text in UTF-8"):
        read_secret(SecretReference(file=str(file)))
