"""What `quantdeck recommend` was asked: a model or its size, a machine, and what comes first."""

from __future__ import annotations

import argparse
import re

from quantdeck_console.plan_request import site_of, subject_of
from quantdeck_core.errors import InputError
from quantdeck_core.hardware.device import Devices
from quantdeck_core.recommend.options import Options
from quantdeck_core.recommend.question import Question
from quantdeck_core.recommend.shapes import model_of_size, usual_shape

_SIZE = re.compile(r"(?P<number>\d{1,15}(?:\.\d{1,6})?)\s*(?P<unit>[MBT]?)", re.IGNORECASE | re.ASCII)
_UNITS = {"": 1, "m": 10**6, "b": 10**9, "t": 10**12}
_SMALLEST, _LARGEST = 10**7, 10**13
"""Parameters: what is outside is a slip of the hand."""


def question_of(options: argparse.Namespace, table: Options, devices: Devices) -> Question:
    """The question that the command line puts.

    Raises:
        InputError: neither a size nor a checkpoint was named, or both; or the checkpoint is broken.
        QuantdeckError: there is no such device, or nothing at the path.
    """
    site = site_of(options.gpu, devices, options.memory)
    shape_of = None
    if (options.subject is None) == (options.model_size is None):
        raise InputError(
            "Name either a model's folder, file or profile, or a size.",
            "quantdeck recommend --gpu a100-80gb --model-size 13B",
        )
    if options.subject is not None:
        model = subject_of(options.subject, options.models).checkpoint
        for problem in model.problems:
            if problem.blocks:
                raise InputError(problem.detail, problem.hint)
    else:
        shape = usual_shape(options.model_size, table.shape)
        model, shape_of = model_of_size(options.model_size, shape), shape.name
    return Question(
        site=site,
        model=model,
        shape_of=shape_of,
        first=options.first,
        context=options.context,
        sequences=options.sequences,
        use=options.use,
        calibration=options.calibration,
        interconnect=options.interconnect,
    )


def parse_parameters(text: str) -> int:
    """`70B`, `1.5b`, `600M`, or a number of parameters.

    Raises:
        argparse.ArgumentTypeError: it is no size of a language model.
    """
    match = _SIZE.fullmatch(text.strip())
    amount = round(float(match["number"]) * _UNITS[match["unit"].lower()]) if match else 0
    if not _SMALLEST <= amount <= _LARGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is no size of a model; write for example 70B or 600M")
    return amount
