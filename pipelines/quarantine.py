"""Finding the message that the dataflow cannot take: it is put aside, so that all others go on."""

from typing import Final

import structlog

MOST_IN_A_ROW: Final = 3
"""messages put aside with none taken in between; after that it is not for the messages that the dataflow fails."""

log = structlog.get_logger("quarantine")


class Quarantine:
    """Halves a batch that fails again until a single message is left, and puts that one aside.

    What failed once is tried as it is, since most faults are not for what is in a batch. `most` messages may be in a
    batch now, `usual` if nothing is searched for.
    """

    def __init__(self, usual: int) -> None:
        self._usual = self.most = usual
        self._tried, self._messages = 0, 0
        self._failed: int | None = None
        self._aside: tuple[int, str] | None = None
        self._in_a_row = 0

    def trying(self, upto: int, messages: int) -> None:
        """So many messages are on their way, the last one with the offset `upto`; 0: none."""
        self._tried, self._messages = upto, messages

    def failed(self, after: int, why: str) -> bool:
        """What is on its way failed, and everything up to the message `after` is committed.

        Whether something else is worth trying at once: fewer messages, or none of the one that is put aside now.
        """
        searching = self.most < self._usual
        again, self._failed = after == self._failed, after
        if not self._messages or not (again or searching):
            return False
        if self._messages > 1:
            self.most = self._messages // 2
            return True
        if not again:
            return True
        if self._in_a_row == MOST_IN_A_ROW or self.reason() is not None:
            return False
        self._in_a_row += 1
        self._aside = (self._tried, why)
        log.error("a message cannot be accounted and is put aside", offset=self._tried, found=why)
        return True

    def passed(self) -> None:
        """What was on its way is committed."""
        if not self._messages:
            return
        if self.reason() is None:
            self._in_a_row = 0
        self._failed = self._aside = None
        self.most = min(2 * self.most, self._usual)

    def reason(self) -> str | None:
        """Why the message on its way, the only one, is put aside; None if it is not."""
        return self._aside[1] if self._aside and self._aside[0] == self._tried else None
