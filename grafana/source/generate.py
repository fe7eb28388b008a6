"""Writes the dashboards: `python -m grafana.source.generate`, or `--check` to compare only."""

import json
import sys
from pathlib import Path

from grafana.source.customers import CUSTOMERS
from grafana.source.dependencies import DEPENDENCIES
from grafana.source.model import MODEL
from grafana.source.panel import dashboard_json
from grafana.source.pipeline import PIPELINE

FOLDER = Path(__file__).parents[1] / "dashboards"
DASHBOARDS = (CUSTOMERS, PIPELINE, MODEL, DEPENDENCIES)


def files() -> dict[Path, str]:
    """Every dashboard's file and what it holds."""
    return {
        FOLDER / f"{dashboard.uid.removeprefix('clv-')}.json": json.dumps(
            dashboard_json(dashboard), indent=2
        )
        + "\n"
        for dashboard in DASHBOARDS
    }


def main() -> int:
    """Write the files; with `--check`, report those that differ and fail."""
    stale = [path for path, text in files().items() if not _holds(path, text)]
    if "--check" in sys.argv[1:]:
        for path in stale:
            sys.stderr.write(
                f"{path} is not what its source says: run python -m grafana.source.generate\n"
            )
        return 1 if stale else 0
    for path in stale:
        path.write_text(files()[path])
    return 0


def _holds(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


if __name__ == "__main__":
    raise SystemExit(main())
