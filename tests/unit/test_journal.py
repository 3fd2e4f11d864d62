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
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from kpis.errors import StorageError, StoreLockedError
from storage.journal import Entry, Journal, JournalDamaged, JournalFull, reach, suspect
from storage.salvage import mend

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("OEEFLOW_JOURNAL_KILLS", "12"))
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def entry(number: int, size: int = 150) -> Entry:
    """A message that tells its number."""
    return Entry(
        "mqtt", f"acme/ulm/{number % 3}", f"{number:08}".encode().ljust(size, b"."), 1_770_000_000_000_000 + number
    )


def entries(first: int, last: int) -> list[Entry]:
    return [entry(number) for number in range(first, last + 1)]


def numbers(journal: Journal, after: int = 0) -> list[int]:
    """The numbers of all messages, read in parts; each must be what was written."""
    found: list[int] = []
    while (rows := journal.read(after, 700, 10**6)).height:
        for offset, source, topic, payload, received_at in rows.iter_rows():
            number = int(payload[:8])
            assert (source, topic, payload, received_at) == entry(number, len(payload))
            found.append(number)
            after = offset
    return found


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
from tests.unit.test_journal import entries
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
from tests.unit.test_journal import entries
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


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def copied_open(path: Path, to: Path, rows: int = 3_000) -> None:
    """A journal as a killed process leaves it: with its log."""
    with closing(Journal(path)) as journal:
        for first in range(1, rows, 100):
            journal.append(entries(first, first + 99))
        shutil.copyfile(path, to)
        shutil.copyfile(log_of(path), log_of(to))


def test_a_torn_log_leaves_what_comes_before(path: Path, tmp_path: Path) -> None:
    whole, rng = tmp_path / "whole.sqlite", random.Random(3)
    copied_open(path, whole)
    size = log_of(whole).stat().st_size
    for cut in sorted(rng.randrange(size) for _ in range(12)):
        torn = tmp_path / f"{cut}.sqlite"
        shutil.copyfile(whole, torn)
        log_of(torn).write_bytes(log_of(whole).read_bytes()[:cut])
        with closing(Journal(torn)) as journal:
            assert numbers(journal) == list(range(1, journal.last + 1))
            assert journal.last % 100 == 0
            journal.advance(5_000)
            assert journal.append(entries(5_001, 5_001)) == 5_001


def closed_whole(path: Path) -> tuple[bytes, str]:
    """The bytes of a journal with messages 101 to 3000, and its identity."""
    with closing(Journal(path)) as journal:
        for first in range(1, 3_000, 100):
            journal.append(entries(first, first + 99))
        journal.retire(100)
        identity = journal.identity
    return path.read_bytes(), identity


def found_after_mending(path: Path) -> tuple[list[int], set[int]]:
    """What is in a journal, mended if need be, and what it was said to have lost."""
    lost: set[int] = set()
    for _ in range(2):
        try:
            with closing(Journal(path)) as journal:
                return numbers(journal, journal.first - 1), lost
        except JournalDamaged:
            salvaged = mend(path, lambda: NOON)
            assert salvaged is not None
            for first, last in salvaged.lost:
                lost |= set(range(first, 3_001 if last is None else last + 1))
            salvaged.damaged.unlink()
    raise AssertionError


def test_whatever_bit_flips_what_is_lost_is_told(path: Path, tmp_path: Path) -> None:
    whole, _ = closed_whole(path)
    rng, expected, damaged = random.Random(4), set(range(101, 3_001)), 0
    for number in range(60):
        flipped = tmp_path / f"{number}.sqlite"
        content = bytearray(whole)
        at = (
            rng.randrange(4096, len(content))
            if number % 4
            else rng.randrange(len(content)) // 4096 * 4096 + number % 16
        )
        content[at] ^= 1 << rng.randrange(8)
        flipped.write_bytes(content)
        found, lost = found_after_mending(flipped)
        assert set(found) == expected - lost, at
        assert len(lost) < 2_900 or at < 4096 * 4, at
        damaged += bool(lost)
    assert damaged > 30


def test_a_damaged_message_is_named_and_the_rest_is_kept(path: Path) -> None:
    whole, identity = closed_whole(path)
    at = whole.index(b"00001234")
    path.write_bytes(whole[:at] + b"9" + whole[at + 1 :])
    with closing(Journal(path)) as journal:
        assert numbers(journal, 1_234) == list(range(1_235, 3_001))
        with pytest.raises(JournalDamaged, match=r"message 1234 of the journal .* is damaged") as damaged:
            numbers(journal)
        assert "start again" in (damaged.value.hint or "")
    assert suspect(path).exists()
    salvaged = mend(path, lambda: NOON)
    assert salvaged is not None
    assert salvaged.lost == ((1_234, 1_234),)
    assert "lost are its messages 1234" in str(salvaged)
    assert salvaged.damaged.read_bytes()[at : at + 8] == b"90001234"
    assert mend(path, lambda: NOON) is None
    with closing(Journal(path)) as journal:
        assert (journal.identity, journal.first, journal.last) == (identity, 101, 3_000)
        assert numbers(journal) == [number for number in range(101, 3_001) if number != 1_234]


def test_no_journal_at_all(path: Path) -> None:
    path.write_text("Dear Sir or Madam, " * 1000)
    with pytest.raises(JournalDamaged, match="is damaged"):
        Journal(path)
    salvaged = mend(path, lambda: NOON)
    assert salvaged is not None
    assert salvaged.anew
    assert salvaged.damaged.read_text().startswith("Dear Sir")
    with closing(Journal(path)) as journal:
        assert journal.append(entries(1, 1)) == 1


def test_mending_that_was_ended_is_finished(path: Path) -> None:
    _, identity = closed_whole(path)
    path.rename(path.with_name("journal.sqlite.mended"))
    assert mend(path, lambda: NOON) is not None
    with closing(Journal(path)) as journal:
        assert (journal.identity, journal.last) == (identity, 3_000)


def test_of_a_newer_version(path: Path) -> None:
    with closing(Journal(path)):
        pass
    with closing(apsw.Connection(str(path))) as con:
        con.pragma("user_version", 9)
    with pytest.raises(StorageError, match="version 9"):
        Journal(path)
