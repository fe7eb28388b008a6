import numpy as np

from models.purchase_counts import count_bound, purchase_chances
from models.purchases import forecast_for
from tests.models.test_purchases import every_model

ROWS = np.array([(0, 0, 0), (0, 0, 300), (2, 213, 272), (26, 216, 217), (200, 990, 1000.0)]).T


@every_model
def test_the_chances_are_those_of_the_forecast(params):
    chances = purchase_chances(params, *ROWS, 365.0, 3000)
    _, active, expected = forecast_for(params)(params, *ROWS, 365.0)
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-9)
    np.testing.assert_allclose(1 - chances[:, 0], active, rtol=1e-12)
    np.testing.assert_allclose(chances @ np.arange(3001.0), expected, rtol=1e-8)


@every_model
def test_more_purchases_than_the_bound_hardly_happen(params):
    most = count_bound(params, ROWS[0], ROWS[2], 365.0)
    chances = purchase_chances(params, *ROWS, 365.0, 3000)
    for row, bound in zip(chances, most.astype(int).tolist(), strict=True):
        assert row[bound + 1 :].sum() < 1e-10
