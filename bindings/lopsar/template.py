"""MintPy's template files (``smallbaselineApp.cfg``): the keys that the inversion takes from them."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path
from typing import Any

__all__ = ["inversion_options", "read_template"]

PREFIX = "mintpy.networkInversion."
UNWRAP_SUFFIX = {"bridging": "_bridging", "phase_closure": "_phaseClosure", "bridging+phase_closure": "_bridging_phaseClosure"}
DEFAULTS = {
    "waterMaskFile": "waterMask.h5",
    "weightFunc": "var",
    "minNormVelocity": "yes",
    "maskDataset": "no",
    "maskThreshold": "0.4",
    "minRedundancy": "1.0",
}
WORDS = {"yes": True, "true": True, "no": False, "false": False, "none": None}


def read_template(path: str | PathLike[str]) -> dict[str, str]:
    """Keys and values of ``key = value  # comment`` lines; ``%``, ``#`` and ``!`` start comments, ``~`` and ``$VARIABLES`` are expanded.

    Raises
    ------
    ValueError
        The file is not text.
    OSError
        It cannot be read.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: expected a template of text lines 'key = value', got binary data; give smallbaselineApp.cfg") from None
    except OSError as error:
        got = "none" if isinstance(error, FileNotFoundError) else "a directory" if isinstance(error, IsADirectoryError) else "one that cannot be read"
        raise type(error)(f"{path}: expected a template file, got {got} ({error.strerror}); check the path") from None
    values = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if not equals or line.lstrip()[:1] in "%#!":
            continue
        value = value.partition("#")[0].strip()
        values[key.strip()] = os.path.expanduser(os.path.expandvars(value))
    return values


def inversion_options(path: str | PathLike[str]) -> dict[str, Any]:
    """What a template says about the inversion, as keyword arguments of :func:`lopsar.invert`, and ``attributes``, MintPy's record.

    Keys that are absent are not in the result; ``auto`` is MintPy's default. The automatic ``waterMask.h5`` counts only if it is there.

    Raises
    ------
    ValueError
        A value is not one of those that make sense.
    """
    template = read_template(path)

    def wrong(key: str, expected: str) -> ValueError:
        return ValueError(f"{path}: {key}: expected {expected}, got '{template[key]}'; correct the template")

    def value(key: str, automatic: str) -> Any:
        text = template[key]
        text = automatic if text.lower() == "auto" else text
        return WORDS.get(text.lower(), text)

    def number(key: str, automatic: str) -> float:
        try:
            return float(value(key, automatic))
        except (TypeError, ValueError):
            raise wrong(key, "a number or auto") from None

    options: dict[str, Any] = {"attributes": {}}
    for name, automatic in DEFAULTS.items():
        key = PREFIX + name
        if not template.get(key):
            continue
        if name in ("maskThreshold", "minRedundancy"):
            options["mask_threshold" if name == "maskThreshold" else "min_redundancy"] = number(key, automatic)
            continue
        found = value(key, automatic)
        if name == "waterMaskFile":
            # The folder may well have no water; a file that was named must be there.
            automatic_and_absent = template[key].lower() == "auto" and not Path(automatic).is_file()
            options["water_mask"] = None if not found or automatic_and_absent else str(found)
        elif name == "weightFunc":
            options["weight_func"] = str(found) if found else "no"
            if options["weight_func"] not in ("var", "fim", "coh", "no"):
                raise wrong(key, "var, fim, coh or no")
        elif name == "minNormVelocity":
            if not isinstance(found, bool):
                raise wrong(key, "yes, no or auto")
            options["min_norm_velocity"] = found
        else:
            if found is True:
                raise wrong(key, "the name of a dataset, or no")
            options["mask_dataset"] = found or None
            if not found:
                # MintPy's record of this differs between template and command line, and its --update compares the text.
                options["attributes"][PREFIX + "maskDataset"] = str(found)
    key = "mintpy.compute.maxMemory"
    if template.get(key):
        options["ram"] = number(key, "4")
    key = "mintpy.unwrapError.method"
    if template.get(key):
        method = value(key, "no")
        method = "".join(str(method).split()) if method else None
        if method is not None and method not in UNWRAP_SUFFIX:
            raise wrong(key, f"{', '.join(UNWRAP_SUFFIX)} or no")
        options["dataset"] = "unwrapPhase" + UNWRAP_SUFFIX.get(method or "", "")
    return options
