"""Under which keys Redis holds what; all begin with the prefix (`CLV_REDIS_PREFIX`).

score:<customer_id>  string      the score, the JSON of `clv.scores`
rank:total           sorted set  customer ids by total_clv_minor
rank:risk            sorted set  customer ids by value_at_risk_minor
mark:<partition>     string      the changelog offset that the partition's scores reflect
"""


class RedisKeys:
    """The keys of one installation, made once: thousands of scores are written and read by them.

    Attributes:
        score: what the keys of scores begin with; the customer's id follows.
        total: key of the ranking by total value.
        risk: key of the ranking by value at risk.
        rankings: both, by name: `total` and `risk`.
    """

    def __init__(self, prefix: str) -> None:
        self._mark = f"{prefix}mark:"
        self.score = f"{prefix}score:".encode()
        self.total = f"{prefix}rank:total".encode()
        self.risk = f"{prefix}rank:risk".encode()
        self.rankings = {"total": self.total, "risk": self.risk}

    def mark(self, partition: int) -> bytes:
        """Key of a partition's mark."""
        return f"{self._mark}{partition}".encode()
