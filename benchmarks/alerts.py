"""What alerts cost, how soon they are told, and how many messages a storm is.

python -m benchmarks.alerts          everything, into benchmarks/RESULTS-alerts.md
python -m benchmarks.alerts --quick  small sizes, to the screen only
"""

import argparse
import os
import platform
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from benchmarks import generate, live
from benchmarks.sending import Sender
from kpis.accounting import account
from kpis.events import EVENTS, REJECTED
from kpis.plant import Plant, load_plant
from pipelines.children import Child, answers, free_port
from pipelines.flow import dataflow
from pipelines.operators import Halt, run
from pipelines.shards import Accountants
from storage.batches import Batch
from storage.reader import Reader
from storage.store import Store

BEGIN: Final = datetime(2026, 3, 2, 6, tzinfo=UTC)
START: Final = int(BEGIN.timestamp() * 1e6)
CYCLE_S: Final = 12
"""seconds in which one machine in ten stops for two seconds"""
CYCLES: Final = 4
"""of them in a batch, which has nearly as many events then as one of a replay"""
BATCH_S: Final = CYCLES * CYCLE_S
TURN: Final = 6
"""batches in a turn"""
PER_SECOND: Final = 5
"""events of a machine"""
HELD_S: Final = 5
"""seconds for which a condition must hold in the live part"""
FOLDER: Final = Path(".bench") / "alerts"
CONDITIONS: Final = (
    'state = "down"',
    'state = "idle"',
    'state = ["down", "idle"]',
    'reason = "jam"',
    'state = "setup"',
    'silence = "10m"',
    'kpi = "availability", window = "60m", below = 0.2',
    'kpi = "oee", window = "30m", below = 0.1',
    'scrap = 500, window = "30m"',
    'silence = "30m"',
)
PEOPLE: Final = """
[[channels]]
name = "mail"
kind = "mailbox"
folder = "{folder}"
[[people]]
name = "Anna"
channels = {{ mail = "anna" }}
[[routes]]
escalation = [{{ after = "0s", to = "Anna" }}]
"""


@dataclass(frozen=True)
class Size:
    """How much of everything. `batches` of 48 seconds; `times` a machine goes down in the live part."""

    machines: int
    rules: int
    batches: int
    rate: int
    times: int


FULL = Size(machines=1_000, rules=1_000, batches=24, rate=5_000, times=6)
QUICK = Size(machines=50, rules=50, batches=6, rate=500, times=2)


