"""Evening alpha out along the photo's colours: Levin's matting Laplacian on the unknown pixels alone.

In every small window alpha is nearly a linear function of colour; how far it is not is a quadratic form, added up over
the windows that hold an unknown pixel. So the work grows with the band.

References:
    Levin, Lischinski, Weiss, "A Closed-Form Solution to Natural Image Matting", PAMI 30(2), 2008.
    Wang, Cohen, "Optimized Color Sampling for Robust Matting", CVPR 2007 (a data term beside the Laplacian).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import cg

Float = NDArray[np.float32]
Floats = NDArray[np.float64]
Index = NDArray[np.int32]

_FLATTEST = 1e-7  # variance of colour in [0, 1] that is added, or flat windows would say nothing
_WINDOW = [(row, col) for row in (-1, 0, 1) for col in (-1, 0, 1)]
_SPAN = 5  # rows and columns that a pixel shares windows with
_CHUNK = 1 << 14


def even_out(
    image: NDArray[np.uint8], believed: Float, unknown: NDArray[np.bool_], *, trust: float | Floats, rounds: int
) -> Float:
    """The alpha that follows the colours and stays near what is believed.

    Args:
        image: (H, W, 3) uint8 sRGB.
        believed: (H, W) float32: fixed in known pixels, a wish in unknown ones and where the search starts.
        unknown: (H, W) bool.
        trust: weight of a squared difference to `believed` beside the Laplacian's; one, or (H, W) float64.
        rounds: of conjugate gradients at the most.

    Returns:
        (H, W) float32 in [0, 1].
    """
    height, width = unknown.shape
    if min(height, width) < 3 or not unknown.any():
        return believed
    pixels = np.flatnonzero(unknown).astype(np.int32)
    links = _links(image, unknown, pixels)
    step_rows, step_cols = np.divmod(np.arange(_SPAN**2, dtype=np.int32), np.int32(_SPAN))
    beside = pixels[:, None] + (step_rows - 2) * np.int32(width) + (step_cols - 2)
    # What lies beyond the frame has no link: any index will do.
    beside = np.clip(beside, 0, height * width - 1)
    order = np.full(height * width, -1, np.int32)
    order[pixels] = np.arange(len(pixels), dtype=np.int32)
    columns = order[beside]
    is_known = columns < 0
    weight = np.broadcast_to(trust, (height, width)).ravel()[pixels]
    wish = believed.ravel()[pixels].astype(np.float64)
    right = weight * wish - (links * is_known * believed.ravel()[beside]).sum(axis=1)
    links[is_known] = 0
    own = np.arange(len(pixels), dtype=np.int32)
    links[:, _SPAN**2 // 2] += weight
    matrix = sparse.csr_matrix(
        (
            links.ravel(),
            np.where(is_known, own[:, None], columns).ravel(),
            np.arange(0, links.size + 1, _SPAN**2, dtype=np.int32),
        ),
        shape=(len(pixels), len(pixels)),
    )
    per_diagonal = sparse.diags(1 / np.maximum(links[:, _SPAN**2 // 2], 1e-9))
    found, _ = cg(matrix, right, x0=wish, rtol=1e-4, maxiter=rounds, M=per_diagonal)
    alpha = believed.copy()
    alpha.ravel()[pixels] = np.clip(found, 0, 1)
    return alpha


def _links(image: NDArray[np.uint8], unknown: NDArray[np.bool_], pixels: Index) -> Floats:
    """(N, 25): the matrix's entries between each unknown pixel and those around it, row by row."""
    height, width = unknown.shape
    # Windows with their centre next to an unknown pixel hold one; those that do not fit into the frame do not count.
    near = cv2.dilate(unknown.view(np.uint8), np.ones((3, 3), np.uint8))
    near[[0, -1]] = 0
    near[:, [0, -1]] = 0
    centres = np.flatnonzero(near).astype(np.int32)
    flat = image.reshape(-1, 3)
    order = np.full(height * width, len(pixels), np.int32)  # known pixels write to a row that is thrown away
    order[pixels] = np.arange(len(pixels), dtype=np.int32)
    steps = np.array([row * width + col for row, col in _WINDOW], np.int32)
    links = np.zeros((_SPAN**2, len(pixels) + 1))  # pixels side by side are written to places side by side
    for start in range(0, len(centres), _CHUNK):
        members = centres[start : start + _CHUNK, None] + steps
        entries = _window_entries(flat[members].astype(np.float32) / np.float32(255)).transpose(1, 2, 0).copy()
        rows = order[members].T.copy()
        for i, (row, col) in enumerate(_WINDOW):
            for j, (other_row, other_col) in enumerate(_WINDOW):
                place = (other_row - row + 2) * _SPAN + other_col - col + 2
                # A pixel is member i of one window only, so nothing is written twice but the row thrown away.
                links[place][rows[i]] += entries[i, j]
    return np.ascontiguousarray(links[:, :-1].T)


def _window_entries(colours: Float) -> Float:
    """(N, 9, 9): what windows with colours (N, 9, 3) add to the matrix."""
    off = colours - colours.mean(axis=1, keepdims=True)
    turned = off.transpose(0, 2, 1)
    # Nearly flat windows are nearly singular: the inverse is the one place that needs double precision.
    covariance = np.matmul(turned, off).astype(np.float64) / 9 + _FLATTEST * np.eye(3)
    like = np.matmul(np.matmul(off, np.linalg.inv(covariance).astype(np.float32)), turned)
    entries: Float = np.eye(9, dtype=np.float32) - (1 + like) / 9
    return entries
