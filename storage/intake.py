"""Taking events in: which are new, which were there already, which cannot be used, and what the new ones change."""

from dataclasses import dataclass, replace

import duckdb
import polars as pl

from kpis.event_lines import as_lines
from kpis.events import EVENTS, REJECTED, canonical_content
from storage.database import Connection, bound, instants, microseconds
from storage.history import EVENT_FIELDS, first_accounted
from storage.ids import SeenIds, keys
from storage.ledger import ACCOUNTABLE, Ledger, first_own, kinds_of
from storage.planning import Taken

CORRECTIONS = ("reclassify", "retract")


@dataclass(frozen=True)
class Admitted:
    """A batch after the door: `new` events, `rejected` rows, and how many were `duplicates` or `late`."""

    new: pl.DataFrame
    rejected: pl.DataFrame
    duplicates: int
    late: int


def admit(con: Connection, ledger: Ledger, ids: SeenIds | None, events: pl.DataFrame, until: int | None) -> Admitted:
    """Sort the events of a batch. Events at or after `until` are left out, corrections by what they refer to.

    Without `ids` every event is looked up in the store.
    """
    if until is not None:
        refers_to = pl.when(pl.col("type") == "reclassify").then("start").otherwise("ts")
        events = events.filter((refers_to < until) | (pl.col("type") == "retract"))
    known = pl.col("equipment").is_in(list(ledger.plant.equipment))
    unknown = events.filter(~known)
    rejected = [_rejected(unknown, "unknown_equipment", "the plant file does not know this equipment")]
    events = _identified(events.filter(known) if unknown.height else events)
    batch = keys(events)
    seen = (
        pl.Series(ids.seen(batch, events["ts"])) if ids is not None else pl.repeat(value=True, n=len(batch), eager=True)
    )
    suspect = seen | pl.Series(batch).is_duplicated()
    new, duplicates = events, 0
    if suspect.any():
        new, again, reused = _compared(con, events.filter(suspect), events.filter(~suspect))
        duplicates = again
        rejected.append(
            _rejected(reused, "id_reused", "another event of this equipment with other content has this id; it stays")
        )
    late = 0 if ledger.horizon is None else new.filter(pl.col("ts") < ledger.horizon).height
    return Admitted(new, pl.concat(rejected), duplicates, late)


def _identified(events: pl.DataFrame) -> pl.DataFrame:
    """Events that came without an id get a hash of their content as one."""
    if not events["id"].null_count():
        return events
    nameless = pl.col("id").is_null()
    content = canonical_content(events.filter(nameless))
    numbered = pl.DataFrame({"n": pl.int_range(len(content), eager=True), "content": content})
    with bound(duckdb.connect(), contents=numbered) as scratch:
        hashes = scratch.execute("SELECT md5(content) AS id FROM contents ORDER BY n").pl()["id"]
    place = nameless.cum_sum() - 1
    return events.with_columns(
        id=pl.when(nameless).then(pl.lit(hashes).gather(pl.when(nameless).then(place).otherwise(0))).otherwise("id")
    )


def _compared(con: Connection, suspects: pl.DataFrame, certain: pl.DataFrame) -> tuple[pl.DataFrame, int, pl.DataFrame]:
    """Suspects beside what has their id: new events (the certain ones too), number of duplicates, reused ids."""
    name = ["equipment", "id"]
    suspects = suspects.with_columns(content=canonical_content(suspects)).with_row_index("n")
    stored = _stored(con, suspects)
    stored = stored.select(*name, known=canonical_content(stored))
    first = suspects.unique(name, keep="first", maintain_order=True).select(*name, "n", known="content")
    first = first.join(stored, on=name, how="left").select(
        *name, n=pl.when(pl.col("known_right").is_null()).then("n"), known=pl.coalesce("known_right", "known")
    )
    judged = suspects.join(first, on=name, how="left", maintain_order="left", suffix="_first")
    is_new = pl.col("n") == pl.col("n_first")
    judged = judged.with_columns(new=is_new.fill_null(value=False), same=pl.col("content") == pl.col("known"))
    new = pl.concat([certain, judged.filter("new").select(certain.columns)])
    again = judged.filter(~pl.col("new") & pl.col("same")).height
    return new, again, judged.filter(~pl.col("new") & ~pl.col("same")).select(certain.columns)


