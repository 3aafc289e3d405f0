"""Whether the product reaches the edge of the canvas."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def touches_frame(product: NDArray[np.uint8]) -> bool:
    """Whether any pixel of the outermost rows and columns is product.

    Args:
        product: uint8 (H, W), non-zero on the product.
    """
    return bool(product[0].any() or product[-1].any() or product[:, 0].any() or product[:, -1].any())
