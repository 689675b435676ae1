"""The store remembers: what arrived, what is intended, what happened. SQLite by default, PostgreSQL by URL.

    Store       opens the database, migrates it, hands out transactions
    arrivals    accept mentions, replies and wake-ups, each with its cursor in the same transaction
    claims      a delivery leased to us, read whole
    queue       claim, intend, settle: the life of a delivery
    watches     whose first answer is awaited, and until when
    people      erasing what somebody said and who they are
    reconcile   what is looked at again: once in doubt, or waiting too long
    storms      where a mention goes when too many come at once: placed, linked, ended
    digests     what got no ticket of its own, told on one
    privates    moved to private: asked for, waited for, joined to the same ticket
    silences    no new tickets of a topic or source for a time
    journal     what people ask: the balance, lists, one delivery whole; retry, drop, release

Every function takes the transaction it works in, so that any number of them commit together.
"""

from __future__ import annotations

from connector.store.claims import Claim, Follower, Part
from connector.store.queue import Outcome
from connector.store.store import Store, StoreBusy, Tx

__all__ = ["Claim", "Follower", "Outcome", "Part", "Store", "StoreBusy", "Tx"]
