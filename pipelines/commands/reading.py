"""Commands that print rows of the store."""

from pipelines.options import (
    DEFAULT_DB,
    By,
    Db,
    Definition,
    Equipment,
    From,
    Length,
    Level,
    Opened,
    Output,
    Step,
    To,
    opened,
)
from pipelines.output import Column, Format, duration, emit, local, percent, plain


def kpi(
    db: Db = DEFAULT_DB,
    by: By = "shift",
    equipment: Equipment = None,
    level: Level = None,
    start: From = None,
    end: To = None,
    definition: Definition = None,
    length: Length = None,
    step: Step = None,
    form: Output = Format.TABLE,
) -> None:
    """KPI rows: OEE and all else, for every window of a kind.

    Windows count when they start at or after --from and before --to.
    """
    with opened(db) as store:
        rows = store.reader.kpi(
            by,
            store.selection(equipment, level, start, end),
            definition or store.plant.oee_definition,
            **_sliding(store, length, step),
        )
        emit(rows, form, [Column("equipment", plain("equipment")), _window(by, store), *_KPI_COLUMNS])


def timeline(
    db: Db = DEFAULT_DB,
    equipment: Equipment = None,
    level: Level = None,
    start: From = None,
    end: To = None,
    form: Output = Format.TABLE,
) -> None:
    """What happened when: intervals that nothing cuts but a change of what they show.

    Intervals count when they overlap the time from --from to --to.
    """
    with opened(db) as store:
        rows = store.reader.timeline(store.selection(equipment, level, start, end))
        emit(
            rows,
            form,
            [
                Column("equipment", plain("equipment")),
                Column("start", local("start", store.zone)),
                Column("end", local("end", store.zone)),
                *(Column(name, plain(name)) for name in ("account", "reason", "product", "order", "shift")),
            ],
        )


_KPI_COLUMNS = (
    Column("status", plain("status")),
    Column("OEE %", percent("oee"), number=True),
    Column("A %", percent("availability"), number=True),
    Column("P %", percent("performance", flag_above_1=True), number=True),
    Column("Q %", percent("quality"), number=True),
    Column("good", plain("good"), number=True),
    Column("scrap", plain("scrap"), number=True),
    Column("known %", percent("coverage"), number=True),
)


def _window(by: str, store: Opened) -> Column:
    start = local("window_start", store.zone, seconds=False)
    if by == "shift":
        return Column("shift", lambda row: row["shift"] or f"{row['production_date']} (none)")
    return Column("start", start)


def _sliding(store: Opened, length: str | None, step: str | None) -> dict[str, int]:
    from kpis.duration import parse_duration

    return {
        "length_us": store.plant.sliding_length_us if length is None else parse_duration(length),
        "step_us": store.plant.sliding_step_us if step is None else parse_duration(step),
    }
