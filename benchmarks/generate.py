"""A generated log: machines that run, stop and count, a day in order of time, as Parquet and as JSON lines."""

from pathlib import Path

import numpy as np
import polars as pl

DAY_US = 86_400_000_000
FIRST_US = 1_772_409_600_000_000  # 2026-03-02T00:00:00Z, a Monday
STATES_SHARE = 0.04  # a machine that reports every 3.5 s changes its state every minute and a half
SCRAP_SHARE = 0.05
_STATES = ("producing", "producing", "producing", "down", "idle", "setup")


def machines(number: int) -> list[str]:
    """Paths of machines, ten to a line and fifty to a hall."""
    return [f"acme/ulm/hall-{n // 50}/line-{n // 10}/machine-{n:03d}" for n in range(number)]


def plant(number: int) -> str:
    """The plant file: three shifts with a break each, minor stops under two minutes."""
    shifts = [("early", "06:00:00", "14:00:00", "10:00:00"), ("late", "14:00:00", "22:00:00", "18:00:00")]
    shifts += [("night", "22:00:00", "06:00:00", "02:00:00")]
    days = '["mon", "tue", "wed", "thu", "fri", "sat", "sun"]'
    parts = [
        '[plant]\nname = "benchmark"\ntimezone = "Europe/Berlin"\n',
        '[defaults]\nminor_stop_under = "2m"\nideal_cycle = "1s"\ncalendar = "three"\n',
    ]
    parts += [
        f'[[shifts]]\ncalendar = "three"\nname = "{name}"\ndays = {days}\nstart = {start}\nend = {end}\n'
        f"breaks = [{{ start = {pause}, minutes = 30 }}]\n"
        for name, start, end, pause in shifts
    ]
    parts += [f'[equipment."{path}"]\nlevel = "unit"\n' for path in machines(number)]
    return "\n".join(parts)


def day(number: int, events: int, which: int = 0) -> pl.DataFrame:
    """The events of one day of so many machines."""
    rng = np.random.default_rng(which)
    ts = np.sort(rng.integers(0, DAY_US, events)) + FIRST_US + which * DAY_US
    state = pl.Series(rng.random(events) < STATES_SHARE)
    names = pl.Series(machines(number))
    frame = pl.DataFrame(
        {
            "id": pl.int_range(events, eager=True),
            "ts": pl.Series(ts).cast(pl.Datetime("us", "UTC")),
            "equipment": names.gather(pl.Series(rng.integers(0, number, events))),
            "type": state,
            "state": pl.Series(_STATES).gather(pl.Series(rng.integers(0, len(_STATES), events))),
            "good": rng.integers(1, 6, events),
            "scrap": rng.random(events) < SCRAP_SHARE,
        }
    )
    return frame.select(
        id=pl.format("{}-{}", pl.lit(which), "id"),
        ts="ts",
        equipment="equipment",
        type=pl.when("type").then(pl.lit("state")).otherwise(pl.lit("count")),
        state=pl.when("type").then("state"),
        good=pl.when(~pl.col("type")).then("good"),
        scrap=pl.when(~pl.col("type") & pl.col("scrap")).then(1),
    )


def write_parquet(frame: pl.DataFrame, path: Path) -> None:
    """As a table, with times as timestamps."""
    frame.write_parquet(path, row_group_size=245_760)


def write_lines(frame: pl.DataFrame, path: Path) -> None:
    """As lines of JSON, without what is null."""
    text = frame.with_columns(pl.col("ts").dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ"))
    head = pl.concat_str([pl.lit("{"), *(_field(name, quote=True) for name in text.columns[:4])]).str.replace(
        "{,", "{", literal=True
    )
    with path.open("wb") as file:
        for part in text.iter_slices(500_000):
            lines = part.select(
                line=pl.concat_str(
                    [
                        head,
                        *(_field(name, quote=name == "state") for name in ("state", "good", "scrap")),
                        pl.lit("}\n"),
                    ]
                )
            )
            file.write("".join(lines["line"]).encode())


def _field(name: str, *, quote: bool) -> pl.Expr:
    mark = '"' if quote else ""
    value = pl.concat_str([pl.lit(f',"{name}":{mark}'), pl.col(name).cast(pl.String), pl.lit(mark)])
    return value.fill_null("")
