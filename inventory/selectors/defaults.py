"""Which ratios capacity gets where nobody says."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from inventory.foundation.defaults import values_in_force
from inventory.models import CapacityDefaults


@dataclass(frozen=True)
class CapacityRatios:
    """The over-commit ratios of an organisation's pools, as far as nobody says otherwise."""

    cpu: Decimal
    memory: Decimal

    def of(self, class_name: str) -> Decimal:
        """Return the ratio of a kind of capacity.

        Virtual processors and memory can be over-committed; everything else, thousandths of a real
        processor included, is there once.
        """
        return {"VCPU": self.cpu, "MEMORY_MB": self.memory}.get(class_name, Decimal(1))


def capacity_ratios(*, organisation_id: int | None, at: datetime) -> CapacityRatios:
    """Return the ratios in force at `at` for pools that the organisation operates."""
    values = values_in_force(CapacityDefaults, organisation_id=organisation_id, at=at)
    return CapacityRatios(cpu=values["cpu_ratio"].value, memory=values["memory_ratio"].value)
