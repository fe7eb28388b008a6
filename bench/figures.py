"""Figures as the smaller benchmarks print them: one a line, as soon as it is known."""


def say(what: str, figure: str) -> None:
    """Prints one line."""
    print(f"{what:64s} {figure:>14s}", flush=True)
