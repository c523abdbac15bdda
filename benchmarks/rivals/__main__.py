"""The races, in the environment of the rivals: `python -m benchmarks.rivals ASKED.json ROWS.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.harness import Options
from benchmarks.rivals import race


def main(asked: Path, rows: Path) -> int:
    said = json.loads(asked.read_text())
    options = Options(
        cells=said["cells"], years=80, rounds=said["rounds"], scratch=Path(said["scratch"]), only=tuple(said["only"])
    )
    rows.write_text(json.dumps(race.all_races(options)))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
