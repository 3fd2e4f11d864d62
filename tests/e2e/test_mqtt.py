"""MQTT with a real broker: what is acknowledged is stored, what is not comes again, and nothing stops the taking in."""

import gc
import random
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from kpis.errors import ConfigError
from kpis.plant import load_plant
from pipelines.decoding import Decoder
from pipelines.reception import Reception
from pipelines.sources import mqtt
from pipelines.sources.mqtt import MqttIngest
from storage.journal import Journal
from tests.broker import Broker
from tests.certificates import Certificates
from tests.mqtt_messages import Slow, flood, ingest, publish, publisher, source, state
from tests.parts import program
from tests.running import until

USER, CANARY = "press-7", "canary-c0ffee-4711"
PLANT = """
[equipment."a/b"]
[[sources]]
name = "press"
kind = "mqtt"
broker = "mqtt://localhost"
topics = ["a/#"]
"""
SECRETS = {"username": {"env": "PRESS_USER"}, "password": {"env": "PRESS_PASSWORD"}}


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of these tests end with messages that are never stored: no need to wait for them."""
    monkeypatch.setattr(mqtt, "FINISH_WITHIN", 0.05)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker", "allow_anonymous true", lasting=False) as broker:
        yield broker


@contextmanager
def stored(folder: Path, one: Callable[[Reception], MqttIngest]) -> Iterator[tuple[Journal, MqttIngest]]:
    """A source on its way into a journal."""
    with closing(Journal(folder / "journal.sqlite")) as journal, Reception(journal) as reception:
        taken = one(reception)
        taken.start()
        try:
            yield journal, taken
        finally:
            taken.stop()


def connected(taken: MqttIngest) -> Callable[[], bool]:
    """Whether a source is connected."""
    return lambda: taken.status().connected


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_messages_get_into_the_journal(broker: Broker, tmp_path: Path, version: str) -> None:
    one = source(broker.port, version=version)
    publish(broker.port, [("a/kept", state(0))], retain=True)
    with stored(tmp_path, lambda reception: MqttIngest(one, reception)) as (journal, taken):
        until(lambda: journal.last == 1)
        publish(broker.port, [("a/x", state(1)), ("b/x", state(2)), ("a/y", state(3))])
        publish(broker.port, [("a/z", b"")], qos=0)
        until(lambda: journal.last == 4)
        status = taken.status()
        assert (status.connected, status.received, status.problem) == (True, 4, None)
        rows = journal.read(0, 10, 1 << 20)
    assert rows.select("source", "topic", "payload").rows() == [
        ("press", "a/kept", state(0)),
        ("press", "a/x", state(1)),
        ("press", "a/y", state(3)),
        ("press", "a/z", b""),
    ]
    assert (taken.status().connected, taken.status().stored) == (False, 4)


def test_what_is_not_stored_is_not_acknowledged(broker: Broker) -> None:
    one, first, second, third = source(broker.port), Slow(), Slow(), Slow()
    with ingest(one, first) as taken:
        until(connected(taken))
        publish(broker.port, [("a/x", state(number)) for number in (1, 2, 3)])
        until(lambda: len(first.offers) == 3)
        first.offers[0].done(1)
    with ingest(one, second):
        until(lambda: len(second.offers) == 2)
        assert second.payloads == [state(2), state(3)]
        for offset, offer in enumerate(second.offers, 2):
            offer.done(offset)
    publish(broker.port, [("a/x", state(4))])
    with ingest(one, third):
        until(lambda: third.offers)
        assert third.payloads == [state(4)]
        third.offers[0].done(9)


def test_what_could_not_be_stored_is_sent_again(broker: Broker) -> None:
    slow = Slow()
    with ingest(source(broker.port), slow) as taken:
        until(connected(taken))
        publish(broker.port, [("a/x", state(1)), ("a/x", state(2))])
        until(lambda: len(slow.offers) == 2)
        for offer in list(slow.offers):
            offer.done(None)
        until(lambda: len(slow.offers) == 4)
        assert slow.payloads == [state(1), state(2)] * 2
        for offset, offer in enumerate(slow.offers[2:], 1):
            offer.done(offset)
        status = taken.status()
        assert (status.refused, status.stored, status.reconnects) == (2, 2, 1)


def test_a_fault_while_taking_in_stops_nothing(broker: Broker) -> None:
    slow = Slow(faults=1)
    with ingest(source(broker.port), slow) as taken:
        until(connected(taken))
        publish(broker.port, [("a/x", state(1))])
        until(lambda: slow.offers)
        assert slow.payloads == [state(1)]
        assert (taken.status().faults, taken.status().reconnects) == (1, 1)
        slow.offers[0].done(1)


def test_a_dead_network_thread_is_replaced(broker: Broker) -> None:
    slow = Slow()
    with ingest(source(broker.port), slow) as taken:
        until(connected(taken))

        def fail(*details: object) -> None:
            message = "the network thread meets a fault"
            raise RuntimeError(message)

        connection = taken._connection
        assert connection is not None
        connection.on_message = fail
        publish(broker.port, [("a/x", state(1))])
        until(lambda: slow.offers)
        assert taken.status().reconnects == 1
        slow.offers[0].done(1)


def test_an_acknowledgement_of_an_old_connection_goes_nowhere(broker: Broker) -> None:
    one, slow, again = source(broker.port), Slow(), Slow()
    with ingest(one, slow) as taken:
        until(connected(taken))
        publish(broker.port, [("a/x", state(1))])
        until(lambda: slow.offers)
        broker.kill()
        broker.start()  # it has forgotten everything, and numbers its messages from 1 again
        until(lambda: taken.status().reconnects == 1 and taken.status().connected)
        publish(broker.port, [("a/x", state(2))])
        until(lambda: len(slow.offers) == 2)
        slow.offers[0].done(1)
    with ingest(one, again):
        until(lambda: again.offers)
        assert again.payloads == [state(2)]
        again.offers[0].done(2)


def test_a_broker_may_be_killed(tmp_path: Path) -> None:
    with Broker(tmp_path / "broker") as broker:
        one = source(broker.port)
        with (
            stored(tmp_path, lambda reception: MqttIngest(one, reception)) as (journal, taken),
            publisher(broker.port) as client,
        ):
            until(connected(taken))
            for batch in range(3):
                for number in range(200):
                    client.publish("a/x", state(200 * batch + number), qos=1)
                until(partial(has, journal, 200 * (batch + 1)))
                broker.kill()
                broker.start()
            until(lambda: taken.status().reconnects >= 3)


def has(journal: Journal, messages: int) -> bool:
    """Whether so many different messages are in the journal."""
    return journal.read(0, 100_000, 1 << 30)["payload"].n_unique() == messages


def test_poison_is_kept_apart(broker: Broker, tmp_path: Path) -> None:
    total, kinds = 20_000, [b"", b"\xff\xfe", b"{", b"[" * 5_000, b'{"equipment": 5}', b"x" * 300_000, b"null"]
    seed = random.Random(7)
    poisoned = {number: kinds[n % len(kinds)] for n, number in enumerate(sorted(seed.sample(range(total), 200)))}
    one = source(broker.port)
    with stored(tmp_path, lambda reception: MqttIngest(one, reception)) as (journal, taken):
        until(connected(taken))
        flood(broker.port, [("a/x", poisoned.get(number, state(number))) for number in range(total)])
        until(lambda: taken.status().stored == total)  # each is told a moment after it is written
        assert taken.status()._replace(since=0) == (
            *("press", True, 0, total, total, 0, len([p for p in poisoned.values() if len(p) > 262_144]), 0, 0, None),
        )
        rows = journal.read(0, total, 1 << 30)
    decoded = Decoder(load_plant(PLANT)).decode(rows)
    assert sorted(decoded.events["id"].cast(pl.Int64)) == [n for n in range(total) if n not in poisoned]
    assert decoded.rejected.height == 200
    assert {reason for (reason,) in decoded.rejected.select("reason").unique().iter_rows()} == {
        *("no_event", "not_json", "wrong_type", "too_long", "not_an_object"),
    }


@pytest.fixture
def secured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """A broker that asks for a password."""
    passwords = tmp_path / "passwords"
    subprocess.run([program("mosquitto_passwd"), "-b", "-c", str(passwords), USER, CANARY], check=True)
    passwords.chmod(0o644)
    monkeypatch.setenv("PRESS_USER", USER)
    settings = ("allow_anonymous false", f"password_file {passwords}")
    with Broker(tmp_path / "broker", *settings, lasting=False) as broker:
        yield broker


def test_a_password_lets_in(secured: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESS_PASSWORD", CANARY)
    with ingest(source(secured.port, **SECRETS), Slow()) as taken:
        until(connected(taken))


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_wrong_password_is_told_and_not_shown(
    secured: Broker, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], version: str
) -> None:
    wrong = f"wrong-{CANARY}"
    monkeypatch.setenv("PRESS_PASSWORD", wrong)
    one = source(secured.port, version=version, **SECRETS)
    with ingest(one, Slow()) as taken:
        until(lambda: taken.status().problem is not None)
        status = taken.status()
        assert not status.connected
        assert status.problem in (
            "the broker refused the connection: not authorized",
            "the broker refused the connection: bad user name or password",
        )
        shown = f"{status} {taken!r} {taken._connection!r} {one!r} {vars(taken)}"
    assert wrong not in shown + "".join(capfd.readouterr())


def test_a_missing_secret_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESS_USER", USER)
    with pytest.raises(ConfigError, match="the environment variable PRESS_PASSWORD is not set"):
        MqttIngest(source(1, **SECRETS), Slow()).start()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def encrypted(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that asks for client certificates; its own is for the name localhost only."""
    own = certificates.issue("broker", "DNS:localhost")
    settings = (
        *("allow_anonymous true", "require_certificate true", f"cafile {certificates.authority}"),
        *(f"certfile {own}", f"keyfile {certificates.key_of(own)}"),
    )
    with Broker(tmp_path_factory.mktemp("broker"), *settings, lasting=False) as broker:
        yield broker


