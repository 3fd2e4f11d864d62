"""Random small plants: shapes, settings, and calendars around a clock change."""

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random

UNITS = ("filler", "capper", "labeller", "robot", "palletizer")
PRODUCTS = ("P-100", "P-200", "P-999")  # the last one stays unknown to the plant file
CYCLES = ("333us", "500ms", "1.5s", "12s", "1m")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# zones with an instant around which things get interesting: most are clock changes, some at local midnight
ZONES = (
    ("UTC", "2026-02-28T22:00:00Z"),
    ("Asia/Kolkata", "2026-03-01T18:30:00Z"),
    ("Europe/Berlin", "2026-03-29T01:00:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00:00Z"),
    ("America/New_York", "2026-03-08T07:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    ("America/Sao_Paulo", "2017-10-15T03:00:00Z"),
    ("America/Sao_Paulo", "2018-02-18T02:00:00Z"),
    ("Africa/Cairo", "2026-04-23T22:00:00Z"),
    ("America/Havana", "2026-11-01T05:00:00Z"),
)
Breaks = tuple[tuple[str, int], ...]
# name, start, end, breaks as (start, minutes)
SHIFTS: dict[str, tuple[tuple[str, str, str, Breaks], ...]] = {
    "three": (
        ("early", "06:00", "14:00", (("09:00", 15), ("12:00", 30))),
        ("late", "14:00", "22:00", (("18:00", 30),)),
        ("night", "22:00", "06:00", (("02:00", 30), ("05:45", 30))),
    ),
    "overlap": (
        ("day", "07:30", "16:15", (("12:00", 45),)),
        ("swing", "15:00", "23:30", (("15:30", 20), ("19:00", 30))),
    ),
    "round": (("around", "06:00", "06:00", (("02:30", 45), ("12:00", 30), ("05:59", 5))),),
    "thin": (
        ("ghost", "02:00", "03:00", ()),
        ("half", "02:30", "10:00", (("02:15", 30),)),
        ("twilight", "23:00", "01:30", (("00:30", 20),)),
    ),
}


@dataclass(frozen=True)
class RandomPlant:
    """A plant file with what a log needs to know about it: who sends, who else there is, and around which instant."""

    toml: str
    senders: list[str]
    paths: list[str]
    around: datetime


def table(header: str, entries: dict[str, str]) -> str:
    """A TOML table of ready-made values."""
    return "\n".join([header, *(f"{key} = {value}" for key, value in entries.items()), ""])


def text(value: str) -> str:
    """A TOML string."""
    return json.dumps(value)


def shift_values(name: str, start: str, end: str, breaks: Breaks) -> dict[str, str]:
    """The values of a shift that rules and exceptions share."""
    pauses = ", ".join(f"{{ start = {begin}:00, minutes = {minutes} }}" for begin, minutes in breaks)
    return {"name": text(name), "start": f"{start}:00", "end": f"{end}:00", "breaks": f"[{pauses}]"}


def quarter(rng: Random) -> str:
    """A local time on a quarter of an hour."""
    return f"{rng.randrange(24):02}:{rng.choice((0, 15, 30, 45)):02}"


def random_shift(rng: Random, name: str) -> dict[str, str]:
    """A shift at any time of the day; breaks may lie outside it."""
    breaks = tuple((quarter(rng), rng.choice((10, 30, 90))) for _ in range(rng.randrange(3)))
    return shift_values(name, quarter(rng), quarter(rng), breaks)


def calendar(rng: Random, name: str, around: date) -> str:
    """The rules and exceptions of one calendar; shift names are unique in the plant."""
    tables = []
    kind = rng.choice((*SHIFTS, "random"))
    if kind == "random":
        shifts = [random_shift(rng, f"{name}-{n}") for n in range(rng.randint(1, 3))]
    else:
        shifts = [shift_values(f"{name}-{shift}", start, end, breaks) for shift, start, end, breaks in SHIFTS[kind]]
    for shift in shifts:
        days = DAYS if rng.random() < 0.6 else sorted(rng.sample(DAYS, rng.randint(3, 6)), key=DAYS.index)
        listed = "[" + ", ".join(text(day) for day in days) + "]"
        tables.append(table("[[shifts]]", {"calendar": text(name), **shift, "days": listed}))
    for _ in range(rng.choice((0, 0, 1, 2, 3))):
        day = around + timedelta(days=rng.randint(-1, 1))
        inner = [random_shift(rng, f"{name}-extra-{rng.randrange(10**6)}") for _ in range(rng.randrange(3))]
        rows = ["{ " + ", ".join(f"{key} = {value}" for key, value in shift.items()) + " }" for shift in inner]
        entry = {
            "calendar": text(name),
            "date": str(day),
            "shifts": f"[{', '.join(rows)}]",
            "reason": text("as planned"),
        }
        tables.append(table("[[exceptions]]", entry))
    return "\n".join(tables)


def settings(rng: Random, calendars: list[str], share: float) -> dict[str, str]:
    """Equipment settings, each given with the probability `share`."""
    choices = {
        "minor_stop_under": ("0s", "30s", "2m", "10m"),
        "stale_after": ("0s", "5m", "30m", "2h"),
        "grace": ("0s", "2m", "1h"),
        "ideal_cycle": CYCLES,
    }
    given = {key: text(rng.choice(values)) for key, values in choices.items() if rng.random() < share}
    if calendars and rng.random() < share:
        given["calendar"] = text(rng.choice(calendars))
    if rng.random() < share / 3:
        given["state_from_counts"] = f"{{ stop_after = {text(rng.choice(('30s', '5m', '5x')))} }}"
    return given


def names(rng: Random) -> str:
    """States, reasons and products."""
    states = {
        "RUN": "producing",
        "STOP": "down",
        "WAIT": "idle",
        "SETUP": "setup",
        "LUNCH": "planned",
        "LOST": "unknown",
    }
    if rng.random() < 0.1:
        states["idle"] = "down"  # the file's own word beats the category of the same name
    tables = [table("[states]", {state: text(category) for state, category in states.items()})]
    for reason, category in {"jam": "down", "starved": "idle", "changeover": "setup", "cleaning": "planned"}.items():
        if rng.random() < 0.8:
            tables.append(table(f"[reasons.{reason}]", {"label": text(reason), "category": text(category)}))
    tables.append(table("[reasons.note]", {"label": text("no category")}))
    return "\n".join(tables)


def constrained(rng: Random, units: list[str]) -> dict[str, str]:
    """The keys of a line that rolls up by its constraint."""
    keys = {"rollup": text("constraint"), "constraint": text(rng.choice(units))}
    if rng.random() < 0.5:
        keys["output"] = text(rng.choice(units))
    return keys


def random_plant(rng: Random) -> RandomPlant:
    """A plant of one or two sites, one or two lines each, and one to five units in all."""
    zone, moment = rng.choice(ZONES)
    around = datetime.fromisoformat(moment)
    calendars = [f"c{n}" for n in range(rng.choice((0, 1, 1, 2)))]
    sites = ["acme/ulm", "acme/ulm-2"][: rng.choice((1, 1, 2))]
    area = rng.choice(("", "/packing"))
    lines = [f"{site}{area}/line-{n}" for site in sites for n in range(1, rng.randint(1, 2) + 1)]
    units = [f"{rng.choice(lines)}/{unit}" for unit in UNITS[: rng.randint(1, len(UNITS))]]
    lines = [line for line in lines if any(unit.startswith(f"{line}/") for unit in units)]
    senders = rng.sample(units, max(1, len(units) - rng.choice((0, 0, 1))))

    defaults = settings(rng, calendars, 0.5)
    plant_zone = zone
    if rng.random() < 0.5:
        plant_zone, defaults["timezone"] = "UTC", text(zone)
    equipment = {unit: {"level": text("unit"), **settings(rng, calendars, 0.4)} for unit in units}
    for line in lines:
        below = [unit for unit in units if unit.startswith(f"{line}/")]
        if rng.random() < 0.6:
            rollup = constrained(rng, below) if rng.random() < 0.5 else {}
            equipment[line] = {"level": text("line"), **rollup, **settings(rng, calendars, 0.2)}
        if rng.random() < 0.15:
            senders.append(line)
    for site in {line.rpartition("/line-")[0].removesuffix("/packing"): None for line in lines}:
        below = [line for line in lines if line.startswith(f"{site}/")]
        if rng.random() < 0.5:
            rollup = constrained(rng, below) if rng.random() < 0.2 else {}
            equipment[site] = {"level": text("site"), **rollup, **settings(rng, calendars, 0.2)}

    parts = [
        table("[plant]", {"name": text("Acme"), "timezone": text(plant_zone), "oee_definition": text("standard")}),
        table("[defaults]", defaults),
        *(calendar(rng, name, around.date()) for name in calendars),
        *(table(f"[equipment.{text(path)}]", keys) for path, keys in equipment.items()),
    ]
    for product in PRODUCTS[:2]:
        places = rng.sample(list(equipment), rng.randint(1, min(3, len(equipment))))
        cycles = {text(place): text(rng.choice(CYCLES)) for place in places}
        parts.append(table(f"[products.{text(product)}.ideal_cycle]", cycles))
    parts.append(names(rng))
    paths = {"/".join(unit.split("/")[:depth]) for unit in units for depth in range(1, len(unit.split("/")) + 1)}
    return RandomPlant("\n".join(parts), senders, sorted(paths), around)
