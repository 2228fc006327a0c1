"""The schema of the table of formats to choose from."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from quantdeck_core.formats.checkpoint import Format
from quantdeck_core.hardware.device import Kind, Vendor
from quantdeck_core.profile.toml_text import decode_toml
from quantdeck_core.recommend.question import Priority, Question, Use
from quantdeck_core.recommend.shapes import Shape

Positive = Annotated[int, Meta(ge=1)]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the tables."""


class Limits(_Table, frozen=True, kw_only=True):
    """Thresholds; the file says where each comes from.

    Attributes:
        batch: full sequences of one replica from which a group of GPUs is large enough.
        crowded_share: of an engine's room: above, weights leave too little to the cache.
        few_sequences: full sequences in one replica below which a smaller checkpoint comes first, where weights crowd.
        linked_gpus: that NVLink joins; tensor parallelism ends there.
        pipeline_parameters: from which pipeline parallelism is worth a thought even inside NVLink.
        latency_weights_gb: weights a GPU, 10^9 bytes, below which latency is not sought by dividing further.
        long_context: tokens above which keys and values matter more.
        usual_context: tokens where the question does not say.
    """

    batch: Positive
    crowded_share: Annotated[float, Meta(gt=0, le=1)]
    few_sequences: Positive
    linked_gpus: Positive
    pipeline_parameters: Positive
    latency_weights_gb: Annotated[float, Meta(ge=0)]
    long_context: Positive
    usual_context: Positive


class Quality(_Table, frozen=True, kw_only=True):
    """What a format costs.

    Attributes:
        perplexity: added to that of BF16, from and to; None where nobody measured it.
        kld: mean Kullback-Leibler divergence from the unquantized model, nats a token.
        same_top: share of tokens whose most likely one stays the same.
        said: for people.
    """

    perplexity: tuple[float, float] | None = None
    kld: float | None = None
    same_top: float | None = None
    said: str
    source: str


class Order(_Table, frozen=True, kw_only=True):
    """Places among formats of the same engines, the smaller the earlier; only their sequence means something."""

    balance: int
    quality: int
    speed: int


class Remark(_Table, frozen=True, kw_only=True):
    """A reason or a warning; conditions that are left out always hold.

    Attributes:
        slow: whether the format runs below its promise on this device.
        mismatched: whether calibration text is unlike the traffic.
    """

    text: str
    first: tuple[Priority, ...] = ()
    long: bool | None = None
    slow: bool | None = None
    mismatched: bool | None = None


class Stored(_Table, frozen=True, kw_only=True):
    """How `check` calls what the tool in `make` writes."""

    format: Format
    scheme: str


class Start(_Table, frozen=True, kw_only=True):
    """A built-in profile to start from.

    Attributes:
        kinds, vendors: of devices; empty for all.
        from_parameters: for models of this size and larger ones.
        long: for long context alone.
    """

    name: str
    kinds: tuple[Kind, ...] = ()
    vendors: tuple[Vendor, ...] = ()
    from_parameters: int = 0
    long: bool = False


class Option(_Table, frozen=True, kw_only=True):
    """A format that a model can be served in.

    Attributes:
        made_as: where the tool in `make` writes another format than `format`.
        stored_bits: of one weight, with scales and zero points.
        whole: whether embeddings are counted in `stored_bits`; else they stay in 16 bits.
        keeps_qkv: q, k and v projections stay in 16 bits.
        only_long: offered for long context alone.
        last_resort: offered after everything else.
        control: not quantized.
        uses, kinds, vendors: for these alone; empty for all.
        native_sm: NVIDIA devices below this compute capability have no arithmetic for it.
        native_vendors: whose devices may have; empty for all.
        slow, long, mismatched: in place of `order`; see the file.
        profiles: built-in ones to start from, the first that suits.
    """

    name: str
    title: str
    format: Format
    scheme: str
    made_as: Stored | None = None
    bits: Positive
    stored_bits: Annotated[float, Meta(gt=0, le=32)]
    group_size: int | None = None
    whole: bool = False
    keeps_qkv: bool = False
    only_long: bool = False
    last_resort: bool = False
    control: bool = False
    engines: tuple[str, ...]
    uses: tuple[Use, ...] = ()
    kinds: tuple[Kind, ...] = ()
    vendors: tuple[Vendor, ...] = ()
    native_sm: int = 0
    native_vendors: tuple[Vendor, ...] = ()
    quality: Quality
    order: Order
    slow: Order | None = None
    long: Order | None = None
    mismatched: Order | None = None
    make: tuple[str, ...]
    profiles: tuple[Start, ...] = ()
    reason: tuple[Remark, ...] = ()
    warning: tuple[Remark, ...] = ()


class Options(_Table, frozen=True, kw_only=True):
    """The whole file."""

    limits: Limits
    shape: tuple[Shape, ...]
    option: tuple[Option, ...]

    def tokens(self, question: Question) -> int:
        """Of one sequence."""
        return question.context or self.limits.usual_context

    def is_long(self, question: Question) -> bool:
        """Whether somebody asked for long context."""
        return question.context is not None and question.context > self.limits.long_context


def parse_options(toml: str) -> Options:
    """The table from TOML.

    Raises:
        TomlError: with file, line and column.
    """
    return decode_toml(toml, Options, "recommendations.toml")
