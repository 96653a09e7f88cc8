"""Python functions whose compiled form is written in LLVM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin


def compiled_as(
    meaning: Callable[..., Any], arguments: tuple[Any, ...], result: Callable[..., Any]
) -> Callable[..., Any]:
    """Decorate the function that generates code for calls of another.

    Numba's `overload` compiles a separate function per call, about 0.1 s each.

    Parameters
    ----------
    meaning : callable
        The function as Python runs it.
    arguments : tuple of Numba type classes
        Types of the arguments of a call.
    result : callable
        The result's Numba type, given the arguments' types.
    """

    def decorate(build: Callable[..., Any]) -> Callable[..., Any]:
        class Call(AbstractTemplate):
            key = meaning

            def generic(self, args: Any, kws: Any) -> Any:
                if kws or len(args) != len(arguments):
                    return None
                if not all(map(isinstance, args, arguments)):
                    return None
                return signature(result(*args), *args)

        infer_global(meaning)(Call)
        lower_builtin(meaning, *arguments)(build)
        return build

    return decorate
