"""Functions that are only ever linked into others: Numba makes no machine code of each by itself.

What this package compiles goes into object files of its own, and steps and loops consist of many
functions. Numba would optimise every one of them, with all that it calls, and make it ready to be
called from Python, which takes a third of the time; here that is done once, where they all are linked.
"""

from numba.core import typed_passes, untyped_passes
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler

#: Passes for what no loop of this package contains: closures, `with`, array expressions, functions that
#: Numba inlines itself, exceptions with arguments. Each would look through every function.
_FOR_NOTHING = {
    untyped_passes.WithLifting,
    untyped_passes.InlineClosureLikes,
    untyped_passes.RewriteDynamicRaises,
    untyped_passes.MakeFunctionToJitFunction,
    untyped_passes.InlineInlinables,
    untyped_passes.FindLiterallyCalls,
    untyped_passes.LiteralUnroll,
    typed_passes.InlineOverloads,
    typed_passes.NopythonRewrites,
}


class _Codegen:
    """Numba's code generator, as a library sees it whose functions have no place in memory."""

    def __init__(self, codegen):
        self._codegen = codegen

    def __getattr__(self, name):
        return getattr(self._codegen, name)

    def set_env(self, name, env):
        """Nothing to do: there is no place to write an environment to."""


class _Library(JITCodeLibrary):
    @property
    def codegen(self):
        return _Codegen(self._codegen)

    def get_pointer_to_function(self, name):
        self._ensure_finalized()
        return 0

    def _optimize_functions(self, ll_module):
        # What Numba does here before it optimises.
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self):
        """Nothing to do: the whole is optimised that this is linked into."""

    def _finalize_final_module(self):
        self._finalize_dynamic_globals()
        self._verify_declare_only_symbols()
        self._finalized = True


class LinkedOnly(Compiler):
    """Numba's compiler, for functions without wrappers that nothing but other functions calls."""

    def define_pipelines(self):
        """See `numba.core.compiler.CompilerBase`."""
        self.state.library = _Library(self.state.targetctx.codegen(), "linked")
        return super().define_pipelines()


class OwnLinkedOnly(LinkedOnly):
    """The same for functions of this package, which are plainer than those that users write."""

    def define_pipelines(self):
        """See `numba.core.compiler.CompilerBase`."""
        pipelines = super().define_pipelines()
        for each in pipelines:
            each.passes = [one for one in each.passes if one[0] not in _FOR_NOTHING]
        return pipelines
