"""What is usual of recordings that people dance to, so that one can be held against it."""

import numpy as np

MEAN = np.zeros(128)
SPREAD = np.ones(128)
