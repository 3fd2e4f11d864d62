"""The kinds of windows that rows can be asked for by: the fixed ones by name, and sliding ones of any length."""

from typing import Final

from kpis.errors import ConfigError
from kpis.plant_file import MOST_OVERLAPPING
from storage.grains import GRAINS, MINUTE_US, Grain

SLIDING: Final = "sliding"
WINDOWS: Final = (*(grain.name for grain in GRAINS), SLIDING)


def grain_named(by: str) -> Grain:
    """The kind of window of that name. Raises ConfigError when there is none."""
    for grain in GRAINS:
        if grain.name == by:
            return grain
    msg = f'unknown kind of window "{by}"'
    raise ConfigError(msg, hint=f"one of {', '.join(WINDOWS)}")


def sliding(length_us: int, step_us: int, first: int | None = None, last: int | None = None) -> Grain:
    """Windows of a length that end at every multiple of the step since 1970 in UTC.

    Only those that start from `first` on and before `last`, where these are given. Raises ConfigError unless length
    and step are whole minutes above 0, the minute being what pieces are kept by.

    >>> sliding(60 * MINUTE_US, MINUTE_US).meaning
    'the last 60 minutes, every 1 minutes'
    """
    for name, us in (("length", length_us), ("step", step_us)):
        if us <= 0 or us % MINUTE_US:
            msg = f"the {name} of a sliding window has to be whole minutes, 1m or more"
            raise ConfigError(msg, hint="give durations such as --length 60m --step 1m")
    if length_us // step_us > MOST_OVERLAPPING:
        msg = "the step of a sliding window is too small for its length"
        raise ConfigError(msg, hint="take a longer step")

    def ends(start: str, until: str) -> str:
        """The ends of the windows that have an instant of `start` to `until`, in steps."""
        begin, end = f"{start} // {step_us} + 1", f"({until} + {length_us}) // {step_us} + 1"
        if first is not None:
            begin = f"greatest({begin}, {-(-(first + length_us) // step_us)})"
        if last is not None:
            end = f"least({end}, {-(-(last + length_us) // step_us)})"
        return f"unnest(range({begin}, {end})) AS w"

    at = "epoch_us(window_start)"
    booked = "epoch_us(booked_at)"
    return Grain(
        SLIDING,
        f"the last {length_us // MINUTE_US} minutes, every {step_us // MINUTE_US} minutes",
        parts=("w",),
        time=f"(SELECT i.*, {ends('i.s', '(i.e - 1)')} FROM intervals_now i WHERE i.e > i.s)",
        pieces=f"(SELECT *, {ends(at, at)} FROM count_elements)",
        stops=f"(SELECT *, {ends(booked, booked)} FROM stops_now)",
        start=f"make_timestamptz(s.w * {step_us} - {length_us})",
        end=f"make_timestamptz(s.w * {step_us})",
        changes=f"""(SELECT c.*, {ends('epoch_us(c."start")', '(epoch_us(c."end") - 1)')} FROM changes c)""",
        us=f"least(i.e, i.w * {step_us}) - greatest(i.s, i.w * {step_us} - {length_us})",
    )
