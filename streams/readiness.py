"""Whether a worker does its job: recovered, assigned, Kafka and Redis answer."""

from streams.http import Verdict
from streams.transport.app import LaneApp


class Readiness:
    """Kept true by those who know; read by the HTTP port's threads."""

    def __init__(self) -> None:
        self._app: LaneApp | None = None
        self._away: dict[str, str] = {}

    def watch(self, app: LaneApp) -> None:
        """The app has been made: from now on its lanes count."""
        self._app = app

    def away(self, dependency: str, why: str) -> None:
        """A dependency does not answer."""
        self._away[dependency] = why

    def answers(self, dependency: str) -> None:
        """A dependency answers (again)."""
        self._away.pop(dependency, None)

    def verdict(self) -> Verdict:
        """Ready, or what is missing."""
        missing = [f"{name}: {why}" for name, why in sorted(self._away.items())]
        if self._app is None:
            return False, [*missing, "waits for its dependencies"]
        if not self._app.joined:
            missing.append("has not joined its consumer group")
        lanes = dict(self._app.lanes)
        missing += [
            f"partition {n} is being recovered" for n in sorted(lanes) if not lanes[n].ready
        ]
        return not missing, missing
