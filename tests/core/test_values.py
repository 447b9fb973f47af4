"""The values of training facts: the same seed makes the same values, in every process."""

from __future__ import annotations

import os
import subprocess
import sys

DRAWS = """
from kblam_core.training.values import Values
values = Values(5)
for kind in ("place", "person", "organisation", "street_address", "phone", "email"):
    print([values.make(kind) for _ in range(40)])
"""


def test_a_seed_makes_the_same_values_whatever_the_hash_seed():
    made = set()
    for hash_seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run([sys.executable, "-c", DRAWS], env=environment, capture_output=True, text=True, check=True)
        made.add(done.stdout)
    assert len(made) == 1 and made != {""}
