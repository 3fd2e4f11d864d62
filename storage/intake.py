"""Taking events in: which are new, which were there already, which cannot be used, and what the new ones change."""

from dataclasses import dataclass, replace

import duckdb
import polars as pl

from kpis.event_lines import as_lines
from kpis.events import EVENTS, REJECTED, canonical_content
from storage.database import Connection, bound
from storage.frozen import REASON, Frozen
from storage.history import EVENT_FIELDS, events_of, first_accounted
from storage.ids import SeenIds, keys, repeated
from storage.ledger import ACCOUNTABLE, Ledger, first_own, kinds_of
from storage.planning import Taken
from storage.runs import Keys, Numbers, Places

IS_CORRECTION = (pl.col("type") == "reclassify") | (pl.col("type") == "retract")


@dataclass(frozen=True)
class Admitted:
    """A batch after the door: `new` events and their keys, `rejected` rows, how many were `duplicates` or `late`."""

    new: pl.DataFrame
    keys: Keys
    rejected: pl.DataFrame
    duplicates: int
    late: int


def admit(con: Connection, ledger: Ledger, ids: SeenIds, events: pl.DataFrame, until: int | None) -> Admitted:
    """Sort the events of a batch. Events at or after `until` are left out, corrections by what they refer to."""
    if events.is_empty():
        return Admitted(events, keys(events), pl.DataFrame(schema=REJECTED), 0, 0)
    if until is not None:
        refers_to = pl.when(pl.col("type") == "reclassify").then("start").otherwise("ts")
        events = events.filter((refers_to < until) | (pl.col("type") == "retract"))
    known = pl.col("equipment").is_in(list(ledger.plant.equipment))
    unknown = events.filter(~known)
    rejected = [_rejected(unknown, "unknown_equipment", "the plant file does not know this equipment")]
    events = events.filter(known) if unknown.height else events
    frozen = ledger.frozen
    if frozen is not None:
        reached = frozen.reached()
        rejected.append(_rejected(events.filter(reached), REASON, frozen.why))
        events = events.filter(~reached)
    events = _identified(events)
    batch = keys(events)
    places, flushes = ids.find(batch)
    suspect = repeated(batch).scatter(places, True)
    new, duplicates = events, 0
    if suspect.any():
        stored = events_of(con, _asked(events, places, flushes))
        new, duplicates, reused = _compared(events.filter(suspect), stored, events.filter(~suspect))
        batch = keys(new)
        rejected.append(
            _rejected(reused, "id_reused", "another event of this equipment with other content has this id; it stays")
        )
    if frozen is not None and (new["type"] == "retract").any():
        undoing = _undoing(con, frozen, ids, new)
        rejected.append(_rejected(new.join(undoing, on=["equipment", "id"], how="semi"), REASON, frozen.why))
        new = new.join(undoing, on=["equipment", "id"], how="anti", maintain_order="left")
        batch = keys(new)
    told = ledger.told
    late = 0 if told is None else int((new["ts"] < told).sum())
    return Admitted(new, batch, pl.concat(rejected), duplicates, late)


def _undoing(con: Connection, frozen: Frozen, ids: SeenIds, new: pl.DataFrame) -> pl.DataFrame:
    """The retractions (`equipment`, `id`) among new events that take back what is frozen.

    Of one whose target is unknown the archive is asked; if that is gone, it counts as one that came before its target,
    but for one as old as what is frozen.
    """
    name, target = ["equipment", "id"], ["equipment", "target"]
    retractions = new.filter(pl.col("type") == "retract").select(
        *name, "ts", target=pl.col("details").str.json_path_match("$.target")
    )
    targets = retractions.select("equipment", id="target").unique()
    stored = events_of(con, _asked(targets, *ids.find(keys(targets))))
    at = pl.when(pl.col("type") == "reclassify").then("start").when(pl.col("type") != "retract").then("ts")
    past = stored.filter(at < frozen.before).select(name)
    known = pl.concat([stored.select(name), new.select(name)])
    unknown = retractions.join(known, left_on=target, right_on=name, how="anti")
    if unknown.height:
        past = pl.concat([past, frozen.archived(unknown.select("equipment", id="target").unique())])
    return pl.concat(
        [
            retractions.join(past, left_on=target, right_on=name, how="semi").select(name),
            unknown.filter(pl.col("ts") < frozen.before).select(name),
        ]
    ).unique()


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


def _asked(events: pl.DataFrame, places: Places, flushes: Numbers) -> pl.DataFrame:
    """Questions for events whose keys were found: `equipment`, `id` and the `flush` that may have it."""
    return events[places].select("equipment", "id", flush=pl.Series(flushes).cast(pl.Int32)).unique()


def _compared(
    suspects: pl.DataFrame, stored: pl.DataFrame, certain: pl.DataFrame
) -> tuple[pl.DataFrame, int, pl.DataFrame]:
    """Suspects beside what has their id: new events (the certain ones too), number of duplicates, reused ids."""
    name = ["equipment", "id"]
    suspects = suspects.with_columns(content=canonical_content(suspects)).with_row_index("n")
    stored = stored.select(*name, known=canonical_content(_canonical(stored)))
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


def _canonical(events: pl.DataFrame) -> pl.DataFrame:
    return events.with_columns(line=pl.lit(None, pl.Int64)).select(EVENTS.names())


def _rejected(events: pl.DataFrame, reason: str, detail: str) -> pl.DataFrame:
    """Rejected rows for events that could be read; their bytes are the event as a line of JSON."""
    return events.select(
        "line", "equipment", "id", reason=pl.lit(reason), detail=pl.lit(detail), raw=pl.Series(as_lines(events))
    ).select(REJECTED.names())


def digest(con: Connection, ledger: Ledger, ids: SeenIds, new: pl.DataFrame) -> tuple[Taken, Ledger]:
    """What new events change, and the ledger with their corrections and first instants."""
    new = new.select(EVENT_FIELDS)
    if new.is_empty():
        return Taken(new, new, new, kinds_of(new), kinds_of(new)), ledger
    corrections = new.filter(IS_CORRECTION)
    others = new.filter(~IS_CORRECTION) if corrections.height else new  # which is no copy then
    retractions = corrections.filter(pl.col("type") == "retract").select(
        "equipment", target=pl.col("details").str.json_path_match("$.target")
    )
    fresh = retractions.unique().join(ledger.retracted, on=["equipment", "target"], how="anti")
    retracted = pl.concat([ledger.retracted, fresh])
    targets = fresh.rename({"target": "id"})
    removed = events_of(con, _asked(targets, *ids.find(keys(targets)))) if fresh.height else corrections.clear()
    removed = removed.filter(pl.col("type") != "retract")
    rulings = _kept(corrections.filter(pl.col("type") == "reclassify"), retracted)
    unruled = removed.filter(pl.col("type") == "reclassify")
    added = _kept(others, retracted)
    gone = removed.filter(~IS_CORRECTION)
    ruled = set(rulings["equipment"])
    after = replace(
        ledger,
        retracted=retracted,
        rulings=_kept(pl.concat([ledger.rulings, rulings]), retracted),
        accounted=dict(ledger.accounted),
        # A ruling on time to come changes when its equipment is due.
        due={path: at for path, at in ledger.due.items() if path not in ruled},
    )
    all_kinds = kinds_of(others)
    kinds = all_kinds if added.height == others.height else kinds_of(added)
    first = _moved(con, ledger, after, kinds, gone)
    seen = pl.concat([all_kinds, kinds_of(corrections)])
    return Taken(added, gone, pl.concat([rulings, unruled]), kinds, seen, first), after


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
