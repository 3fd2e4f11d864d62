"""The one family of errors that oeeflow raises for a reason a person can act on."""


class OeeflowError(Exception):
    """What was found and what would be right, in lower case; ``hint`` says what to do about it.

    >>> str(OeeflowError("no such file: a.toml", hint="check the path"))
    'no such file: a.toml'
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(OeeflowError):
    """The plant file or a setting cannot be used."""


class RuleError(OeeflowError):
    """An alert rule cannot be read or evaluated."""


class SourceError(OeeflowError):
    """A source of events cannot be read."""


class StorageError(OeeflowError):
    """The database or the journal cannot be opened, read or written."""


class StoreLockedError(StorageError):
    """Another process has the store open for writing."""


class Interrupted(OeeflowError):  # noqa: N818 (it is no fault)
    """Somebody asked to stop before the work was done."""
