"""Arrays by what is in them: short names for annotations."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Indices = NDArray[np.intp]
"""Of rows, or of cells of a table."""
