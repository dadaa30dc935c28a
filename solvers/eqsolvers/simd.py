"""Vectors of float64 lanes for numba kernels: explicit SIMD that does not depend on what a compiler can prove.

A vector has a fixed number of lanes, which a kernel takes from the length of a tuple: `load((0,) * 8, array, 16)` is
`array[16:24]`. Arithmetic is lane by lane and rounds as scalar float64 arithmetic does, so a kernel's result is the
same on every processor, however wide its registers are. Indices are not checked.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic as _untyped_intrinsic
from numba.extending import models, overload, register_model

intrinsic: Callable[[Callable[..., Any]], Any] = _untyped_intrinsic  # its callers do not pass the typing context


class LanesType(types.Type):
    """The numba type of a vector."""

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__(name=f"Lanes({width})")


def _vector(width: int) -> Any:
    return ir.VectorType(ir.DoubleType(), width)


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, _vector(numba_type.width))  # type: ignore[no-untyped-call]


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index_type: Any, index: Any, width: int) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    position = context.cast(builder, index, index_type, types.uint64)
    return builder.bitcast(builder.gep(data, [position]), _vector(width).as_pointer())


@intrinsic
def load(typing: Any, width: Any, array: Any, index: Any) -> Any:
    """The lanes at array[index : index + len(width)], of a contiguous float64 array."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at = _pointer(context, builder, array, arguments[1], index, arguments[2], width.count)
        loaded = builder.load(at)
        loaded.align = 8
        return loaded

    return LanesType(width.count)(width, array, index), generate


@intrinsic
def store(typing: Any, array: Any, index: Any, lanes: Any) -> Any:
    """Write the lanes to array[index : index + width]."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at = _pointer(context, builder, array, arguments[0], index, arguments[1], lanes.width)
        builder.store(arguments[2], at).align = 8
        return context.get_dummy_value()

    return types.void(array, index, lanes), generate


@intrinsic
def splat(typing: Any, width: Any, value: Any) -> Any:
    """One number in every lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector, index = _vector(width.count), ir.IntType(32)
        undefined = ir.Constant(vector, ir.Undefined)
        one = builder.insert_element(undefined, arguments[1], ir.Constant(index, 0))
        return builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(index, width.count), [0] * width.count))

    return LanesType(width.count)(width, types.float64), generate


@intrinsic
def where_positive(typing: Any, lanes: Any, yes: Any, no: Any) -> Any:
    """`yes` where a lane is above zero, else `no`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zero = ir.Constant(arguments[0].type, [0.0] * lanes.width)
        return builder.select(builder.fcmp_ordered(">", arguments[0], zero), arguments[1], arguments[2])

    return lanes(lanes, yes, no), generate


@intrinsic
def larger(typing: Any, first: Any, second: Any) -> Any:
    """The larger of two, lane by lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", *arguments), *arguments)

    return first(first, second), generate


def _arithmetic(symbol: Callable[[Any, Any], Any], instruction: str) -> None:
    """Make an operator work on vectors."""

    @intrinsic
    def apply(typing: Any, first: Any, second: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return getattr(builder, instruction)(*arguments)

        return first(first, second), generate

    @overload(symbol)
    def of_lanes(first, second):  # type: ignore[no-untyped-def]  # numba compares signatures, annotations too
        if isinstance(first, LanesType) and first == second:
            return lambda first, second: apply(first, second)
        return None


for _symbol, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _arithmetic(_symbol, _instruction)
