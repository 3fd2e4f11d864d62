"""The journal: nothing that it said was stored is lost, whatever happens to the process, the disk or the file."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from kpis.errors import StorageError, StoreLockedError
from storage.journal import Entry, Journal, JournalFull, reach
from tests.messages import entries, entry, numbers

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("OEEFLOW_JOURNAL_KILLS", "12"))


def filled(journal: Journal) -> None:
    """Append until an error ends it."""
    while True:
        journal.append(entries(journal.last + 1, journal.last + 100))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with closing(Journal(path)) as journal:
        yield journal


def test_what_goes_in_comes_out(journal: Journal) -> None:
    assert (journal.first, journal.last) == (1, 0)
    assert journal.append([]) == 0
    assert journal.append(entries(1, 3)) == 3
    odd = [Entry("http", "", b"", 0), Entry("\u00fc", "a/\U0001f600", bytes(range(256)), 2**62)]
    assert journal.append(odd) == 5
    rows = journal.read(3, 10, 10**6)
    assert rows.columns == ["offset", "source", "topic", "payload", "received_at"]
    assert [Entry(*row[1:]) for row in rows.iter_rows()] == odd
    assert rows["offset"].to_list() == [4, 5]
    assert journal.read(5, 10, 10**6).is_empty()
    assert journal.bytes_on_disk() > 0


def test_a_part_has_at_most_so_many_rows_and_about_so_many_bytes(journal: Journal) -> None:
    journal.append(entries(1, 20))
    assert journal.read(0, 7, 10**6)["offset"].to_list() == [1, 2, 3, 4, 5, 6, 7]
    assert journal.read(7, 100, 300)["offset"].to_list() == [8, 9]
    assert journal.read(7, 100, 1)["offset"].to_list() == [8]


def test_offsets_are_never_given_twice(path: Path) -> None:
    with closing(Journal(path)) as journal:
        identity = journal.identity
        journal.append(entries(1, 10))
        journal.retire(4)
        assert (journal.first, journal.last) == (5, 10)
        assert numbers(journal) == [5, 6, 7, 8, 9, 10]
        journal.retire(99)
        assert (journal.first, journal.last) == (11, 10)
    with closing(Journal(path)) as journal:
        assert (journal.identity, journal.first, journal.last) == (identity, 11, 10)
        assert journal.append(entries(11, 12)) == 12
        journal.advance(20)
        journal.advance(15)
    with closing(Journal(path)) as journal:
        assert journal.append(entries(21, 21)) == 21
        assert numbers(journal, 10) == [11, 12, 21]
    assert reach(path) == (identity, 11, 21)


def test_many_are_retired(journal: Journal) -> None:
    journal.append(entries(1, 50_000))
    journal.retire(45_000)
    assert (journal.first, numbers(journal)) == (45_001, list(range(45_001, 50_001)))


def test_only_one_process_writes(journal: Journal, path: Path) -> None:
    with pytest.raises(StoreLockedError, match="open in another process"):
        Journal(path)
    journal.append(entries(1, 1))


def test_a_folder_that_is_not_there_or_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file"):
        Journal(tmp_path / "nowhere" / "journal.sqlite")
    (tmp_path / "journal.sqlite").mkdir()
    with pytest.raises(StorageError, match="cannot open the journal"):
        Journal(tmp_path / "journal.sqlite")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_only_be_read(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="permission denied"):
        Journal(tmp_path / "journal.sqlite")


WRITER = """
import sys
from pathlib import Path
from storage.journal import Journal
from tests.messages import entries
journal = Journal(Path(sys.argv[1]))
while True:
    last = journal.append(entries(journal.last + 1, journal.last + 40))
    print(last, flush=True)
    if last % 2_000 == 0:
        journal.retire(last - 4_000)
