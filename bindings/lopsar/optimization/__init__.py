"""The part of ``pylops.optimization`` that lopsar has: solvers on whole fields.

`basic`, `leastsquares` and `eigs` hold functions, `cls_basic` and `cls_leastsquares` the same as classes that one can step through, `basesolver` and
`callback` what they are made of.
"""

from . import basesolver, basic, callback, cls_basic, cls_leastsquares, eigs, leastsquares

__all__ = ["basesolver", "basic", "callback", "cls_basic", "cls_leastsquares", "eigs", "leastsquares"]