def test_certificates_of_both_sides_let_in(encrypted: Broker, certificates: Certificates) -> None:
    own = certificates.issue("client")
    keys = {"ca": str(certificates.authority), "certificate": str(own), "key": str(certificates.key_of(own))}
    with ingest(source(1, broker=f"mqtts://localhost:{encrypted.port}", **keys), Slow()) as taken:
        until(connected(taken))


# The socket of a handshake that fails is left to the garbage collector by the MQTT library.
@pytest.mark.filterwarnings("ignore:.*SSLSocket:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("host", "own", "authority", "told"),
    [
        ("localhost", False, "authority", "connection"),
        ("127.0.0.1", True, "authority", "certificate verify failed"),
        ("localhost", True, "other_authority", "certificate verify failed"),
    ],
)
def test_who_lacks_a_certificate_stays_out(
    encrypted: Broker, certificates: Certificates, host: str, own: bool, authority: str, told: str
) -> None:
    keys = {"ca": str(getattr(certificates, authority))}
    if own:
        path = certificates.issue("client")
        keys |= {"certificate": str(path), "key": str(certificates.key_of(path))}
    with ingest(source(1, broker=f"mqtts://{host}:{encrypted.port}", **keys), Slow()) as taken:
        until(lambda: taken.status().problem is not None)
        assert told in (taken.status().problem or "")
        assert not taken.status().connected
    gc.collect()
