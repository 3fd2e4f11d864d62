"""Letters as files in a folder: for trying things out, and for what collects mail by itself."""

import os
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from pathlib import Path
from typing import ClassVar

from pipelines.notify.letters import Notifier, Text, Undelivered
from storage.outbox import Letter


class MailboxNotifier(Notifier):
    """Writes a letter into the folder under the name of the message: sent again it is the same file."""

    kind: ClassVar[str] = "mailbox"

    def send(self, letter: Letter, person: str, address: str, text: Text) -> None:
        """Write the file, as a whole or not at all."""
        at = datetime.fromtimestamp(letter.due_at / 1e6, UTC)
        mail = EmailMessage(policy=SMTP)
        mail["From"] = "oeeflow <oeeflow@localhost>"
        mail["To"] = formataddr((person, address or "nobody@localhost"))
        mail["Subject"] = " ".join(text.subject.split())
        mail["Date"] = format_datetime(at)
        mail["Message-ID"] = f"<{letter.message}@oeeflow>"
        mail["X-Oeeflow-Message"] = letter.message
        mail.set_content(text.body, cte="8bit")
        folder = Path(self.channel.folder)
        path = folder / f"{at:%Y%m%dT%H%M%S}-{letter.message}.eml"
        partial = path.with_suffix(".partial")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(mail.as_bytes())
            os.replace(partial, path)
        except OSError as error:
            reason = f"cannot write into {folder}: {(error.strerror or str(error)).lower()}"
            raise Undelivered(reason) from error
