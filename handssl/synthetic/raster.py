"""A z-buffer for meshes whose triangles are about as small as pixels, in numpy alone."""

import numpy as np

from handssl.synthetic.arrays import Ints, Singles, Triangles

_NEAR_M = 0.08
"""Triangles that come closer to the camera are left out."""


def rasterise(
    points_px: Singles,
    depth_m: Singles,
    faces: Triangles,
    colours: Singles,
    *,
    height: int,
    width: int,
    supersampling: int = 2,
) -> Singles:
    """Paint a coloured mesh, far to near, on a supersampled grid and average it.

    Triangles are sorted by depth and painted whole, which for small ones equals a depth test per
    sample; colours are interpolated linearly in the image. Only faces whose corners run clockwise
    in the image (v down) are painted: the others are seen from behind.

    Args:
        points_px: (n, 2) projected vertices, pixel centres at integers.
        depth_m: (n,) depth along the camera's axis.
        faces: (m, 3) vertex indices.
        colours: (n, c) values per vertex.
        height: Rows of the image.
        width: Columns of the image.
        supersampling: Samples per pixel and axis.

    Returns:
        (height, width, c + 1): the colours times coverage, and the coverage in [0, 1].
    """
    rows, columns = height * supersampling, width * supersampling
    grid = (points_px + np.float32(0.5)) * np.float32(supersampling) - np.float32(0.5)
    front, near_to_far = _facing(grid, depth_m, faces)
    front = front[near_to_far[::-1]]
    corners = faces[front]
    (x0, x1, x2), (y0, y1, y2) = (grid[:, axis][corners].T for axis in (0, 1))
    left = np.maximum(np.ceil(np.minimum(np.minimum(x0, x1), x2)), 0).astype(np.int32)
    right = np.minimum(np.floor(np.maximum(np.maximum(x0, x1), x2)), columns - 1).astype(np.int32)
    top = np.maximum(np.ceil(np.minimum(np.minimum(y0, y1), y2)), 0).astype(np.int32)
    bottom = np.minimum(np.floor(np.maximum(np.maximum(y0, y1), y2)), rows - 1).astype(np.int32)

    # One fragment per sample in a triangle's bounding box; then the three edge functions.
    box_width = np.maximum(right - left + 1, 0)
    size = box_width * np.maximum(bottom - top + 1, 0)
    triangle = np.repeat(np.arange(len(front), dtype=np.int32), size)
    first = np.cumsum(size) - size
    offset = np.arange(len(triangle), dtype=np.int32) - first.astype(np.int32)[triangle]
    down, across = np.divmod(offset, box_width[triangle])
    x = left[triangle] + across
    y = top[triangle] + down
    # Barycentric shares of corners 0 and 1, from offsets to corner 2: the offsets are small, so
    # float32 keeps the seams between triangles closed.
    inverse_area = 1 / ((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0))
    x_offset = x - x2[triangle]
    y_offset = y - y2[triangle]
    share0 = ((y1 - y2) * inverse_area)[triangle] * x_offset
    share0 += ((x2 - x1) * inverse_area)[triangle] * y_offset
    share1 = ((y2 - y0) * inverse_area)[triangle] * x_offset
    share1 += ((x0 - x2) * inverse_area)[triangle] * y_offset
    inside = np.flatnonzero((np.minimum(share0, share1) >= -1e-4) & (share0 + share1 <= 1.0001))

    # Later fragments are nearer; the last assignment to a sample stays.
    sample = y[inside] * columns + x[inside]
    winner = np.full(rows * columns, -1, np.int32)
    winner[sample] = inside
    hit = np.flatnonzero(winner >= 0)
    fragment = winner[hit]
    corners = corners[triangle[fragment]]
    w0, w1 = share0[fragment, None], share1[fragment, None]
    painted = colours[corners[:, 0]] * w0
    painted += colours[corners[:, 1]] * w1
    painted += colours[corners[:, 2]] * (1 - w0 - w1)
    channels = colours.shape[1]
    canvas = np.zeros((rows, columns, channels + 1), np.float32)
    flat = canvas.reshape(rows * columns, channels + 1)
    flat[hit, :channels] = painted
    flat[hit, channels] = 1
    total = np.zeros((height, width, channels + 1), np.float32)
    for row in range(supersampling):
        for column in range(supersampling):
            total += canvas[row::supersampling, column::supersampling]
    total /= np.float32(supersampling**2)
    return total


def _facing(grid: Singles, depth_m: Singles, faces: Triangles) -> tuple[Ints, Ints]:
    """Indices of the faces that look at the camera, and their order from near to far."""
    x, y = grid[:, 0], grid[:, 1]
    first, second, third = faces.T
    x0, y0 = x[first], y[first]
    area = (x[second] - x0) * (y[third] - y0) - (x[third] - x0) * (y[second] - y0)
    front = np.flatnonzero(area < 0)
    depth0, depth1, depth2 = (depth_m[corner[front]] for corner in (first, second, third))
    before = np.minimum(np.minimum(depth0, depth1), depth2) > _NEAR_M
    front, total = front[before], (depth0 + depth1 + depth2)[before]
    return front, np.argsort(total, kind="stable")
