"""The sender and its channels: a real mail server and a real web hook that fail at first, one that hangs, age."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from kpis.plant import Plant, load_plant
from pipelines.notify import NOTIFIERS
from pipelines.notify.letters import Wording, named
from pipelines.notify.sender import Sender
from storage.outbox import Letter, Line, Report
from tests.broker import free_port
from tests.running import until

# What apprise imports for PGP.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

PEOPLE = """
[[people]]
name = "Anna"
channels = {{ {channel} = "anna@plant.example" }}
"""


def plant(channel: str, text: str) -> Plant:
    return load_plant(
        f'[plant]\nname = "Ulm"\n[[channels]]\nname = "{channel}"\n{text}' + PEOPLE.format(channel=channel)
    )


def letter(channel: str, message: str = "0123456789abcdef", seconds: float = 60, lines: int = 1) -> Letter:
    now = time.time_ns() // 1_000
    told = [
        Line(f"{number:016x}", "fired", 0, "acme/filler", "acme", "critical", now, f"it jams, {number}")
        for number in range(lines)
    ]
    return Letter(message, "Anna", channel, False, now, now + round(seconds * 1e6), 0, tuple(told))


@contextmanager
def sending(plant: Plant) -> Iterator[tuple[Sender, SimpleQueue[Report]]]:
    reports: SimpleQueue[Report] = SimpleQueue()
    made = {channel.name: named(channel, NOTIFIERS) for channel in plant.calling.channels}
    notifiers = {name: notifier for name, notifier in made.items() if notifier is not None}
    with Sender(plant.calling, notifiers, Wording(None, None), reports.put) as sender:
        yield sender, reports


class MailServer(Controller):
    """Refuses the first mail for the time being."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.refused = 0
        super().__init__(self, hostname="127.0.0.1", port=free_port())

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802 (its protocol)
        if not self.refused:
            self.refused += 1
            return "451 not now"
        self.mails.append(envelope.content if isinstance(envelope.content, bytes) else b"")
        return "250 taken"


class Hook(ThreadingHTTPServer):
    """Answers 500 as often as told, then takes what is posted; or keeps it waiting."""

    daemon_threads = True

    def __init__(self, failures: int, hang: float = 0) -> None:
        self.failures, self.hang = failures, hang
        self.taken: list[tuple[dict[str, str], Any]] = []
        super().__init__(("127.0.0.1", 0), _Answer)

    def __enter__(self) -> "Hook":
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *fault: object) -> None:
        self.shutdown()
        self.server_close()


class _Answer(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.server.hang)
        if self.server.failures > 0:
            self.server.failures -= 1
            self.send_response(500)
        else:
            self.server.taken.append((dict(self.headers), json.loads(body)))
            self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_a_mail_that_is_refused_once_is_sent_again_under_the_same_id(monkeypatch: pytest.MonkeyPatch) -> None:
    server = MailServer()
    server.start()
    try:
        url = f"mailto://127.0.0.1:{server.port}?from=oee@plant.example&to={{address}}"
        monkeypatch.setenv("MAIL_URL", url)
        with sending(plant("mail", 'kind = "apprise"\nurl = { env = "MAIL_URL" }')) as (sender, reports):
            sender.post([letter("mail")])
            tried, delivered = reports.get(timeout=10), reports.get(timeout=10)
    finally:
        server.stop()
    assert (tried.outcome, tried.attempts) == ("waiting", 1)
    assert tried.error
    assert (delivered.outcome, delivered.attempts, delivered.error) == ("delivered", 2, None)
    (mail,) = [message_from_bytes(content) for content in server.mails]
    assert mail["X-Oeeflow-Message"] == "0123456789abcdef"
    assert "anna@plant.example" in mail["To"]
    assert "it jams" in str(mail["Subject"])


def test_a_hook_that_fails_and_then_works_gets_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with Hook(failures=1) as hook:
        monkeypatch.setenv("HOOK_URL", f"json://127.0.0.1:{hook.server_port}/s3cretpath")
        with sending(plant("hook", 'kind = "apprise"\nurl = { env = "HOOK_URL" }')) as (sender, reports):
            sender.post([letter("hook", lines=30)])
            tried, delivered = reports.get(timeout=10), reports.get(timeout=10)
            assert sender.status()["hook"].failures == 0
    assert (tried.outcome, delivered.outcome) == ("waiting", "delivered")
    assert "500" in (tried.error or "")
    assert "s3cretpath" not in (tried.error or "")
    ((headers, told),) = hook.taken
    assert headers["X-Oeeflow-Message"] == "0123456789abcdef"
    assert "30 alerts" in told["title"]
    assert "and 10 more" in told["message"]


def test_what_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with Hook(failures=0, hang=2) as hook:
        monkeypatch.setenv("HOOK_URL", f"json://127.0.0.1:{hook.server_port}/")
        text = 'kind = "apprise"\nurl = { env = "HOOK_URL" }\ntimeout = "200ms"\nshort = true'
        with sending(plant("hook", text)) as (sender, reports):
            sender.post([letter("hook")])
            assert "no answer" in (reports.get(timeout=5).error or "")


def test_what_is_too_old_is_given_up_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_URL", "json://127.0.0.1:9/")
    with sending(plant("hook", 'kind = "apprise"\nurl = { env = "HOOK_URL" }')) as (sender, reports):
        sender.post([letter("hook", seconds=0.5)])
        outcomes = [reports.get(timeout=10)]
        while outcomes[-1].outcome == "waiting":
            outcomes.append(reports.get(timeout=10))
    assert outcomes[-1].outcome == "dead"
    assert "too old; " in (outcomes[-1].error or "")


def test_a_channel_that_fails_again_and_again_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with Hook(failures=1_000) as hook:
        monkeypatch.setenv("HOOK_URL", f"json://127.0.0.1:{hook.server_port}/")
        with sending(plant("hook", 'kind = "apprise"\nurl = { env = "HOOK_URL" }')) as (sender, reports):
            sender.post([letter("hook", f"{number:016x}") for number in range(50)])
            for _ in range(3):
                reports.get(timeout=10)
            time.sleep(0.3)
            status = sender.status()["hook"]
        assert 1_000 - hook.failures == 3
    assert (status.failures, status.waiting) == (3, 50)
    assert status.age > 0
    assert status.error


def test_people_and_channels_that_are_gone_are_said(tmp_path: Path) -> None:
    with sending(plant("box", f'kind = "mailbox"\nfolder = "{tmp_path}/mail"')) as (sender, reports):
        sender.post([letter("old channel")])
        report = reports.get(timeout=5)
    assert (report.outcome, report.attempts) == ("dead", 0)


def test_a_mailbox_has_a_message_once(tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    with sending(plant("box", f'kind = "mailbox"\nfolder = "{folder}"')) as (sender, reports):
        again = letter("box")
        sender.post([again])
        sender.post([again])
        until(lambda: reports.qsize() == 2)
    (file,) = folder.iterdir()
    mail = message_from_bytes(file.read_bytes())
    assert mail["Message-ID"] == "<0123456789abcdef@oeeflow>"
    assert mail["To"] == "Anna <anna@plant.example>"
