"""Tables of the store, each with what a row and a column mean. There are no keys, indexes or computed defaults:
the writer keeps rows unique, and DuckDB files with indexes grow and attach badly."""

from dataclasses import dataclass

VERSION = 2

_FORCE = (
    ("product", "VARCHAR", "product in force; null: none known"),
    ("order", "VARCHAR", "production order in force; null: none"),
    ("run_start", "TIMESTAMPTZ", "start of the run of that order on this equipment; null: no order"),
    ("shift", "VARCHAR", "name of the shift; null: outside every shift"),
    ("production_date", "DATE", "production day: in a shift the day it started on, else the local date"),
)


@dataclass(frozen=True)
class Table:
    """A table with its comment and its columns: name, DuckDB type, comment.

    `fsst` names columns of texts that are hardly ever alike: told so, DuckDB need not find out for each block.
    """

    name: str
    comment: str
    columns: tuple[tuple[str, str, str], ...]
    fsst: tuple[str, ...] = ()

    def ddl(self) -> list[str]:
        """Statements that create the table with its comments."""
        packed = dict.fromkeys(self.fsst, " USING COMPRESSION fsst")
        columns = ", ".join(f'"{name}" {kind}{packed.get(name, "")}' for name, kind, _ in self.columns)
        statements = [f'CREATE TABLE "{self.name}" ({columns})', comment("TABLE", self.name, self.comment)]
        return statements + [comment("COLUMN", f'{self.name}"."{name}', text) for name, _, text in self.columns]


def comment(kind: str, name: str, text: str) -> str:
    """The statement that puts a comment on a table, view or column."""
    quoted = text.replace("'", "''")
    return f"COMMENT ON {kind} \"{name}\" IS '{quoted}'"


EVENT_COLUMNS = (
    ("equipment", "VARCHAR", "ISA-95 path of the equipment that the event names"),
    ("id", "VARCHAR", "unique per equipment; a hash of the content where the event had none"),
    ("ts", "TIMESTAMPTZ", "when it happened"),
    ("type", "VARCHAR", "state, count, counter, order, status, reclassify or retract"),
    ("state", "VARCHAR", "source state name or category (state, reclassify)"),
    ("reason", "VARCHAR", "reason code (state, count, reclassify)"),
    ("product", "VARCHAR", "product (count, order)"),
    ("order", "VARCHAR", "production order (count, order)"),
    ("good", "BIGINT", "good pieces since the last count (count)"),
    ("scrap", "BIGINT", "scrapped pieces since the last count (count)"),
    ("rework", "BIGINT", "pieces to rework since the last count (count)"),
    ("quality", "VARCHAR", "what a cumulative reading counts: good, scrap or rework (counter)"),
    ("value", "BIGINT", "cumulative reading in pieces (counter)"),
    ("rollover", "BIGINT", "reading at which the counter starts again (counter)"),
    ("action", "VARCHAR", "start or end (order)"),
    ("quantity", "BIGINT", "ordered pieces (order)"),
    ("online", "BOOLEAN", "false: communication lost (status)"),
    ("start", "TIMESTAMPTZ", "start of the time ruled on (reclassify)"),
    ("end", "TIMESTAMPTZ", "end of the time ruled on (reclassify)"),
    ("details", "VARCHAR", "every other field of the event, a JSON object: lot, by, target and what the plant added"),
)

