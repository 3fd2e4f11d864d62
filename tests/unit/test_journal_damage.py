"""A damaged journal: what is readable stays, the rest is named, and offsets are never given twice."""

import random
import shutil
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage.journal import Journal, JournalDamaged, suspect
from storage.salvage import mend
from tests.messages import entries, numbers

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


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
