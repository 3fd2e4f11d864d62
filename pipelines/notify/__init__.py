"""Telling people of alerts: one file a kind of channel, each a line in NOTIFIERS."""

from typing import Final

from pipelines.notify.apprise_urls import AppriseNotifier
from pipelines.notify.letters import Notifier
from pipelines.notify.mailbox import MailboxNotifier

NOTIFIERS: Final[tuple[type[Notifier], ...]] = (AppriseNotifier, MailboxNotifier)
"""The ways to people; the andon, which is nobody's, has a file of its own."""
