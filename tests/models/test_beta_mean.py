"""Means over a Beta distribution are those that Euler's integral gives."""

import mpmath as mp
import numpy as np
import pytest

from models._beta_mean import beta_mean


@pytest.mark.parametrize("s", [0.3, 40.0])
@pytest.mark.parametrize("growth", [0.01, 0.9, 500.0])
@pytest.mark.parametrize("a", [0.02, 1.0, 5.3, 400.0])
def test_means_of_a_power_are_hypergeometric(a, growth, s):
    # Abramowitz & Stegun (1964), 15.3.1: E[(1 + p·g)^-s] = 2F1(s, a; a + b; -g).
    b = np.array([0.02, 0.7, 2.0, 281.0, 3000.0])
    got = beta_mean(
        a, b, lambda p: (1.0 + p * growth) ** -s, np.ones(5), np.full(5, (1.0 + growth) ** -s)
    )
    with mp.workdps(50):
        true = [float(mp.hyp2f1(s, a, mp.mpf(a) + one, -mp.mpf(growth))) for one in b]
    # What is taken off at an end is at most 1, and some of its digits are lost with it.
    np.testing.assert_allclose(got, true, rtol=1e-10, atol=1e-14)


def test_a_mean_does_not_depend_on_the_other_rows():
    b = np.array([0.5, 3.0, 900.0])
    growth = np.array([3.0, 0.1, 40.0])

    def means(rows):
        def power(p):
            return (1.0 + p * growth[rows]) ** -2.5

        return beta_mean(0.4, b[rows], power, np.ones(rows.size), power(np.ones(rows.size)))

    together = means(np.arange(3))
    assert [means(np.array([row]))[0] for row in range(3)] == together.tolist()
