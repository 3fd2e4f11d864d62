"""Where the things of a store are: the DuckDB file, and one folder beside it for everything else."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """Paths that belong to the store `db`. They need not exist; `make` makes the folders."""

    db: Path

    @property
    def folder(self) -> Path:
        """The companion folder, `kpi.duckdb.d` for `kpi.duckdb`; nobody but the owner may look into it."""
        return self.db.with_name(f"{self.db.name}.d")

    @property
    def journal(self) -> Path:
        """Messages as they came in, an SQLite file."""
        return self.folder / "journal.sqlite"

    @property
    def snapshots(self) -> Path:
        """The folder of verified copies of the store."""
        return self.folder / "snapshots"

    @property
    def ids(self) -> Path:
        """The folder of keys of all events, made from them."""
        return self.folder / "ids"

    @property
    def archive(self) -> Path:
        """The folder of events that were moved out of the store, unless another is named."""
        return self.folder / "archive"

    @property
    def reports(self) -> Path:
        """The folder of shift reports that were signed off."""
        return self.folder / "reports"

    @property
    def live(self) -> Path:
        """Where a running engine says how it is reached; gone when none is running."""
        return self.folder / "live.json"

    @property
    def token(self) -> Path:
        """The token that readers on this machine show to a running engine."""
        return self.folder / "token"

    @property
    def links_key(self) -> Path:
        """The key by which links in messages are signed."""
        return self.folder / "links.key"

    @property
    def closed(self) -> Path:
        """What the store looked like when it was last closed in order."""
        return self.folder / "closed.json"

    @property
    def suspect(self) -> Path:
        """Is there when something made us doubt the store: it is looked through at the next start."""
        return self.folder / "suspect"

    def make(self) -> None:
        """Make the folders, durably. Raises OSError when they cannot be made."""
        if not self.folder.is_dir():
            self.folder.mkdir(mode=0o700)
            sync(self.folder.parent)
        if not self.snapshots.is_dir():
            self.snapshots.mkdir()
            sync(self.folder)


def sync(path: Path) -> None:
    """Make a file durable; or of a folder the names in it: new, changed and removed ones."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
