"""Load and faults on real servers, as long as one likes: `hatch run soak`, `hatch run chaos`."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What starts servers, disks and proxies for the tests serves here too.
sys.path.insert(0, str(ROOT / "tests"))
