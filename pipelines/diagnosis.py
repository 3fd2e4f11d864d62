"""Whether what is around a store is in order: the installation, the clock, the brokers, the engine."""

import ctypes
import json
import platform
import re
import sys
import urllib.error
import urllib.request
import zoneinfo
from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from typing import Any, Final
from uuid import uuid4

from paho.mqtt.client import Client, ConnectFlags
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from kpis.errors import OeeflowError
from kpis.plant import load_plant
from kpis.plant_sources import MqttSource
from kpis.wording import counted
from pipelines.sources.mqtt_client import Connection
from storage.health import Finding
from storage.places import Places
from storage.running import Running

ANSWER_WITHIN: Final = 5.0
_TIME_ERROR: Final = 5
_TIMEX_BYTES: Final = 1_024  # struct timex has 208; all zero, it asks and sets nothing
SHOWN: Final = {
    "oeeflow_lag_messages": "messages behind",
    "oeeflow_lag_seconds": "s behind",
    "oeeflow_horizon_age_seconds": "s since the last commit",
    "oeeflow_dataflow_retries_total": "faults of the dataflow",
}
"""What is told of a running engine, of all it measures."""
CHANNEL_METRICS: Final = (
    "outbox_letters",
    "outbox_age_seconds",
    "channel_failures",
    "letters_delivered",
    "letters_dead",
)
_CHANNELS: Final = re.compile(r'^oeeflow_(\w+)\{channel="([^"]*)"\} (\S+)$', re.MULTILINE)
_ADVICE: Final = {
    "journal": "make room on the disk; it goes on by itself",
    "lag": "wait; if it lasts, there is more coming in than this machine can take in",
    "store": "see the log of the engine",
}


def installation() -> Iterator[Finding]:
    """Python, the packages that count, and the time zones."""
    yield Finding("ok", "python", f"{platform.python_version()} on {platform.platform()}")
    packages = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "polars", "bytewax", "apsw", "paho-mqtt"))
    yield Finding("ok", "packages", packages)
    zones = len(zoneinfo.available_timezones())
    if zones:
        yield Finding("ok", "time zones", f"{zones} known")
    else:
        yield Finding("error", "time zones", "no time zone data", "install the Python package tzdata")


def engine(places: Places) -> Iterator[Finding]:
    """How the engine of a store is, as it says itself."""
    running = Running.read(places)
    if running is None or not running.alive:
        yield Finding("ok", "engine", "none is running")
        return
    told = f"process {running.pid}, since {running.started_at}, {running.http}"
    try:
        status, answer = _asked(f"{running.http}/readyz")
        _, metrics = _asked(f"{running.http}/metrics")
    except OSError as error:
        yield Finding("error", "engine", f"{told}: does not answer ({error})", "look at its log; start it again")
        return
    yield Finding("ok", "engine", told)
    values = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if line.split(" ")[0] in SHOWN)
    figures = ", ".join(f"{float(values[name]):,.0f} {text}" for name, text in SHOWN.items() if name in values)
    yield Finding("ok", "engine", figures)
    yield from _channels(metrics)
    if status != 200:
        for subject, problem in json.loads(answer)["problems"].items():
            advice = _ADVICE.get(subject, "see that the broker runs and lets the engine in")
            yield Finding("error", subject, problem, advice)


def _channels(metrics: str) -> Iterator[Finding]:
    """How the channels to people are doing."""
    values = {(name, channel): float(value) for name, channel, value in _CHANNELS.findall(metrics)}
    for channel in sorted({channel for _, channel in values}):
        letters, age, failures, delivered, dead = (values[name, channel] for name in CHANNEL_METRICS)
        gone = f"{counted(round(delivered), 'letter')} delivered"
        told = f"{gone}, {dead:,.0f} given up, {letters:,.0f} wait, {age:,.0f} s the oldest"
        if failures:
            advice = "see `error` in the table alert_deliveries, or the log of the engine"
            yield Finding("error", f"channel {channel}", f"fails; {told}", advice)
        else:
            yield Finding("ok", f"channel {channel}", told)


def brokers(plant_text: str) -> Iterator[Finding]:
    """Whether the broker of each source lets us in. A running engine does not notice."""
    try:
        plant = load_plant(plant_text)
    except OeeflowError as error:
        yield Finding("error", "plant file", str(error), error.hint or "")
        return
    for source in plant.sources:
        if isinstance(source, MqttSource):
            yield _broker(source)


def _broker(source: MqttSource) -> Finding:
    subject, where = f"source {source.name}", f"{source.host}:{source.port}"
    answers: list[str] = []
    try:
        connection = Connection(source, client_id=f"oeeflow-doctor-{uuid4().hex[:8]}", lasting=False)
        connection.on_connect = partial(_note, answers)
        connection.open()
    except OeeflowError as error:
        return Finding("error", subject, str(error), error.hint or "")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return Finding("error", subject, f"nobody answers at {where}: {reason}", "see that the broker runs")
    connection.over.wait(ANSWER_WITHIN)
    connection.close()
    if answers == ["Success"]:
        return Finding("ok", subject, f"the broker at {where} lets us in")
    why = answers[0].lower() if answers else connection.why or "no answer"
    return Finding("error", subject, f"the broker at {where}: {why}", "check the name, the password and the rights")


def _note(
    answers: list[str],
    client: Client,
    data: Any,
    flags: ConnectFlags,
    reason: ReasonCode,
    properties: Properties | None,
) -> None:
    answers.append(str(reason))
    if isinstance(client, Connection):
        client.end()


def clock() -> Finding:
    """Whether the kernel knows the clock of this machine to be set by a time server (adjtimex(2))."""
    if sys.platform != "linux":
        return Finding("ok", "clock", "not looked at on this system")
    state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    if state in (_TIME_ERROR, -1):
        return Finding("warning", "clock", "no time server sets it", "see `timedatectl`: figures go by this clock")
    return Finding("ok", "clock", "a time server sets it")


def _asked(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_WITHIN) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
