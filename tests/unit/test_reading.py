"""Questions asked ahead of time: who reads gets the same answer, and is told what went wrong."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from dashboards.reading import Store
from kpis.errors import StorageError
from storage.reader import Reader
from tests.browser import stores

_PATIENCE_S = 20


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """The small plant, as pages read it."""
    db = tmp_path / "kpi.duckdb"
    stores.bottling(db)
    known = Store(db)
    yield known
    known.close()


def test_what_was_asked_ahead_is_asked_once(store: Store) -> None:
    asked: list[str] = []
    begun, may_end = Event(), Event()

    def plant_text(reader: Reader) -> str:
        begun.set()
        assert may_end.wait(_PATIENCE_S)
        asked.append("once")
        return reader.plant_text()

    store.ahead("plant", plant_text)
    assert begun.wait(_PATIENCE_S)
    may_end.set()
    assert store.read("plant", plant_text) == store.ask(Reader.plant_text)
    assert asked == ["once"]


def test_questions_asked_ahead_do_not_wait_for_each_other(store: Store) -> None:
    first, second = Event(), Event()

    def meets(own: Event, other: Event) -> bool:
        own.set()
        return other.wait(_PATIENCE_S)

    store.ahead("first", lambda _: meets(first, second))
    store.ahead("second", lambda _: meets(second, first))
    assert first.wait(_PATIENCE_S)
    assert second.wait(_PATIENCE_S)
    assert store.read("first", lambda _: False) is True, "each waits until the other is asked"
    assert store.read("second", lambda _: False) is True


def test_who_reads_is_told_what_went_wrong_ahead(store: Store) -> None:
    begun = Event()

    def wrong(reader: Reader) -> str:
        begun.set()
        return str(reader.query("SELECT nothing FROM nowhere"))

    store.ahead("wrong", wrong)
    assert begun.wait(_PATIENCE_S)
    with pytest.raises(StorageError, match="nowhere"):
        store.read("wrong", wrong)
