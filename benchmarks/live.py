"""How soon what is published can be queried, and whether the engine stays small: live, over a real broker.

python -m benchmarks.live            everything, into benchmarks/RESULTS-live.md
python -m benchmarks.live --quick    small sizes, to the screen only
"""

import argparse
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import generate
from benchmarks.live_report import report
from benchmarks.sending import Sender
from pipelines.children import Child, answers, free_port
from storage.places import Places
from storage.reader import Reader
from storage.running import Running
from storage.selection import Selection

PACE = 0.02  # seconds from one portion of messages to the next
POLL = 0.05  # seconds between two questions of the reader
BOARD = 5.0  # seconds between two questions of a dashboard
SETTLED = 10.0  # seconds after which memory is looked at
STATES_EVERY = 25  # one event in so many is a state
MOSQUITTO = "listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 1000\n"
SOURCE = '\n[[sources]]\nname = "line"\nkind = "mqtt"\nbroker = "mqtt://127.0.0.1:{port}"\ntopics = ["acme/#"]\n'
SPAWN = get_context("spawn")


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    machines: int
    rate: int
    seconds: float
    idle: float
    backlog: int
    rounds: int


FULL = Size(machines=1_000, rate=5_000, seconds=60, idle=60, backlog=500_000, rounds=3)
QUICK = Size(machines=100, rate=1_000, seconds=5, idle=4, backlog=20_000, rounds=1)


def message(number: int, paths: list[str]) -> tuple[str, bytes]:
    """The n-th event, happening now: its topic and its payload."""
    path, now = paths[number % len(paths)], time.time_ns() // 1_000
    at = f"{datetime.fromtimestamp(now // 1_000_000, UTC):%Y-%m-%dT%H:%M:%S}.{now % 1_000_000:06}Z"
    if number % STATES_EVERY == 0:
        what = f'"type":"state","state":"{"producing" if number % 3 else "down"}"'
    else:
        what = '"type":"count","good":1'
    return path, f'{{"id":"{number}","ts":"{at}","equipment":"{path}",{what}}}'.encode()


def publish(port: int, machines: int, first: int, number: int, rate: int | None) -> None:
    """Send so many messages at a rate; as fast as the broker takes them without one."""
    paths = generate.machines(machines)
    with Sender(port, f"benchmark-{first}") as sender:
        begun, sent = time.monotonic(), 0
        while sent < number:
            due = number if rate is None else min(number, round((time.monotonic() - begun) * rate))
            sender.publish(message(first + n, paths) for n in range(sent, due))
            sent = due
            time.sleep(PACE)
        sender.flush()


def stream(port: int, machines: int, number: int, rate: int, progress: Any) -> None:
    """Send messages at a rate; tell when it begins and when the broker has them all."""
    progress.put("begun")
    publish(port, machines, 0, number, rate)
    progress.put("done")


def watch(db: Path, stop: Any, results: Any) -> None:
    """Ask for the events of new commits again and again: how old each one is when it is first seen, in seconds.

    Beside it, every few seconds, the question of a dashboard: how long the KPIs of the last hours take.
    """
    ages: list[float] = []
    asked: list[float] = []
    next_board = 0.0
    with Reader(db) as reader:
        seen = int(reader.query("SELECT coalesce(max(flush), 0) AS seen FROM flushes")["seen"].item())
        results.put("watching")
        last = False
        while not last:
            last = stop.is_set()
            rows = reader.query(f"SELECT flush, epoch_us(ts) AS ts FROM events WHERE flush > {seen}")
            ages += (time.time() - rows["ts"].to_numpy() / 1e6).tolist()
            seen = int(np.max(rows["flush"].to_numpy(), initial=seen))
            if time.monotonic() >= next_board:
                begun = time.perf_counter()
                reader.kpi("hour", Selection(level="unit"), "standard")
                asked.append(time.perf_counter() - begun)
                next_board = time.monotonic() + BOARD
            time.sleep(POLL)
    results.put((ages, asked))


@contextmanager
def reader(db: Path) -> Iterator[Callable[[], tuple[list[float], list[float]]]]:
    """A reader in a process of its own, already looking; what is given ends it and returns what it saw."""
    stop, results = SPAWN.Event(), SPAWN.Queue()
    process = SPAWN.Process(target=watch, args=(db, stop, results))
    process.start()
    results.get()

    def ended() -> tuple[list[float], list[float]]:
        stop.set()
        seen: tuple[list[float], list[float]] = results.get()
        return seen

    try:
        yield ended
    finally:
        process.join(5)
        process.terminate()


