"""Sorted runs of keys: what is found in them is what was put in, in memory as in files, merged or not."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from kpis.errors import StorageError
from storage import runs
from storage.runs import FileRun, MemoryRun, merge

MANY = 20_000


@pytest.fixture(params=[False, True], ids=["usual blocks", "tiny blocks"])
def tiny(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks so small that equal heads reach across several, and parts so small that a merge has many."""
    if request.param:
        for name, value in (("_BLOCK", 4), ("_TAILS", 2), ("_PART", 64), ("_GAP", 1), ("_AT_ONCE", 10)):
            monkeypatch.setattr(runs, name, value)


def drawn(seed: int) -> tuple[list[tuple[runs.Keys, runs.Numbers]], runs.Keys]:
    """Keys with their numbers in three parts, and keys to look for: some in one part, in several, in none."""
    rng = np.random.default_rng(seed)

    def some(many: int) -> runs.Keys:
        return rng.integers(0, 2**64, many, dtype=np.uint64, endpoint=False)

    first, second, third = some(MANY), some(MANY // 3), some(50)
    second[:100] = first[:100]
    second[100:130] = first[0]
    second[130:200] = (first[:70] & np.uint64(0xFFFFFFFF << 32)) | np.uint64(7)  # the same upper half
    third[:2] = [0, 2**64 - 1]
    parts = [(part, rng.integers(0, 2**32, len(part), dtype=np.uint32)) for part in (first, second, third)]
    return parts, np.concatenate([first[:300], second[:300], third, some(300)])


def pairs(found: tuple[runs.Places, runs.Numbers]) -> list[tuple[int, int]]:
    return sorted(zip(found[0].tolist(), found[1].tolist(), strict=True))


@pytest.mark.usefixtures("tiny")
def test_everything_is_found_with_its_number(tmp_path: Path) -> None:
    parts, wanted = drawn(1)
    wanted.sort()
    known = defaultdict(list)
    for keys, numbers in parts:
        for key, number in zip(keys.tolist(), numbers.tolist(), strict=True):
            known[key].append(number)
    truth = sorted((place, number) for place, key in enumerate(wanted.tolist()) for number in known[key])
    first, second, third = (MemoryRun.of(*part) for part in parts)
    assert pairs(first.merged(second).merged(third).find(wanted)) == truth
    older = FileRun(tmp_path / "1", merge([first, second], tmp_path / "1"))
    whole = FileRun(tmp_path / "2", merge([older, third], tmp_path / "2"))
    assert whole.length == sum(len(keys) for keys, _ in parts)
    assert pairs(whole.find(wanted)) == truth
    older.close()
    whole.close()


@pytest.mark.parametrize("damage", ["cut", "zeroed"])
def test_a_damaged_file_is_told(damage: str, tmp_path: Path) -> None:
    parts, wanted = drawn(2)
    path = tmp_path / "1"
    length = merge([MemoryRun.of(*parts[0])], path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] if damage == "cut" else bytes(8192) + whole[8192:])
    with pytest.raises(StorageError, match="is damaged"):
        FileRun(path, length).find(np.sort(wanted))