"""


def test_killed_while_it_writes(path: Path) -> None:
    rng, acknowledged = random.Random(1), 0
    for _ in range(KILLS):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(rng.uniform(0, 0.15))
        writer.send_signal(signal.SIGKILL)
        told = writer.communicate()[0].split()
        with closing(Journal(path)) as journal:
            acknowledged = int(told[-1]) if told else acknowledged
            assert journal.last >= acknowledged
            assert numbers(journal, journal.first - 1) == list(range(journal.first, journal.last + 1))
    assert acknowledged > 100 * KILLS


def test_little_room_on_the_disk(path: Path) -> None:
    free = shutil.disk_usage(path.parent).free
    with closing(Journal(path, floor=2 * free)) as journal:
        with pytest.raises(JournalFull, match="are needed") as full:
            journal.append(entries(1, 1))
        assert "make room" in (full.value.hint or "")
        assert journal.last == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_loses_nothing_and_is_forgiven(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(2**20))
    with closing(Journal(small_disk / "journal.sqlite", floor=0)) as journal:
        with pytest.raises(JournalFull, match="full"):
            filled(journal)
        last = journal.last
        assert last > 1_000
        assert numbers(journal) == list(range(1, last + 1))
        with pytest.raises(JournalFull):
            journal.append(entries(last + 1, last + 100))
        ballast.unlink()
        assert journal.append(entries(last + 1, last + 100)) == last + 100
    with closing(Journal(small_disk / "journal.sqlite", floor=0)) as journal:
        assert numbers(journal) == list(range(1, last + 101))


LIMITED = """
import resource, signal, sys
from pathlib import Path
from kpis.errors import StorageError
from storage.journal import Journal, JournalFull
from tests.messages import entries
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
journal = Journal(Path(sys.argv[1]))
try:
    while True:
        journal.append(entries(journal.last + 1, journal.last + 100))
except StorageError as error:
    assert not isinstance(error, JournalFull)
    try:
        journal.append(entries(journal.last + 1, journal.last + 1))
    except StorageError as again:
        assert "has failed" in str(again)
        print(journal.last)
"""


def test_after_a_failed_write_it_takes_nothing_more(path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    last = int(told.stdout)
    assert last > 1_000
    with closing(Journal(path)) as journal:
        assert numbers(journal) == list(range(1, last + 1))


class FailingDisk(apsw.VFS):
    """The disk, but for one write or sync, and all after it."""

    def __init__(self, calls: int) -> None:
        self.calls = calls
        super().__init__("failing", "unix", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "FailingFile":  # noqa: N802
        return FailingFile(self, name, flags)

    def called(self) -> None:
        self.calls -= 1
        if self.calls < 0:
            raise apsw.IOError


class FailingFile(apsw.VFSFile):
    def __init__(self, disk: FailingDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self.disk = disk
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self.disk.called()
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self.disk.called()
        super().xSync(flags)


def test_whichever_write_or_sync_fails_nothing_acknowledged_is_lost(path: Path) -> None:
    fails, failed = 0, True
    while failed:
        tried, failed, acknowledged = path.with_name(f"{fails}.sqlite"), False, 0
        disk = FailingDisk(fails)
        try:
            with closing(Journal(tried)) as journal:
                for first in (1, 41, 81):
                    acknowledged = journal.append([entry(number, 60_000) for number in range(first, first + 40)])
                journal.retire(10)
        except (StorageError, apsw.Error):
            failed = True
        finally:
            disk.unregister()
        with closing(Journal(tried)) as journal:
            assert journal.last >= acknowledged
            assert numbers(journal, journal.first - 1) == list(range(journal.first, journal.last + 1))
        fails += 1 if fails < 30 else 97
    assert fails > 300


def test_of_a_newer_version(path: Path) -> None:
    with closing(Journal(path)):
        pass
    with closing(apsw.Connection(str(path))) as con:
        con.pragma("user_version", 9)
    with pytest.raises(StorageError, match="version 9"):
        Journal(path)
