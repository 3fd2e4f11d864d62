"""Stores for pages, each made once for all tests; and one that an engine is running on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit import config

from tests.browser import stores
from tests.running import Engine, running


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of each kind."""
    folder = tmp_path_factory.mktemp("stores")
    for make in (stores.bottling, stores.alone, stores.empty, stores.large):
        make(folder / f"{make.__name__}.duckdb")
    return folder


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine that was told the story of the small plant, and that nothing is heard of it since."""
    folder = tmp_path_factory.mktemp("living")
    (folder / "plant.toml").write_text(stores.PLANT)
    with running(folder / "plant.toml", folder / "kpi.duckdb") as engine:
        status, answer = engine.posted(*stores.story(), *stores.offline())
        assert (status, answer["rejected"]) == (200, 0), answer
        yield engine


@pytest.fixture
def served_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Pages that only this machine reaches, without answers of another test's store."""
    config.get_config_options()
    before = st.get_option("server.address")
    config.set_option("server.address", "127.0.0.1")
    st.cache_resource.clear()
    yield monkeypatch
    st.cache_resource.clear()
    config.set_option("server.address", before)