TABLES = (
    Table(
        "events",
        "Every event taken in, as it was sent, once: the audit trail. Retracted events stay here.",
        (*EVENT_COLUMNS, ("flush", "INTEGER", "commit that took it in: part of the first row of flushes not below it")),
        fsst=("id",),
    ),
    Table(
        "corrections",
        "The reclassify and retract events once more: all that hold are needed whenever the store is opened.",
        EVENT_COLUMNS,
    ),
    Table(
        "writers",
        "Processes that took events in: files beside the store belong to one history of it, told by this.",
        (
            ("writer", "VARCHAR", "random name of the process"),
            ("after_flush", "INTEGER", "last commit before its first"),
        ),
    ),
    Table(
        "rejected_events",
        "Events that could not be used, each once, with the reason and the original bytes.",
        (
            ("digest", "VARCHAR", "hash of the original bytes"),
            ("source", "VARCHAR", "file or source it came from"),
            ("line", "BIGINT", "line or row of the file, from 1; of a message its offset in the journal"),
            ("equipment", "VARCHAR", "equipment named, if it could be read"),
            ("id", "VARCHAR", "event id, if it could be read"),
            ("reason", "VARCHAR", "reason code, see docs/events.md"),
            ("detail", "VARCHAR", "what was found and what would be right"),
            ("raw", "BLOB", "the original bytes"),
            ("rejected_at", "TIMESTAMPTZ", "when it was rejected"),
        ),
    ),
    Table(
        "intervals",
        "What happened when: for each equipment with own events an unbroken series of intervals, each in one account.",
        (
            ("equipment", "VARCHAR", "ISA-95 path"),
            ("start", "TIMESTAMPTZ", "first instant"),
            ("end", "TIMESTAMPTZ", "instant after the last; null: still open, accounted to the horizon"),
            ("account", "VARCHAR", "time account, see docs/semantics.md"),
            ("category", "VARCHAR", "category of the state in force"),
            ("reason", "VARCHAR", "reason in force"),
            *_FORCE,
            ("schedule", "VARCHAR", "scheduled, break or unscheduled"),
            ("stretch_start", "TIMESTAMPTZ", "start of the uninterrupted down-or-idle stretch; null outside one"),
        ),
    ),
    Table(
        "count_elements",
        "Pieces per equipment, minute, shift, product, order, quality and reason; additive.",
        (
            ("equipment", "VARCHAR", "ISA-95 path"),
            ("window_start", "TIMESTAMPTZ", "start of the minute"),
            *_FORCE,
            ("quality", "VARCHAR", "good, scrap or rework"),
            ("reason", "VARCHAR", "why pieces are not good"),
            ("pieces", "BIGINT", "pieces"),
            ("ideal_us", "BIGINT", "pieces x ideal cycle in force, in microseconds"),
            ("no_ideal", "BIGINT", "pieces without an ideal cycle"),
        ),
    ),
    Table(
        "stops",
        "Uninterrupted times in category down or idle that fall at least partly into time that was to be worked.",
        (
            ("equipment", "VARCHAR", "ISA-95 path"),
            ("start", "TIMESTAMPTZ", "first instant"),
            ("end", "TIMESTAMPTZ", "instant after the last; null: still open"),
            ("category", "VARCHAR", "down or idle"),
            ("reason", "VARCHAR", "reason that held longest"),
            ("minor", "BOOLEAN", "shorter than minor_stop_under; provisional while open"),
            ("us", "BIGINT", "microseconds in minor_stop, down or idle; of an open stop up to the last change"),
            ("booked_at", "TIMESTAMPTZ", "first instant in one of these accounts: the stop counts there"),
            *_FORCE,
        ),
    ),
    Table(
        "changes",
        "Times whose elements were changed by a later commit: what makes a closed window revised.",
        (
            ("flush", "INTEGER", "commit that changed them, see flushes"),
            ("equipment", "VARCHAR", "ISA-95 path"),
            ("start", "TIMESTAMPTZ", "first changed instant"),
            ("end", "TIMESTAMPTZ", "instant after the last changed one"),
            ("shift", "VARCHAR", "name of the shift"),
            ("production_date", "DATE", "production day"),
        ),
    ),
    Table(
        "flushes",
        "Commits: what each took in, from where, and the horizon it moved from and to. Commits of one source within a "
        "minute, that changed nothing told before, are one row.",
        (
            ("flush", "INTEGER", "number of the last commit that the row stands for, from 1"),
            ("committed_at", "TIMESTAMPTZ", "when, by the engine's clock"),
            ("horizon_before", "TIMESTAMPTZ", "horizon before it; null for the first"),
            ("horizon", "TIMESTAMPTZ", "horizon after it"),
            ("source", "VARCHAR", "file or source"),
            ("taken", "BIGINT", "events taken in"),
            ("duplicates", "BIGINT", "events that were there already"),
            ("rejected", "BIGINT", "events rejected"),
            ("late", "BIGINT", "events that came later than the shortest grace allows: windows may have been closed"),
        ),
    ),
    Table(
        "positions",
        "How far each file has been taken in: the elements in the store stand for exactly this.",
        (
            ("digest", "VARCHAR", "hash of the file's bytes and of how it is read"),
            ("source", "VARCHAR", "file"),
            ("position", "BIGINT", "lines or rows taken in"),
            ("complete", "BOOLEAN", "whether the end was reached"),
        ),
    ),
    Table(
        "event_ranges",
        "First and last event of each type for each equipment.",
        (
            ("equipment", "VARCHAR", "ISA-95 path"),
            ("type", "VARCHAR", "event type"),
            ("first_ts", "TIMESTAMPTZ", "oldest event"),
            ("last_ts", "TIMESTAMPTZ", "newest event"),
        ),
    ),
    Table(
        "plants",
        "The plant file that the numbers were made with.",
        (
            ("path", "VARCHAR", "where it was read"),
            ("text", "VARCHAR", "the file"),
            ("fingerprint", "VARCHAR", "hash of what changes numbers"),
        ),
    ),
    Table(
        "horizons",
        "How far time is accounted: a row of its own, because every commit replaces it.",
        (("horizon", "TIMESTAMPTZ", "instant up to which time is accounted"),),
    ),
    Table(
        "equipment",
        "The equipment of the plant file, and the levels above it.",
        (
            ("equipment", "VARCHAR", "ISA-95 path"),
            ("parent", "VARCHAR", "path of the level above; null at the top"),
            ("level", "VARCHAR", "enterprise, site, area, line or unit"),
            ("timezone", "VARCHAR", "IANA time zone"),
            ("calendar", "VARCHAR", "shift calendar; null: always scheduled"),
            ("grace_us", "BIGINT", "how long after its end a window is closed, in microseconds"),
            ("ideal_cycle_us", "BIGINT", "ideal cycle per piece without a product's own, in microseconds"),
            ("capacity_per_hour", "BIGINT", "pieces per scheduled hour"),
            ("accounted_from", "TIMESTAMPTZ", "first own state, count or counter event; null: rolls up its children"),
            ("has_orders", "BOOLEAN", "whether an order event ever held for it"),
        ),
    ),
    Table(
        "contributors",
        "Whose elements make up those of an equipment: itself, the units below it, or its constraint and output.",
        (
            ("equipment", "VARCHAR", "ISA-95 path"),
            ("contributor", "VARCHAR", "path of the equipment with own events"),
            ("gives_time", "BOOLEAN", "its time accounts and ideal time count"),
            ("gives_pieces", "BOOLEAN", "its pieces count"),
        ),
    ),
    Table(
        "products",
        "Products of the plant file with their ideal cycles.",
        (
            ("product", "VARCHAR", "product"),
            ("equipment", "VARCHAR", "path that the cycle holds for and below"),
            ("ideal_cycle_us", "BIGINT", "ideal cycle per piece in microseconds"),
        ),
    ),
    Table(
        "reasons",
        "Reasons of the plant file.",
        (
            ("reason", "VARCHAR", "reason code"),
            ("label", "VARCHAR", "text for people"),
            ("category", "VARCHAR", "category that a state with this reason is in; null: its own"),
            ("loss", "VARCHAR", "one of the six big losses"),
            ("maintenance", "VARCHAR", "corrective or preventive; null: neither"),
        ),
    ),
    Table(
        "shifts",
        "Shifts by date, resolved to instants, for the days that the store has time in.",
        (
            ("calendar", "VARCHAR", "shift calendar"),
            ("timezone", "VARCHAR", "IANA time zone"),
            ("production_date", "DATE", "local date it starts on"),
            ("shift", "VARCHAR", "name"),
            ("start", "TIMESTAMPTZ", "nominal start"),
            ("end", "TIMESTAMPTZ", "nominal end"),
        ),
    ),
    Table(
        "production_days",
        "Local days resolved to instants.",
        (
            ("timezone", "VARCHAR", "IANA time zone"),
            ("production_date", "DATE", "date"),
            ("start", "TIMESTAMPTZ", "local midnight it starts at"),
            ("end", "TIMESTAMPTZ", "local midnight it ends at"),
        ),
    ),
    Table(
        "alerts",
        "Alerts by the rules of the plant file, derived from the same intervals and pieces as every figure. What "
        "people did about them is not here.",
        (
            ("alert", "VARCHAR", "id: a hash of rule, equipment and since"),
            ("rule", "VARCHAR", "rule of the plant file"),
            ("equipment", "VARCHAR", "ISA-95 path"),
            ("line", "VARCHAR", "line that it is or belongs to: what messages are put together by; else the equipment"),
            ("severity", "VARCHAR", "info, warning or critical"),
            ("state", "VARCHAR", "firing, resolved, suppressed, or withdrawn: a late event took its cause away"),
            ("since", "TIMESTAMPTZ", "since when the condition holds"),
            ("fired_at", "TIMESTAMPTZ", "when it had held for as long as the rule asks; null: suppressed all the time"),
            ("resolved_at", "TIMESTAMPTZ", "when it was over; null: it is not"),
            ("suppressed_by", "VARCHAR", "why it did not fire: an account, a grace, no data, or what explains it"),
            ("reason", "VARCHAR", "last reason given while it held, or source, channel or order; null: none"),
            ("value", "DOUBLE", "what was measured when it fired; times in microseconds; null: nothing is"),
            ("chattering", "BOOLEAN", "whether it is at least the third of its rule and equipment within half an hour"),
            ("text", "VARCHAR", "what is told"),
            ("corrects", "VARCHAR", "id of a withdrawn alert that this one takes the place of; null: none"),
            ("revision", "INTEGER", "how often the row changed since it was first written"),
            ("changed_at", "TIMESTAMPTZ", "when it last changed, by the engine's clock"),
        ),
    ),
    Table(
        "alert_transitions",
        "What became of alerts, in the order in which it was found out: what messages are made of.",
        (
            ("transition", "BIGINT", "number, from 1 without gaps"),
            ("alert", "VARCHAR", "id of the alert"),
            ("became", "VARCHAR", "fired, corrected (fires again), resolved, reopened, suppressed, withdrawn"),
            ("at", "TIMESTAMPTZ", "when, by the times of the events"),
            ("committed_at", "TIMESTAMPTZ", "when it was found out, by the engine's clock"),
        ),
    ),
    Table(
        "alert_rules",
        "The rules of the plant file that the alerts were made with.",
        (
            ("rule", "VARCHAR", "name"),
            ("severity", "VARCHAR", "info, warning or critical"),
            ("definition", "VARCHAR", "the rule, a JSON object"),
            ("fingerprint", "VARCHAR", "hash of all that decides when which alert is raised; the same in every row"),
        ),
    ),
    Table(
        "alert_deliveries",
        "Messages about alerts and what became of them: a row for each alert in a message, on each channel.",
        (
            ("message", "VARCHAR", "id of the message: the same whenever and however often it is sent"),
            ("alert", "VARCHAR", "id of the alert"),
            ("recipient", "VARCHAR", "whom it is for; null: nobody was there to be told"),
            ("channel", "VARCHAR", "way it goes; null: none"),
            ("kind", "VARCHAR", "fired, escalated, repeated, handed_over, corrected, reopened, resolved or withdrawn"),
            ("level", "INTEGER", "step of the escalation, from 0"),
            ("digest", "BOOLEAN", "whether it is one of few messages in the place of many"),
            ("due_at", "TIMESTAMPTZ", "when it was decided"),
            ("expires_at", "TIMESTAMPTZ", "when it is given up"),
            ("attempts", "INTEGER", "how often it was tried"),
            ("sent_at", "TIMESTAMPTZ", "when it was handed over; null: it is not"),
            ("outcome", "VARCHAR", "waiting, delivered, or dead: given up"),
            ("error", "VARCHAR", "what went wrong last"),
        ),
    ),
    Table(
        "alert_actions",
        "What people did about alerts.",
        (
            ("action", "VARCHAR", "id"),
            ("alert", "VARCHAR", "id of the alert"),
            ("kind", "VARCHAR", "acknowledge, take, comment, shelve or unshelve"),
            ("by", "VARCHAR", "who"),
            ("way", "VARCHAR", "command, page or link"),
            ("at", "TIMESTAMPTZ", "when"),
            ("until", "TIMESTAMPTZ", "end of the time for which it is shelved; null: it is not"),
            ("comment", "VARCHAR", "what he said; of what is shelved, why"),
        ),
    ),
    Table(
        "hour_notes",
        "What people said about hours, and that they signed them off. Of an hour the last comment holds, and a "
        "sign-off after which nothing was said.",
        (
            ("note", "VARCHAR", "id"),
            ("equipment", "VARCHAR", "ISA-95 path"),
            ("hour", "TIMESTAMPTZ", "start of the hour, aligned in UTC"),
            ("kind", "VARCHAR", "comment or sign"),
            ("by", "VARCHAR", "who"),
            ("at", "TIMESTAMPTZ", "when"),
            ("comment", "VARCHAR", "what he said; empty: what was said before is taken back; null: signed off"),
        ),
    ),
    Table(
        "source_health",
        "How the sources of a live engine are, as of its last change: what was not heard is unknown, not down.",
        (
            ("source", "VARCHAR", "source of the plant file, or http"),
            ("connected", "BOOLEAN", "whether its broker is connected; null: it has none"),
            ("since", "TIMESTAMPTZ", "since when; null: it has none"),
            ("last_received_at", "TIMESTAMPTZ", "when the last message came in, to the minute; null: none yet"),
            ("clock_skew_us", "BIGINT", "least age of its events on arrival, in µs; below 0: its clock is ahead"),
            ("problem", "VARCHAR", "why it is not connected"),
        ),
    ),
    Table(
        "recoveries",
        "Times that the store or its journal was found damaged and was made again; `oeeflow doctor` tells of them.",
        (
            ("at", "TIMESTAMPTZ", "when it was made again"),
            ("cause", "VARCHAR", "what was wrong, and what is lost if anything is"),
            ("damaged_file", "VARCHAR", "where the damaged file was put; null: it was gone"),
            ("snapshot", "VARCHAR", "snapshot it was made from; null: its own file as of the last checkpoint, or none"),
            ("position", "BIGINT", "message of the journal after which it went on; 0: from the first, or no journal"),
        ),
    ),
)
