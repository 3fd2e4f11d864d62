"""The plant file: loading it, checking it, and the plant that it describes."""

from dataclasses import dataclass
from importlib.resources import files

from kpis.errors import ConfigError
from kpis.faults import Fault
from kpis.plant_checks import find_faults
from kpis.plant_file import json_schema
from kpis.plant_model import Break, Calendar, Equipment, Plant, Product, Reason, ShiftRule
from kpis.plant_resolve import resolve
from kpis.plant_sources import Source
from kpis.plant_warnings import find_some_warnings, find_warnings
from kpis.wording import counted

__all__ = [
    "STARTER",
    "Break",
    "Calendar",
    "Equipment",
    "Fault",
    "Plant",
    "PlantError",
    "Product",
    "Reason",
    "Report",
    "ShiftRule",
    "Source",
    "check_plant",
    "json_schema",
    "load_plant",
]

STARTER = files("kpis").joinpath("starter.toml").read_text(encoding="utf-8")
"""A commented plant file that is valid as it is."""


class PlantError(ConfigError):
    """The plant file cannot be used; ``faults`` holds every one of its faults."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        head = f"the plant file has {counted(len(faults), 'fault')}:"
        super().__init__("\n".join([head, *(f"  {fault}" for fault in faults)]))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Report:
    """Everything found in a plant file. Without faults there is a plant; warnings do not stand in its way."""

    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]
    plant: Plant | None


def check_plant(text: str) -> Report:
    """All faults of a plant file at once, and what looks implausible in it; without faults also the plant.

    Beside faults, only what a table says by itself can be judged.
    """
    file, faults, unread = find_faults(text)
    if file is None:
        return Report(faults, (), None)
    if faults:
        return Report(faults, find_some_warnings(file, text, unread), None)
    plant = resolve(file, text)
    return Report((), find_warnings(file, plant), plant)


def load_plant(text: str) -> Plant:
    """The plant that a plant file describes.

    Raises PlantError with all its faults.
    """
    file, faults, _ = find_faults(text)
    if file is None or faults:
        raise PlantError(faults)
    return resolve(file, text)