def machine(number: pl.Expr) -> pl.Expr:
    """Paths of machines, ten to a line."""
    return pl.format("acme/line-{}/m-{}", number // 10, number)


def plant(size: Size, rules: str) -> Plant:
    """Lines of ten machines with alert rules, and one person to tell."""
    paths = pl.select(machine(pl.int_range(size.machines))).to_series()
    units = [f'[equipment."{path}"]\nlevel = "unit"\nideal_cycle = "5s"' for path in paths]
    return load_plant("\n".join(['[plant]\nname = "alerts"', *units, rules, PEOPLE.format(folder=FOLDER / "mail")]))


def many_rules(size: Size) -> str:
    """Rules on every machine: ten conditions, each with many different times."""
    return "\n".join(
        f'[[alerts]]\nname = "r{n}"\nwhen = {{ {CONDITIONS[n % 10]} }}\nlevel = "unit"\nfor = "{5 + n // 10}m"'
        for n in range(size.rules)
    )


def cycle(size: Size, number: int) -> pl.DataFrame:
    """What all machines say in twelve seconds: counts, and of one in ten a stop of two seconds."""
    each = CYCLE_S * PER_SECOND
    machines = pl.DataFrame({"m": pl.int_range(size.machines, eager=True)})
    rows = machines.join(pl.DataFrame({"k": pl.int_range(each, eager=True)}), how="cross")
    stops = (pl.col("m") + number) % 10 == 0
    down, back = stops & (pl.col("k") == 10), stops & (pl.col("k") == 20)
    first = (pl.col("k") == 0) & pl.lit(number == 0)
    said = down | back | first
    at = START + (number * each + pl.col("k")) * (1_000_000 // PER_SECOND) + pl.col("m")
    return rows.select(
        equipment=machine(pl.col("m")),
        id=pl.format("{}-{}-{}", "m", pl.lit(number), "k"),
        ts=at.cast(pl.Int64),
        type=pl.when(said).then(pl.lit("state")).otherwise(pl.lit("count")),
        state=pl.when(down).then(pl.lit("down")).when(back | first).then(pl.lit("producing")),
        reason=pl.when(down).then(pl.lit("jam")),
        good=pl.when(~said).then(1),
    ).sort("ts")


def whole(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with all columns of events, as a decoder gives them."""
    rows = rows.with_columns(pl.lit(None).alias(name) for name in EVENTS.names() if name not in rows.columns)
    counting = pl.col("type") == "count"
    pieces = [pl.when(counting).then(pl.col(name).fill_null(0)) for name in ("good", "scrap", "rework")]
    rows = rows.with_columns(*pieces, line=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))
    return rows.select(pl.col(name).cast(kind) for name, kind in EVENTS.items())


class Run:
    """A store with its plant, and how long its batches took."""

    def __init__(self, path: Path, plant: Plant, clock: Callable[[], datetime]) -> None:
        self.plant, self.seconds, self.path = plant, 0.0, path
        self.store = Store(path, plant, plant_path="plant.toml", clock=clock)

    def take(self, events: pl.DataFrame, horizon: int, *, tell: bool = False) -> None:
        """One batch: taken, accounted, durable."""
        pending = self.store.take(Batch(events, pl.DataFrame(schema=REJECTED), horizon=horizon, tell=tell))
        self.store.commit(pending, account(pending.work, self.plant) if pending.work else None)
        self.store.settle()

    def flow(self, batches: Sequence[Batch]) -> None:
        """Some batches through the dataflow, as a replay does it, until they are durable."""
        halt = Halt()
        began = time.perf_counter()
        with Accountants(self.plant, 1) as accountants:
            run(dataflow(iter(batches), self.store, self.plant, accountants, 1, lambda *_: None, halt), halt)
        self.store.settle()
        self.seconds += time.perf_counter() - began


def throughput(size: Size) -> Iterator[str]:
    """Both in turns, some batches each time, so that what else the machine does meets both; the first ones warm up."""
    runs = {
        "without rules": Run(FOLDER / "without.duckdb", plant(size, ""), lambda: BEGIN),
        f"{size.rules:,} rules, each on {size.machines:,} machines": Run(
            FOLDER / "with.duckdb", plant(size, many_rules(size)), lambda: BEGIN
        ),
    }
    turns = size.batches // TURN
    for turn in range(turns + 1):
        told = [batch(size, number) for number in range(turn * TURN, (turn + 1) * TURN)]
        for one in runs.values():
            if turn == 1:
                one.seconds = 0.0
            one.flow(told)
    rates = [turns * TURN * size.machines * PER_SECOND * BATCH_S / one.seconds for one in runs.values()]
    for name, rate in zip(runs, rates, strict=True):
        yield f"| {name}, events/s | {rate:,.0f} | |"
    yield f"| slower by | {1 - rates[1] / rates[0]:.1%} | at most 10 % |"
    for one in runs.values():
        one.store.close()


def batch(size: Size, number: int) -> Batch:
    """The events of a batch, with the instant up to which time is accounted then."""
    horizon = START + (number + 1) * BATCH_S * 1_000_000
    cycles = [cycle(size, number * CYCLES + n) for n in range(CYCLES)]
    return Batch(whole(pl.concat(cycles)), pl.DataFrame(schema=REJECTED), horizon=horizon)


def storm(size: Size) -> Iterator[str]:
    """Every machine goes down and comes back five times within a minute: 10,000 changes of a condition."""
    now = [BEGIN]
    rules = '[[alerts]]\nname = "down"\nwhen = { state = "down" }\nlevel = "unit"'
    stormy = Run(FOLDER / "storm.duckdb", plant(size, rules), lambda: now[0])
    changes = 0
    for second in range(60):
        rows = pl.DataFrame({"m": pl.int_range(size.machines, eager=True)}).filter(pl.col("m") % 6 == second % 6)
        rows = rows.select(
            equipment=machine(pl.col("m")),
            id=pl.format("{}-{}", "m", pl.lit(second)),
            ts=pl.lit(START + second * 1_000_000) + pl.col("m"),
            type=pl.lit("state"),
            state=pl.lit("producing" if second // 6 % 2 else "down"),
        )
        changes += rows.height
        now[0] = BEGIN + timedelta(seconds=second + 1)
        stormy.take(whole(rows), START + (second + 1) * 1_000_000, tell=True)
    stormy.store.close()
    with Reader(stormy.path) as reader:
        alerts = reader.query("SELECT count(*) AS n FROM alerts")["n"].item()
        messages = reader.query("SELECT count(DISTINCT message) AS n FROM alert_deliveries")["n"].item()
    yield f"| {changes:,} changes of a condition in a minute: alerts | {alerts:,} | |"
    yield f"| messages to one person about them | {messages:,} | bounded |"


def told(size: Size) -> Iterator[str]:
    """A machine goes down again and again in a stream of events: how long after `for` its letter is in the mailbox."""
    port, mail = free_port(), (FOLDER / "told").resolve()
    config, file, db = FOLDER / "mosquitto.conf", FOLDER / "plant.toml", FOLDER / "live.duckdb"
    config.write_text(live.MOSQUITTO.format(port=port))
    rule = f'[[alerts]]\nname = "down"\nwhen = {{ state = "down" }}\nlevel = "unit"\nfor = "{HELD_S}s"\n'
    watched = f'equipment = ["{WATCHED}"]\n'
    file.write_text(
        generate.plant(size.machines)
        + f'[equipment."{WATCHED}"]\nlevel = "unit"\n{rule}{watched}'
        + PEOPLE.format(folder=mail)
        + live.SOURCE.format(port=port)
    )
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "mosquitto"
    late: list[float] = []
    with Child("mosquitto", [program, "-c", str(config)], FOLDER / "mosquitto.log") as broker:
        while not answers(port):
            broker.check()
            time.sleep(0.05)
        with live.engine(file, db), Sender(port, "watched") as sender:
            seconds = 10 + size.times * (HELD_S + 6)
            stream = (port, size.machines, 0, size.rate * seconds, size.rate)
            publisher = live.SPAWN.Process(target=live.publish, args=stream)
            publisher.start()
            time.sleep(5)
            for number in range(size.times):
                late.append(_once(sender, number, mail) - HELD_S)
            publisher.terminate()
            publisher.join()
    yield f"| letter after the condition held for {HELD_S} s, median s | {statistics.median(late):.2f} | at most 2 |"
    yield f"| the latest of {len(late)}, s | {max(late):.2f} | at most 2 |"


WATCHED: Final = "acme/ulm/watched"


def _once(sender: Sender, number: int, mail: Path) -> float:
    """Seconds from going down to the letter."""
    letters = len(list(mail.glob("*.eml")))
    went = time.time()
    sender.publish([_state(number, went, "down")])
    while len(files := sorted(mail.glob("*.eml"), key=lambda path: path.stat().st_mtime)) == letters:
        time.sleep(0.02)
    arrived = files[-1].stat().st_mtime
    sender.publish([_state(number, time.time(), "producing")])
    while len(list(mail.glob("*.eml"))) == letters + 1:
        time.sleep(0.02)
    return arrived - went


def _state(number: int, at: float, state: str) -> tuple[str, bytes]:
    ts = datetime.fromtimestamp(at, UTC).isoformat()
    return (
        WATCHED,
        f'{{"id":"{state}{number}","ts":"{ts}","equipment":"{WATCHED}","type":"state","state":"{state}"}}'.encode(),
    )


def main() -> None:
    """Measure, print and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, results to the screen only")
    size = QUICK if parser.parse_args().quick else FULL
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / "told").mkdir(parents=True)
    rows = [*throughput(size), *storm(size), *told(size)]
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    head = [
        "# Results, alerts",
        "",
        f"Written by `make bench-alerts` on {today}: {os.cpu_count()} cores, {platform.machine()}, "
        f"Python {platform.python_version()}. {size.machines:,} machines with {PER_SECOND} events a second each, in "
        f"batches of {BATCH_S} s, with and without rules in turns; then live with {size.rate:,} messages/s.",
        "",
        "| what | | to reach |",
        "|---|--:|---|",
    ]
    text = "\n".join([*head, *rows]) + "\n"
    print(text)
    if size is FULL:
        Path(__file__).with_name("RESULTS-alerts.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
