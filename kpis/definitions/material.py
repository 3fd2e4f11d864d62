"""Material, stock and energy: what went in, over what came out."""

from kpis.formula import Term, ratio
from kpis.kpi import kpi


@kpi("Comprehensive energy consumption", unit="kwh_per_piece", better="down", span="0 and up", iso_number=23)
def comprehensive_energy_consumption(energy_kwh: Term, total: Term) -> Term:
    """Energy of all kinds per piece made, good or not.

    Undefined: when the energy is not known, or nothing was made
    Source: usual form of ISO 22400-2, comprehensive energy consumption: energy / PQ

    >>> comprehensive_energy_consumption(energy_kwh=50.0, total=200)
    0.25
    """
    return ratio(energy_kwh, total)


@kpi("Inventory turns", unit="turns", span="0 and up", iso_number=24)
def inventory_turns(total: Term, average_inventory: Term) -> Term:
    """How often the stock was turned over: pieces made, over the mean stock.

    Undefined: when the mean stock is not known, or is 0
    Source: ISO 22400-2, inventory turns: throughput / average inventory

    >>> inventory_turns(total=1200, average_inventory=400)
    3.0
    """
    return ratio(total, average_inventory)


@kpi("Finished goods ratio", iso_number=25)
def finished_goods_ratio(good: Term, consumed_material: Term) -> Term:
    """Good quantity, over the material consumed for it.

    Undefined: when the consumed material is not known, or is 0
    Source: ISO 22400-2, finished goods ratio: GQ / CM

    >>> finished_goods_ratio(good=90, consumed_material=120)
    0.75
    """
    return ratio(good, consumed_material)


@kpi("Integrated goods ratio", iso_number=26)
def integrated_goods_ratio(integrated_good: Term, consumed_material: Term) -> Term:
    """Good quantity of all outputs of a joint process, over the material consumed for them.

    Undefined: when either is not known, or no material was consumed
    Source: ISO 22400-2, integrated goods ratio: integrated good quantity / CM

    >>> integrated_goods_ratio(integrated_good=105, consumed_material=120)
    0.875
    """
    return ratio(integrated_good, consumed_material)


@kpi("Production loss ratio", better="down", iso_number=27)
def production_loss_ratio(production_loss: Term, consumed_material: Term) -> Term:
    """The share of material lost in production.

    Undefined: when either is not known, or no material was consumed
    Source: ISO 22400-2, production loss ratio: PL / CM

    >>> production_loss_ratio(production_loss=6, consumed_material=120)
    0.05
    """
    return ratio(production_loss, consumed_material)


@kpi("Storage and transportation loss ratio", better="down", iso_number=28)
def storage_and_transportation_loss_ratio(storage_loss: Term, consumed_material: Term) -> Term:
    """The share of material lost in storage and transport.

    Undefined: when either is not known, or no material was consumed
    Source: ISO 22400-2, storage and transportation loss ratio: STL / CM

    >>> storage_and_transportation_loss_ratio(storage_loss=3, consumed_material=120)
    0.025
    """
    return ratio(storage_loss, consumed_material)


@kpi("Other loss ratio", better="down", iso_number=29)
def other_loss_ratio(other_loss: Term, consumed_material: Term) -> Term:
    """The share of material lost in any other way.

    Undefined: when either is not known, or no material was consumed
    Source: ISO 22400-2, other loss ratio: OL / CM

    >>> other_loss_ratio(other_loss=3, consumed_material=120)
    0.025
    """
    return ratio(other_loss, consumed_material)
