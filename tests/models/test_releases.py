"""Published parameters: what can be used is found by its name, the rest is refused in words."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.parameters import CDNOW, InvalidParameters, ModelParams, checksum
from models.releases import BYTES_MAX, KEPT_MAX, Releases, read_published


def published(version: str = "v1", **changed: Any) -> bytes:
    return orjson.dumps(replace(CDNOW, version=version, **changed).to_json("week", "major"))


def resealed(**changed: Any) -> bytes:
    document = CDNOW.to_json() | changed
    del document["checksum"]
    return orjson.dumps(document | {"checksum": checksum(document)})


def test_the_newest_is_what_was_published_last() -> None:
    releases = Releases(CDNOW, "USD")
    assert releases.newest == releases.own
    first = releases.take(published("v1", r=0.6), 1_000)
    second = releases.take(published("v2", r=0.7), 2_000)
    assert releases.newest is second
    assert releases.find("v1", 1_000) is first
    assert releases.find("v3", 1_000) is releases.find("v1", 2_000) is None
    assert releases.find(CDNOW.version, 0) is releases.own
    # Back to earlier ones: they are the newest again, by the same version.
    assert releases.take(published("v1", r=0.6), 3_000).params == first.params
    assert releases.newest.at_ms == 3_000


def test_what_is_kept_is_bounded() -> None:
    releases = Releases(CDNOW, "USD")
    for number in range(3 * KEPT_MAX):
        releases.take(published(f"v{number}"), number)
    known = [n for n in range(3 * KEPT_MAX) if releases.find(f"v{n}", n) is not None]
    assert known == list(range(2 * KEPT_MAX, 3 * KEPT_MAX))


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"\xff\x00", "no JSON"),
        (b"[]", "no JSON object"),
        (b" " * (BYTES_MAX + 1), "bytes"),
        (b"{}", "version is missing"),
        (orjson.dumps(CDNOW.to_json() | {"checksum": ""}), "checksum is missing"),
        (published().replace(b"0.525", b"0.526"), "checksum does not belong"),
        (resealed(time_unit="month"), "time_unit"),
        (resealed(currency="EUR"), "scored in USD"),
        (resealed(currency=["USD"]), "scored in USD"),
        (resealed(model={"a": 1}), "as `clv fit` writes"),
        (resealed(schema=2), "schema"),
        (resealed(purchases={"r": 1, "alpha": -4, "a": 1, "b": 1}), "alpha"),
        (resealed(extent=7), "as `clv fit` writes"),
        (published(v=1e300), "out of scale"),
        (published(r=1e308, a=1e-300), "out of scale"),
        (published(version=CDNOW.version, r=0.6), "have the version cdnow-1997-09-30"),
    ],
)
def test_what_cannot_be_used_is_refused_and_changes_nothing(value: bytes, why: str) -> None:
    releases = Releases(CDNOW, "USD")
    before = releases.take(published("good"), 1_000)
    with pytest.raises(InvalidParameters, match=why):
        releases.take(value, 2_000)
    assert releases.newest is before


def test_older_than_those_in_use() -> None:
    releases = Releases(CDNOW, "USD")
    releases.take(published("v1"), 2_000)
    with pytest.raises(InvalidParameters, match="clock is behind"):
        releases.take(published("v2"), 1_000)


def test_they_are_tried_out_over_the_horizon_and_at_the_discount_of_the_worker() -> None:
    # Orders of 4e14 minor units, of which 50 in ten years are above 2^53.
    rich = published(r=2.0, alpha=100.0, a=0.1, b=2.0, v=2e14)
    Releases(CDNOW, "USD", horizon_days=30.0).take(rich, 1_000)
    with pytest.raises(InvalidParameters, match="over 3660 days: a parameter is out of scale"):
        Releases(CDNOW, "USD", horizon_days=3660.0).take(rich, 1_000)
    # With five sixths of that discounted away they are below again.
    later = Releases(CDNOW, "USD", horizon_days=3660.0, discount_rate=1.0)
    assert later.take(rich, 1_000).at_ms == 1_000


any_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["r", "alpha", "p", "q", "v", "x"]), inner, max_size=4)
    ),
    max_leaves=6,
)


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(st.dictionaries(st.sampled_from(list(CDNOW.to_json())), any_json, max_size=3))
def test_whatever_is_published_is_read_or_refused(changed: dict[str, Any]) -> None:
    document = orjson.loads(orjson.dumps(CDNOW.to_json() | changed))
    document.pop("checksum", None)
    try:
        params = read_published(
            orjson.dumps(document | {"checksum": checksum(document)}), CDNOW.currency, 365.0, 0.0
        )
    except InvalidParameters:
        return  # and nothing else is raised
    assert isinstance(params, ModelParams)
