"""The models' formulas as printed, in 50-digit arithmetic."""

import mpmath as mp

mp.mp.dps = 50


def beta_geometric_purchases(a, b_alive, s, since, horizon):
    """E[(1 - exp(-lambda·p·h))/p] with the 2F1 as the papers print it, before Euler.

    At a = 1, where they divide by zero, a is moved by 1e-40: digits to spare at 100 of them.
    """
    with mp.workdps(100):
        a, b_alive, s, since, horizon = (mp.mpf(v) for v in (a, b_alive, s, since, horizon))
        if a == 1:
            a += mp.mpf(10) ** -40
        c = a + b_alive - 1
        series = mp.hyp2f1(s, b_alive, c, horizon / (since + horizon))
        return c / (a - 1) * (1 - (since / (since + horizon)) ** s * series)


def discounted_beta_geometric_purchases(a, b_alive, s, since, horizon, discount):
    """The same, by the Stieltjes integral over the undiscounted curve, by parts.

    exp(-dh)·G(h) plus the integral over u of d·exp(-du)·G(u).
    """
    with mp.workdps(25):

        def held(u):
            return mp.exp(-discount * u) * beta_geometric_purchases(a, b_alive, s, since, u)

        return held(mp.mpf(horizon)) + discount * mp.quad(held, [0, horizon], maxdegree=5)


def mbg_p_alive(r, alpha, a, b, x, t_x, age):
    r, alpha, a, b, t_x, age = (mp.mpf(v) for v in (r, alpha, a, b, t_x, age))
    return 1 / (1 + a / (b + x) * ((alpha + age) / (alpha + t_x)) ** (r + x))


def bg_p_alive(r, alpha, a, b, x, t_x, age):
    if x == 0:
        return mp.mpf(1)
    r, alpha, a, b, t_x, age = (mp.mpf(v) for v in (r, alpha, a, b, t_x, age))
    return 1 / (1 + a / (b + x - 1) * ((alpha + age) / (alpha + t_x)) ** (r + x))


def age_at_p_alive(r, alpha, odds_at_once, x, t_x, threshold):
    """`p_alive` solved for the age, by the odds right after the last purchase.

    They are (b + x)/a for MBG/NBD, and (b + x - 1)/a for BG/NBD.
    """
    r, alpha, odds, t_x, threshold = (mp.mpf(v) for v in (r, alpha, odds_at_once, t_x, threshold))
    return (alpha + t_x) * (odds * (1 - threshold) / threshold) ** (1 / (r + x)) - alpha
