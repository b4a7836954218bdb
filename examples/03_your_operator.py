"""Two operators that lopsar does not have, written by a user, inside one model; the same as 03_your_operator.cpp.

HeightDelay is pixelwise: it gives its matrix, and lopsar does the rest. Demean sees whole maps: it has two methods.

    python examples/03_your_operator.py

Expected output:

    A B    5 x 3 at every pixel, fields of 4 pixels
      A  Network      5 x 3
      B  HeightDelay  3 x 3, fields of 4 pixels
    pixel 2: 3 6 3 1.5 -1.5
    adjoint test: True
    mean of every demeaned map: 0 0 0 0 0
"""

import lopsar as lp
import numpy as np


class HeightDelay(lp.Pattern):
    """Stratified troposphere: the delay of a date grows with height, y_d = h(pixel) x_d. x in rad/km, h in km."""

    def __init__(self, dates: int, height: np.ndarray) -> None:
        super().__init__(np.eye(dates), fields=height, which=np.zeros((dates, dates), int), name="HeightDelay")


class Demean(lp.LinearOperator):
    """Maps (maps, rows, columns) minus the mean of each: y = x - mean(x). It is its own adjoint."""

    def __init__(self, dims: tuple[int, int, int]) -> None:
        super().__init__(dtype="float64", dims=dims, dimsd=dims)

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        maps = x.reshape(self.dims)
        return (maps - maps.mean(axis=(1, 2), keepdims=True)).ravel()

    _rmatvec = _matvec


A = lp.Network(["20170304_20170316", "20170304_20170328", "20170316_20170328", "20170316_20170409", "20170328_20170409"])
model = A @ HeightDelay(3, np.array([0.0, 0.5, 1.5, 2.0]))
print(model.describe())

y = model @ np.repeat([[2.0], [4.0], [3.0]], 4, axis=1)
print("pixel 2:", *(f"{v:g}" for v in y[:, 2]))

# The whole: model on the 2 x 2 pixels of a scene, then without the mean of every interferogram. The model lifts itself to the grid.
scene = Demean((5, 2, 2)) @ model
print("adjoint test:", lp.dottest(scene))
maps = scene @ np.random.default_rng(0).normal(size=(3, 2, 2))
print("mean of every demeaned map:", *(f"{abs(m):.0f}" for m in 1e12 * maps.mean(axis=(1, 2))))
