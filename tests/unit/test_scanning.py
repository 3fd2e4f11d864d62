"""The process that copies and checks a store."""

import os
from pathlib import Path

from storage.scanning import Scan
from tests.engine import prepared


def _children() -> set[int]:
    return {int(pid) for told in Path("/proc/self/task").glob("*/children") for pid in told.read_text().split()}


def test_a_copy_is_made_by_a_process_that_gives_way(tmp_path: Path) -> None:
    store, before = prepared(tmp_path / "kpi.duckdb"), _children()
    with Scan(tmp_path / "copy.duckdb", copy_of=store) as scan:
        (pid,) = _children() - before
        assert os.getpriority(os.PRIO_PROCESS, pid) > os.getpriority(os.PRIO_PROCESS, 0), "it is as urgent as we are"
        assert os.getsid(pid) == os.getsid(0), "a session of its own gets as much of the processor as ours"
        assert os.getpgid(pid) != os.getpgid(0), "Ctrl-C in a terminal would end it"
        assert scan.wait().events == 0