@contextmanager
def engine(plant: Path, db: Path) -> Iterator[Child]:
    """The engine, ready."""
    command = [sys.executable, "-m", "pipelines.cli", "run", str(plant), "--db", str(db)]
    with Child("engine", command, db.with_suffix(".log")) as child:
        places = Places(db.resolve())
        while (running := Running.read(places)) is None or running.pid != child.pid:
            child.check()
            time.sleep(0.05)
        yield child


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def most_memory_mb(pid: int) -> float:
    """The most resident memory that a process ever had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def cpu_seconds(pid: int) -> float:
    """Time that a process has computed so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stored(db: Path) -> int:
    """Events that a query finds now."""
    with Reader(db) as asking:
        return int(asking.query("SELECT count(*) AS n FROM events")["n"].item())


def until_stored(db: Path, number: int, every: float = 0.1) -> None:
    """Wait until so many events can be queried."""
    with Reader(db) as asking:
        while int(asking.query("SELECT count(*) AS n FROM events")["n"].item()) < number:
            time.sleep(every)


def steady(port: int, plant: Path, db: Path, size: Size) -> dict[str, float]:
    """A stream at a rate, and then nothing: ages of events when first seen, memory, and what doing nothing costs."""
    number = round(size.rate * size.seconds)
    with engine(plant, db) as child, reader(db) as ended:
        progress = SPAWN.Queue()
        publisher = SPAWN.Process(target=stream, args=(port, size.machines, number, size.rate, progress))
        publisher.start()
        progress.get()
        busy, began, samples = cpu_seconds(child.pid), time.monotonic(), []
        while progress.empty():
            samples.append((time.monotonic() - began, memory_mb(child.pid)))
            time.sleep(0.1)
        took = time.monotonic() - began
        until_stored(db, number)
        busy, most = (cpu_seconds(child.pid) - busy) / took, most_memory_mb(child.pid)
        publisher.join()
        ages, asked = ended()
        idle = cpu_seconds(child.pid)
        time.sleep(size.idle)
        idle = (cpu_seconds(child.pid) - idle) / size.idle
    early = [mb for at, mb in samples if at <= min(SETTLED, took / 2)][-1]
    p50, p99 = np.percentile(ages, [50, 99])
    return {
        "published, messages/s": number / took,
        "published → queryable, median s": float(p50),
        "published → queryable, 99 % within s": float(p99),
        "hourly KPIs of all machines meanwhile, median s": statistics.median(asked),
        "engine, cores while messages come": busy,
        "engine, cores without messages": idle,
        "engine, MB early": early,
        "engine, MB at the end": samples[-1][1],
        "engine, MB at most": most,
    }


def drain(port: int, plant: Path, db: Path, size: Size) -> dict[str, float]:
    """The engine is away, and the broker keeps everything for it: how fast it takes it in then, while somebody reads.

    `steady` has made its session with the broker.
    """
    total = round(size.rate * size.seconds) + size.backlog
    publish(port, size.machines, 1_000_000_000, size.backlog, None)
    started = time.monotonic()
    with engine(plant, db) as child, reader(db) as ended:
        began, early = time.monotonic(), stored(db)
        until_stored(db, total)
        done = time.monotonic()
        most = most_memory_mb(child.pid)
        _, asked = ended()
    return {
        "drained while somebody reads, messages/s": (total - early) / (done - began),
        "from the start of the engine to the last event, s": done - started,
        "hourly KPIs meanwhile, median s": statistics.median(asked),
        "engine, MB at most": most,
    }


def one_round(folder: Path, size: Size) -> tuple[dict[str, float], dict[str, float]]:
    """Everything once, from an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    port, config = free_port(), folder / "mosquitto.conf"
    config.write_text(MOSQUITTO.format(port=port))
    plant, db = folder / "plant.toml", folder / "kpi.duckdb"
    plant.write_text(generate.plant(size.machines) + SOURCE.format(port=port))
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "mosquitto"
    with Child("mosquitto", [program, "-c", str(config)], folder / "mosquitto.log") as broker:
        while not answers(port):
            broker.check()
            time.sleep(0.05)
        return steady(port, plant, db, size), drain(port, plant, db, size)


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, results to the screen only")
    size = QUICK if parser.parse_args().quick else FULL
    rounds = [one_round(Path(".bench") / "live", size) for _ in range(size.rounds)]
    live, drained = ([figures[part] for figures in rounds] for part in (0, 1))
    text = report(
        size.rounds,
        (f"{size.rate:,} messages/s of {size.machines:,} machines for {size.seconds:.0f} s", live),
        (f"a backlog of {size.backlog:,} messages", drained),
    )
    print(text)
    if size is FULL:
        (Path(__file__).parent / "RESULTS-live.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
