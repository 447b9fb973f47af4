"""Tables that API clients sent once and then name by id; kept in memory, bounded in number, size and age."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kblam_core import Triple

MAX_TABLES = 64
MAX_FACTS = 50_000  # in all tables together: a fact's vectors take some 10 KB
MAX_AGE = 3600  # seconds since the last use


@dataclass
class StoredTable:
    """kb: the encoded base once a question has been answered from it. used: when it was last asked for, in seconds."""

    id: str
    triples: Sequence[Triple]
    used: float
    kb: Any = None


class TableStore:
    """What was used longest ago is forgotten first. Ids cannot be guessed: who has one may read the table."""

    def __init__(
        self,
        *,
        max_tables: int = MAX_TABLES,
        max_facts: int = MAX_FACTS,
        max_age: float = MAX_AGE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_tables, self._max_facts, self._max_age, self._clock = max_tables, max_facts, max_age, clock
        self._tables: OrderedDict[str, StoredTable] = OrderedDict()  # in the order of their last use
        self._lock = threading.Lock()

    def add(self, triples: Sequence[Triple]) -> StoredTable:
        """Keep a table under a new id."""
        table = StoredTable(f"table-{secrets.token_urlsafe(16)}", tuple(triples), self._clock())
        with self._lock:
            self._tables[table.id] = table
            self._forget(keep=table.id)
        return table

    def get(self, table_id: str) -> StoredTable | None:
        """The table, whose age begins anew; None when there is none of that id."""
        with self._lock:
            self._forget()
            table = self._tables.get(table_id)
            if table is not None:
                table.used = self._clock()
                self._tables.move_to_end(table_id)
            return table

    def remove(self, table_id: str) -> bool:
        """Forget a table; False when there was none of that id."""
        with self._lock:
            return self._tables.pop(table_id, None) is not None

    def __len__(self) -> int:
        return len(self._tables)

    def _forget(self, keep: str | None = None) -> None:
        oldest = self._clock() - self._max_age
        for table in list(self._tables.values()):
            facts = sum(len(one.triples) for one in self._tables.values())
            too_many = len(self._tables) > self._max_tables or facts > self._max_facts
            if table.id != keep and (table.used < oldest or too_many):
                del self._tables[table.id]
