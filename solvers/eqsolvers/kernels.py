"""Compiled loops of solvers: written into their callers or called by address; random numbers for those that sample."""

from __future__ import annotations

from typing import Any, NamedTuple, cast
from zlib import crc32

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic
from numpy.typing import NDArray

from eqenvs.kernels import FunctionT, compiled

__all__ = ["Linked", "call_linked", "compiled", "inlined", "link", "random_stream", "uniform"]

typeof: Any = numba.typeof  # numba's own types are half stated
types: Any = numba.types


def inlined(function: FunctionT) -> FunctionT:
    """As `compiled`, written into its callers: a call that passes tuples of arrays counts references to each of them.

    Measured: an iteration of two calls took 580 ns before it did anything.
    """
    made: Any = numba.njit(inline="always", error_model="numpy")(function)
    return cast("FunctionT", made)


class Linked(NamedTuple):
    """A compiled kernel in this process's memory."""

    address: int
    takes: int  # a checksum of the types that it takes

    def __reduce__(self) -> Any:
        raise TypeError("the address of a kernel means nothing to other processes; call `link` there")


def link(kernel: Any, *arguments: Any) -> Linked:
    """A kernel that returns a bool, for `call_linked`, compiled for arguments of the types of these.

    Numba optimises whatever a kernel calls again with it, at every level of calls. Where a large kernel is called from
    many that take long to compile, a call by address spares that.
    """
    taken = tuple(typeof(each) for each in arguments)
    kernel.compile(taken)
    made = kernel.overloads[taken]
    return Linked(made.library.get_pointer_to_function(made.fndesc.llvm_func_name), _checksum(taken))


def _checksum(taken: tuple[Any, ...]) -> int:
    return crc32(str(taken).encode())


def _call_linked(context: Any, linked: Any, *arguments: Any) -> Any:
    taken = tuple(types.unliteral(each) for each in arguments)
    expected = _checksum(taken)

    def generate(target: Any, builder: Any, signed: Any, values: Any) -> Any:
        del signed
        address, takes = (builder.extract_value(values[0], place) for place in range(2))
        with builder.if_then(builder.icmp_unsigned("!=", takes, ir.Constant(takes.type, expected)), likely=False):
            target.call_conv.return_user_exc(builder, TypeError, ("the linked kernel takes other types",))
        function = target.call_conv.get_function_type(types.boolean, taken)
        called = builder.inttoptr(address, function.as_pointer())
        given = [builder.extract_value(values[1], place) for place in range(len(taken))]
        status, result = target.call_conv.call_function(builder, called, types.boolean, taken, given)
        with builder.if_then(status.is_error, likely=False):
            target.call_conv.return_status_propagate(builder, status)
        return result

    return types.boolean(linked, types.Tuple(taken)), generate


call_linked: Any = intrinsic(_call_linked)  # (linked, *arguments) -> bool, in kernels


def random_stream(seed: int) -> NDArray[np.uint64]:
    """The state of a stream for `uniform`, [4] uint64; a part of the process's state."""
    return np.random.SeedSequence(seed).generate_state(4, np.uint64).astype(np.uint64)


@compiled
def uniform(stream: Any) -> float:
    """The next number in [0, 1) of a stream: xoshiro256+ (Blackman and Vigna, 2021, ACM TOMS 47), its upper 53 bits."""
    s0, s1, s2, s3 = stream[0], stream[1], stream[2], stream[3]
    result = s0 + s3
    t = s1 << np.uint64(17)
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= t
    stream[0], stream[1], stream[2] = s0, s1, s2
    stream[3] = (s3 << np.uint64(45)) | (s3 >> np.uint64(19))
    return float((result >> np.uint64(11)) * (1.0 / 9007199254740992.0))
