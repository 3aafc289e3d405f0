"""The backdrop as a transparent product shows it: bent, turned round and mixed by glass and liquid, so that it is not
always what stands beside the product in the same row.

How far the two may differ the backdrop itself tells: by how its colours vary along its rows. An even one is seen as it
is, and what differs is the product's tint; a room or a gradient of many colours explains most of what differs.

- A product has few tints. Ratios of seen to continued light that differ no more than the backdrop varies are of one
  kind (mean shift in a space in which that is of unit length).
- What differs from its kind is parted between backdrop and tint by how likely either is (a Wiener filter over the three
  channels), and a backdrop that is unlikely is not assumed.

Reference:
    Comaniciu, Meer, "Mean Shift: A Robust Approach Toward Feature Space Analysis", IEEE PAMI 24(5), 2002.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.backdrop import spread
from services.compositor.tint import averaged, middle_ratio, unreflected

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

_FOLLOW_SD = 0.1  # log light: how much a backdrop has to change along a row to show whether the product follows
_DETAIL_SHARE = 0.02  # of the longer side: what is smaller is a line of the glass
_GUARD_PX = 2  # small pixels around the product that may hold some of it
_SMOOTHING_PX = 2.0
_OF_VARIANCE = 0.3  # what a product shows is less far away than all that is beside it
_BRIGHTEST = 4.0  # times the backdrop; beyond, all is the same
_DARKEST = 0.03  # of the backdrop's light; below, ratios tell nothing
_TINT_SD = 0.15  # log light: how far the tint may be from its kind
_KIND_SD = 0.2  # log light: the same, to tell kinds apart
_GRAIN = 0.01  # linear light
_LIKELY = 1.5  # standard deviations from the continued backdrop
_LEAST_LIGHT = 2e-3  # of a backdrop, linear
_SAMPLES, _STEPS = 800, 8
_LEAST_KIND = 0.02  # of the samples


def as_far_as_followed(backdrop: Float, light: Float, clear: Mask) -> Float:
    """The backdrop (H, W, 3) with its changes as strong as the product repeats them: a filled bottle is a lens that
    shows all of a room in every place. Rows are compared each with itself, for the product changes from top to foot by
    itself. Where the backdrop hardly changes it stays as it is.

    Args:
        backdrop, light, clear: as for `usual_tint`.
    """
    seen, behind, share = averaged(light, backdrop, clear)
    known = share > 0.5
    if not known.any():
        return backdrop
    row = np.nonzero(known)[0]
    of_backdrop, of_product = (_within_rows(np.log(part[known].clip(1e-3)), row) for part in (behind, seen))
    prior = of_backdrop.size * _FOLLOW_SD**2
    followed = ((of_backdrop * of_product).sum() + prior) / ((of_backdrop**2).sum() + prior)
    strength = np.float32(np.clip(followed, 0, 1))
    even = np.log(behind[known]).mean(axis=0, dtype=np.float64).astype(np.float32)
    return np.asarray(np.exp(even + strength * (np.log(backdrop) - even)), np.float32)


def as_shown(backdrop: Float, light: Float, clear: Mask, beside: Mask) -> Float:
    """The backdrop (H, W, 3) changed to what the product probably shows of it.

    Args:
        backdrop, light, clear: as for `tint.usual_tint`.
        beside: (H, W) bool, where the backdrop itself is seen.
    """
    seen, behind, share = averaged(light, backdrop, clear)
    known = share > 0.5
    variation = _variation(light, beside, (share.shape[1], share.shape[0]))
    if variation is None or not known.any():
        return backdrop
    ratio = np.minimum(seen / behind, np.float32(_BRIGHTEST))
    middle = np.log(middle_ratio(ratio, unreflected(ratio, known), _DETAIL_SHARE).clip(_DARKEST))[known]
    kind = _kinds(middle, variation + np.eye(3, dtype=np.float32) * np.float32(_KIND_SD**2))
    grain = np.float32(_GRAIN) / (np.exp(kind).clip(0.02, 1) * behind[known])
    uncertain = variation + np.eye(3) * (np.float32(_TINT_SD**2) + grain**2)[:, None, :]
    explained = np.linalg.solve(uncertain, (middle - kind)[..., None])[..., 0]
    change = explained @ variation
    length = np.sqrt(np.einsum("nc,nc->n", change, explained).clip(1e-12))
    change *= np.minimum(1, _LIKELY / length)[:, None]
    whole = np.zeros(behind.shape, np.float32)
    whole[known] = change
    filled = spread(whole, known.astype(np.float32))
    height, width = clear.shape
    shown = backdrop * np.exp(cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR))
    return np.asarray(np.maximum(shown, np.float32(_LEAST_LIGHT)), np.float32)


def _variation(light: Float, beside: Mask, small: tuple[int, int]) -> Float | None:
    """The covariance (3, 3) of a backdrop's log light along its rows, given (width, height) to work at; None if it is
    hidden."""
    share = cv2.resize(beside.astype(np.float32), small, interpolation=cv2.INTER_AREA)
    guard = np.ones((2 * _GUARD_PX + 1, 2 * _GUARD_PX + 1), np.uint8)
    known = cv2.erode((share > 1 - 1e-3).view(np.uint8), guard)
    if not known.any():
        return None
    weight = known.astype(np.float32)
    picture = cv2.resize(light, small, interpolation=cv2.INTER_AREA).reshape(*weight.shape, 3) * weight[..., None]
    smooth, near = (cv2.GaussianBlur(part, (0, 0), _SMOOTHING_PX) for part in (picture, weight))
    rows, cols = np.nonzero(known)
    deviation = _within_rows(np.log((smooth[rows, cols] / near[rows, cols, None]).clip(1e-3)), rows)
    return np.asarray(np.float32(_OF_VARIANCE / len(rows)) * (deviation.T @ deviation), np.float32)


def _kinds(logs: Float, spread_of_one: Float) -> Float:
    """The middle of the kind to which each log ratio (N, 3) belongs, given the covariance (3, 3) within a kind."""
    root = np.linalg.cholesky(spread_of_one)
    points = np.linalg.solve(root, logs.T).T.astype(np.float32)
    samples = points[:: max(1, len(points) // _SAMPLES)]
    modes = samples
    for _ in range(_STEPS):
        weight = np.exp(-_squared_distances(modes, samples) / 2)
        modes = weight @ samples / weight.sum(axis=1, keepdims=True)
    centres: list[Float] = []
    for mode in modes:
        if all(float(np.sum((mode - centre) ** 2)) >= 1 for centre in centres):
            centres.append(mode)
    nearest = _squared_distances(samples, np.stack(centres)).argmin(axis=1)
    members = [samples[nearest == number] for number in range(len(centres))]
    middles = np.stack([np.median(kind, axis=0) for kind in members if len(kind) > _LEAST_KIND * len(samples)])
    far = _squared_distances(points, middles)
    weight = np.exp(-(far - far.min(axis=1, keepdims=True)) / 2)
    return np.asarray((weight @ middles / weight.sum(axis=1, keepdims=True)) @ root.T, np.float32)


def _squared_distances(one: Float, other: Float) -> Float:
    """(N, M) of points (N, 3) and (M, 3)."""
    lengths = np.sum(one**2, axis=1)[:, None] + np.sum(other**2, axis=1)[None]
    return np.asarray(np.maximum(lengths - 2 * one @ other.T, 0), np.float32)


def _within_rows(values: Float, row: NDArray[np.intp]) -> Float:
    """Values (N, 3) less the mean of their row, given the row (N,) of each."""
    count = np.maximum(np.bincount(row), 1)
    means = [(np.bincount(row, channel) / count)[row] for channel in values.T]
    return np.asarray(values - np.stack(means, axis=1), np.float32)
