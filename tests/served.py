"""A store that is written and served, in a process of its own: `python -m tests.served DB COMMITS PAUSE`.

It tells when it serves, commits so many batches of counts with a pause in between, tells when each was committed
(seconds since 1970), and serves until its input ends.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from kpis.accounting import account
from kpis.plant import load_plant
from storage.places import Places
from storage.running import Running
from storage.serve import Serving
from storage.store import Store
from storage.tokens import Tokens
from storage.writer import Position
from tests.engine import batch, prepared
from tests.oracle.shorthand import count, one_unit, state

ROOT = Path(__file__).parents[1]
AT_ONCE = 20
PLANT = one_unit('ideal_cycle = "1s"')


def now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def served(db: Path, seconds: float = 30.0) -> Iterator[tuple[Store, str]]:
    """A store open for writing, and the address that it is served at, told to readers as an engine does."""
    places = Places(db)
    with Store(prepared(db), load_plant(PLANT), plant_path="plant.toml", clock=now) as store:
        serving = Serving(store.connection, places, Tokens(places), seconds=seconds)
        address = serving.start()
        Running(os.getpid(), address, None, "now").write(places)
        try:
            yield store, address
        finally:
            Running.forget(places)
            serving.stop()


def commit(store: Store, number: int) -> None:
    """One batch of single good pieces, and the position that it stands for."""
    events = [count(number + n / 100, 1) for n in range(AT_ONCE)]
    if number == 0:
        events.append(state(0, "producing"))
    taken = replace(batch(events), position=Position("d", "file", (number + 1) * AT_ONCE, False))
    pending = store.take(taken)
    store.commit(pending, account(pending.work, load_plant(PLANT)) if pending.work else None)
    store.settle()


@contextmanager
def serving_process(db: Path, commits: int = 1, pause: float = 0.0) -> Iterator["subprocess.Popen[str]"]:
    """The same in a process of its own, once it serves; what is left of it is killed at the end."""
    command = [sys.executable, "-m", "tests.served", str(db), str(commits), str(pause)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "serving\n"
        yield process
        process.stdin.close()
        process.wait(30)
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def main() -> None:
    db, commits, pause = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    with served(db) as (store, _):
        first = (store.position("d") or Position("d", "", 0, False)).position // AT_ONCE
        commit(store, first)
        print("serving", flush=True)
        ended = []
        for number in range(first + 1, first + commits):
            time.sleep(pause)
            commit(store, number)
            ended.append(time.time())
        print(*ended, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
