"""What holds for every test."""

from __future__ import annotations

import os

# Before anything loads OpenMP: threads that wait for one another sleep. By default they spin, which on a busy machine
# makes training with two threads ten times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
