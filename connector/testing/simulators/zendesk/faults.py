"""What this sandbox does wrong on purpose: what every vendor may do, and what Zendesk alone does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from connector.testing.simulators.dice import CommonFaults


@dataclass(slots=True)
class Faults(CommonFaults):
    """The wanted misbehaviour, besides what `CommonFaults` tells.

    `requester_collision`: 409 for a new requester. `incremental_lag_s`: the newest seconds that exports hide.
    `tag_removal_clears_field`: taking a list field's tag away empties the field (from memory, unconfirmed).
    """

    SCRIPTABLE: ClassVar[tuple[str, ...]] = (*CommonFaults.SCRIPTABLE, "requester_collision")

    requester_collision: float = 0.0
    incremental_lag_s: float = 60.0
    tag_removal_clears_field: bool = False
