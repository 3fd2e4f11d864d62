"""A value that is kept new in the background as long as somebody looks at it, so that hardly anybody waits for it."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar, cast

from kpis.errors import OeeflowError

Value = TypeVar("Value")


class Latest(Generic[Value]):
    """What `load` makes of the value before it (None at first), again and again, begun every `every_s` seconds.

    That ends when nobody has asked for `idle_s` seconds. Who asks first, or after that, or after `forget`, waits for a
    new value, and gets what `load` raises.
    """

    def __init__(self, load: Callable[[Value | None], Value], every_s: float, idle_s: float) -> None:
        self._load, self._every_s, self._idle_s = load, every_s, idle_s
        self._loading = threading.Lock()
        self._ended = threading.Event()
        self._keeper: threading.Thread | None = None  # None: the value is not kept new
        self._value: Value | None = None
        self._asked = 0.0

    def get(self) -> Value:
        """The value of a moment ago."""
        self._asked = time.monotonic()
        if self._keeper is None:
            with self._loading:
                if self._keeper is None:
                    self._value = self._load(self._value)
                    self._keeper = threading.Thread(target=self._keep, name="latest", daemon=True)
                    self._keeper.start()
        return cast(Value, self._value)  # it was loaded

    def forget(self) -> None:
        """Let the next who asks wait for a value of then."""
        with self._loading:
            self._keeper = None

    def close(self) -> None:
        """Load no more."""
        self._ended.set()

    def _keep(self) -> None:
        due = time.monotonic() + self._every_s
        while not self._ended.wait(due - time.monotonic()):
            due = max(due + self._every_s, time.monotonic())
            with self._loading:
                if self._keeper is not threading.current_thread():
                    return
                self._keeper = None if time.monotonic() > self._asked + self._idle_s else self._renewed()

    def _renewed(self) -> threading.Thread | None:
        """The thread that goes on; None after a failure, which is told to who asks next."""
        with suppress(OeeflowError):
            self._value = self._load(self._value)
            return self._keeper
        return None