def _stored(con: Connection, suspects: pl.DataFrame) -> pl.DataFrame:
    """The events in the store that have the ids of the suspects.

    Repeated events are found by their time first, so that only a reused id costs a search through all.
    """
    columns = ", ".join(f'e."{name}"' for name in EVENT_FIELDS)
    asked = instants(suspects.select("equipment", "id", "ts").unique(), "ts")
    bounds = asked.select(first=pl.col("ts").min(), last=pl.col("ts").max()).row(0)
    with bound(con, asked=asked):
        same_time = con.execute(
            f"SELECT {columns} FROM events e SEMI JOIN asked a ON a.equipment = e.equipment AND a.id = e.id "
            "AND a.ts = e.ts WHERE e.ts BETWEEN $1 AND $2",
            bounds,
        ).pl()
    asked = asked.join(same_time.select("equipment", "id"), on=["equipment", "id"], how="anti")
    found = [same_time]
    if asked.height:
        found.append(by_id(con, asked.select("equipment", "id")))
    return _canonical(microseconds(pl.concat(found)))


def by_id(con: Connection, asked: pl.DataFrame) -> pl.DataFrame:
    """The events in the store with the given `equipment` and `id`, of whatever age."""
    columns = ", ".join(f'e."{name}"' for name in EVENT_FIELDS)
    with bound(con, asked=asked.unique()):
        return con.execute(
            f"SELECT {columns} FROM events e SEMI JOIN asked a ON a.equipment = e.equipment AND a.id = e.id"
        ).pl()


def _canonical(events: pl.DataFrame) -> pl.DataFrame:
    return events.with_columns(line=pl.lit(None, pl.Int64)).select(EVENTS.names())


def _rejected(events: pl.DataFrame, reason: str, detail: str) -> pl.DataFrame:
    """Rejected rows for events that could be read; their bytes are the event as a line of JSON."""
    return events.select(
        "line", "equipment", "id", reason=pl.lit(reason), detail=pl.lit(detail), raw=pl.Series(as_lines(events))
    ).select(REJECTED.names())


def digest(con: Connection, ledger: Ledger, new: pl.DataFrame) -> tuple[Taken, Ledger]:
    """What new events change, and the ledger with their corrections and first instants."""
    retractions = new.filter(pl.col("type") == "retract").select(
        "equipment", target=pl.col("details").str.json_path_match("$.target")
    )
    fresh = retractions.unique().join(ledger.retracted, on=["equipment", "target"], how="anti")
    retracted = pl.concat([ledger.retracted, fresh])
    columns = list(EVENT_FIELDS)
    removed = _canonical(microseconds(by_id(con, fresh.rename({"target": "id"})))) if fresh.height else new.clear()
    removed = removed.filter(pl.col("type") != "retract").select(columns)
    effective = _kept(new.select(columns), retracted)
    rulings = effective.filter(pl.col("type") == "reclassify")
    unruled = removed.filter(pl.col("type") == "reclassify")
    added = effective.filter(~pl.col("type").is_in(CORRECTIONS))
    gone = removed.filter(~pl.col("type").is_in(CORRECTIONS))
    after = replace(
        ledger,
        retracted=retracted,
        rulings=_kept(pl.concat([ledger.rulings, rulings]), retracted),
        accounted=dict(ledger.accounted),
        # A ruling on time to come changes when its equipment is due.
        due={path: at for path, at in ledger.due.items() if path not in set(rulings["equipment"])},
    )
    kinds = kinds_of(added)
    first = _moved(con, ledger, after, kinds, gone)
    return Taken(added, gone, pl.concat([rulings, unruled]), kinds, first), after


def _kept(events: pl.DataFrame, retracted: pl.DataFrame) -> pl.DataFrame:
    """Events but for retracted ones."""
    if retracted.is_empty():
        return events
    return events.join(retracted, left_on=["equipment", "id"], right_on=["equipment", "target"], how="anti")


def _moved(
    con: Connection, before: Ledger, after: Ledger, kinds: pl.DataFrame, gone: pl.DataFrame
) -> dict[str, tuple[int | None, int | None]]:
    """Equipment whose first accounted instant is another now; `after` is brought up to date."""
    first = dict(first_own(kinds))
    lost = gone.filter(pl.col("type").is_in(ACCOUNTABLE)).select("equipment", "ts").unique().iter_rows()
    shaken = {path for path, ts in lost if before.accounted.get(path) == ts}
    remaining = first_accounted(con, sorted(shaken), after.retracted) if shaken else {}
    moved = {}
    for path in first.keys() | shaken:
        known = remaining.get(path) if path in shaken else before.accounted.get(path)
        now = min((instant for instant in (known, first.get(path)) if instant is not None), default=None)
        if now == before.accounted.get(path):
            continue
        moved[path] = (before.accounted.get(path), now)
        if now is None:
            del after.accounted[path]
        else:
            after.accounted[path] = now
    return moved
