"""Messages are told to be safe when they are on disk, and not before; who offers too much waits."""

import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from kpis.errors import StorageError
from pipelines.reception import Reception
from storage.journal import Entry, Journal
from tests.running import until

GIGABYTE = 1 << 30


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "journal.sqlite")) as journal:
        yield journal


class Counting(Journal):
    """A journal that counts its commits."""

    commits = 0

    def append(self, entries: Sequence[Entry]) -> int:
        self.commits += 1
        return super().append(entries)


def entry(number: int, size: int = 10) -> Entry:
    return Entry("test", f"topic/{number}", b"x" * size, number)


def test_many_senders_share_commits_and_each_hears_its_own_offset(tmp_path: Path) -> None:
    told: dict[int, int | None] = {}

    def send(reception: Reception, sender: int) -> None:
        for number in range(sender * 1000, sender * 1000 + 500):
            reception.offer(entry(number), partial(told.__setitem__, number))

    with closing(Counting(tmp_path / "journal.sqlite")) as journal, Reception(journal) as reception:
        threads = [threading.Thread(target=send, args=[reception, sender]) for sender in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: reception.last == 4000)
        assert reception.wait(3999, 1)
        assert not reception.wait(4000, 0.01)
        rows = journal.read(0, 5000, GIGABYTE)
    assert len(told) == 4000
    assert journal.commits < 400
    assert {int(topic.split("/")[1]): offset for offset, topic in rows.select("offset", "topic").iter_rows()} == told


@pytest.mark.parametrize("remembered", [10_000, 150, 1])
def test_what_came_in_lately_is_read_as_from_the_journal(journal: Journal, remembered: int) -> None:
    with Reception(journal, entries=remembered) as reception:
        for number in range(500):
            reception.offer(entry(number), lambda offset: None)
        until(lambda: reception.last == 500)
        for asked in ((0, 500, GIGABYTE), (0, 70, GIGABYTE), (430, 500, GIGABYTE), (499, 9, 1), (500, 9, 1)):
            assert reception.read(*asked).equals(journal.read(*asked)), asked
        assert reception.read(0, 500, GIGABYTE).height == 500  # from the journal: a reader that begins anew
        assert 1 <= reception.read(490, 500, 25).height <= 10


def test_what_waits_at_the_end_is_written(journal: Journal) -> None:
    told: list[int | None] = []
    with Reception(journal) as reception:
        for number in range(100):
            reception.offer(entry(number), told.append)
    assert told == list(range(1, 101))
    reception.offer(entry(100), told.append)
    assert told[-1] is None


def test_a_full_queue_holds_senders_up_and_then_refuses(journal: Journal) -> None:
    held = threading.Event()
    told: list[int | None] = []

    def hold(offset: int | None) -> None:
        held.wait()
        told.append(offset)

    with Reception(journal, entries=10, size=1000) as reception:
        reception.offer(entry(0), hold)
        until(lambda: reception.fill == 0)
        for number in range(1, 11):
            reception.offer(entry(number), told.append)
        assert reception.fill == 1
        reception.offer(entry(11), told.append, patience=0.05)
        assert told == [None]
        waiting = threading.Thread(target=reception.offer, args=[entry(12), told.append])
        waiting.start()
        held.set()
        waiting.join()
    assert told == [None, *range(1, 13)]
    assert journal.last == 12


def test_the_queue_is_bounded_in_bytes(journal: Journal) -> None:
    held = threading.Event()
    told: list[int | None] = []

    def hold(offset: int | None) -> None:
        held.wait()

    with Reception(journal, entries=1000, size=1000) as reception:
        reception.offer(entry(0), hold)
        until(lambda: reception.fill == 0)
        reception.offer(entry(1, size=2000), told.append)
        reception.offer(entry(2), told.append, patience=0.01)
        assert told == [None]
        held.set()


def test_a_sender_that_fails_harms_nobody(journal: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    told: list[int | None] = []

    def fail(offset: int | None) -> None:
        raise RuntimeError

    with Reception(journal) as reception:
        reception.offer(entry(0), fail)
        reception.offer(entry(1), told.append)
    assert told == [2]


def test_a_full_disk_is_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    floor = shutil.disk_usage(tmp_path).free - GIGABYTE
    big = tmp_path / "big"
    told: list[int | None] = []
    with closing(Journal(tmp_path / "journal.sqlite", floor=floor)) as journal, Reception(journal) as reception:
        with big.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, 2 * GIGABYTE)
        reception.offer(entry(1), told.append)
        until(lambda: reception.full)
        assert told == []
        big.unlink()
        until(lambda: told == [1])
        assert not reception.full


def test_a_failed_journal_is_told_to_everybody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told: list[int | None] = []
    journal = Journal(tmp_path / "journal.sqlite")
    with Reception(journal) as reception:
        journal.close()
        reception.offer(entry(1), told.append)
        until(lambda: told == [None])
        with pytest.raises(StorageError):
            reception.wait(0, 1)
