"""The engine's side of MQTT killed again and again, without a warning, while messages come in: nothing is lost."""

import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread

import polars as pl

from pipelines.reception import Reception
from storage.journal import Journal
from tests.broker import Broker
from tests.mqtt_messages import ingest, publisher, source, state
from tests.running import ROOT, until

A_SECOND, KILLS = 600, 6


def test_nothing_is_lost(tmp_path: Path) -> None:
    path, seed = tmp_path / "journal.sqlite", random.Random(11)
    with Broker(tmp_path / "broker", lasting=False) as broker:
        one = source(broker.port)
        with closing(Journal(path)) as journal, Reception(journal) as reception, ingest(one, reception) as first:
            until(lambda: first.status().connected)  # from now on the broker keeps messages
        with sending(broker.port) as sent:
            for _ in range(KILLS):
                kill_while_taking_in(broker.port, path, seed.uniform(0, 0.5))
        with closing(Journal(path)) as journal, Reception(journal) as reception:
            with ingest(one, reception):
                until(lambda: len(ids(journal)) == len(sent))
            assert ids(journal) == {str(number) for number in sent}
            assert len(sent) > 100 * KILLS


def kill_while_taking_in(port: int, path: Path, seconds: float) -> None:
    """Start a consumer, and kill it some time after it took in something."""
    before = taken_in(path)
    with subprocess.Popen([sys.executable, "-m", "tests.consumer", str(port), str(path)], cwd=ROOT) as consumer:
        try:
            until(lambda: taken_in(path) > before)
            time.sleep(seconds)
        finally:
            consumer.kill()


@contextmanager
def sending(port: int) -> Iterator[list[int]]:
    """Publish at an even pace, for the time of the block; what was published."""
    sent: list[int] = []
    over = Event()

    def send() -> None:
        begun = time.monotonic()
        while not over.wait(max(0.0, begun + len(sent) / A_SECOND - time.monotonic())):
            message = client.publish("a/x", state(len(sent)), qos=1)
            sent.append(len(sent))
        message.wait_for_publish(30)

    with publisher(port) as client:
        thread = Thread(target=send)
        thread.start()
        try:
            yield sent
        finally:
            over.set()
            thread.join()


def taken_in(path: Path) -> int:
    """The last offset, as anybody sees it who reads the file."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
        return int(file.execute('SELECT coalesce(max("offset"), 0) FROM journal').fetchone()[0])


def ids(journal: Journal) -> set[str]:
    """The ids of the messages in a journal."""
    payloads = journal.read(0, 1_000_000, 1 << 30)["payload"]
    return set(payloads.cast(pl.String).str.json_path_match("$.id"))
