"""Stores for pages, each made once for all tests."""

from pathlib import Path

import pytest

from tests.browser import stores


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of each kind."""
    folder = tmp_path_factory.mktemp("stores")
    for make in (stores.bottling, stores.alone, stores.empty, stores.large):
        make(folder / f"{make.__name__}.duckdb")
    return folder
