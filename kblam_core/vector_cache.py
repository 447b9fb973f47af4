"""Sentence vectors kept on disk, so that what was paid for once is not sent again."""

import hashlib
import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import numpy as np

log = logging.getLogger(__name__)
_AT_ONCE = 500  # questions a statement; SQLite's own limit is higher


class VectorCache:
    """Vectors by model and text in one SQLite file, as float16; several processes may use it at once.

    Where the file cannot be used (a full disk, another kind of file) vectors are kept in memory and one warning says so.
    """

    def __init__(self, path: Path) -> None:
        self._lock = Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._base = self._open(str(path))
        except (OSError, sqlite3.Error) as error:
            log.warning("The cache of embeddings %s cannot be used (%s): nothing is kept on disk. Remove or rename it.", path.name, error)
            self._base = self._open(":memory:")

    @staticmethod
    def _open(path: str) -> sqlite3.Connection:
        base = sqlite3.connect(path, timeout=30, check_same_thread=False)
        base.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID")
        return base

    def get(self, model: str, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """The vectors (E,) float32 of those texts that are known."""
        keys = {_key(model, text): text for text in texts}
        wanted, found = list(keys), {}
        with self._lock:
            for start in range(0, len(wanted), _AT_ONCE):
                part = wanted[start : start + _AT_ONCE]
                marks = ",".join("?" * len(part))
                rows = self._base.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", part)
                found.update((keys[key], np.frombuffer(vector, dtype=np.float16).astype(np.float32)) for key, vector in rows)
        return found

    def put(self, model: str, vectors: dict[str, np.ndarray]) -> None:
        """Keep these vectors; a disk that cannot take them is warned about, not an error."""
        rows = [(_key(model, text), vector.astype(np.float16).tobytes()) for text, vector in vectors.items()]
        with self._lock:
            try:
                with self._base:
                    self._base.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
            except sqlite3.Error as error:
                log.warning("%d embeddings could not be kept on disk: %s.", len(rows), error)


def _key(model: str, text: str) -> bytes:
    return hashlib.sha256(f"{model}\0{text}".encode("utf-8", "surrogatepass")).digest()
