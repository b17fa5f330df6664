"""A function compiled by Numba as an object file of its own: one symbol out, none of Python in."""

import re

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core.compiler_lock import global_compiler_lock

from .loader import SYMBOL, prepare_llvm, target_machine

#: Numba's statuses of a call that came to its end: with a value, and with None.
_FINE = (0, -2)
#: What Numba calls the places where it keeps addresses of this process.
_ADDRESSES = "numba.dynamic.globals"
_INT = ir.IntType(64)


def _entry(module, name, arguments):
    """LLVM code for a plain C function around the one that Numba made.

    Integers in; out what the function gives, 0 for None, or, never 0, the address of what Numba says of
    the exception that was raised.
    """
    wrapper = ir.Module("entry")
    wrapper.triple, wrapper.data_layout = module.triple, module.data_layout
    pointer = ir.IntType(8).as_pointer()
    places = [pointer.as_pointer()] * 2
    inner_type = ir.FunctionType(ir.IntType(32), places + [_INT] * arguments)
    inner = ir.Function(wrapper, inner_type, name)
    entry = ir.Function(wrapper, ir.FunctionType(_INT, [_INT] * arguments), SYMBOL)
    builder = ir.IRBuilder(entry.append_basic_block())
    result, raised = builder.alloca(_INT), builder.alloca(pointer)
    builder.store(ir.Constant(_INT, 0), result)
    builder.store(ir.Constant(pointer, None), raised)
    place = builder.bitcast(result, pointer.as_pointer())
    status = builder.call(inner, [place, raised, *entry.args])
    fine = ir.Constant(ir.IntType(1), 0)
    for each in _FINE:
        same = builder.icmp_signed("==", status, ir.Constant(ir.IntType(32), each))
        fine = builder.or_(fine, same)
    what = builder.ptrtoint(builder.load(raised), _INT)
    # Whatever failed is never 0.
    what = builder.or_(what, ir.Constant(_INT, 1))
    builder.ret(builder.select(fine, builder.load(result), what))
    return llvm.parse_assembly(str(wrapper))


#: What Numba counts references by. What allocates has other names that begin like these.
_COUNTING = ("NRT_incref", "NRT_decref", "NRT_MemInfo_call_dtor")
_COUNTER = re.compile(
    r"^(define [^\n@]*void @NRT_(?:incref|decref)\()[^\n]*\n.*?^}$", re.MULTILINE | re.DOTALL
)


def _without_counting(text):
    """The text of a module, without the counting of references if all its arrays are borrowed."""
    if not set(re.findall(r"@(NRT_\w+)", text)) <= set(_COUNTING):
        return text
    return _COUNTER.sub(r"\1ptr %what) alwaysinline { ret void }", text)


def module_of(dispatcher, arguments):
    """The optimised LLVM module of a dispatcher of so many integers, with its one entry.

    Returns
    -------
    llvmlite module
    """
    signature = (types.intp,) * arguments
    with global_compiler_lock:
        prepare_llvm()
        dispatcher.compile(signature)
        compiled = dispatcher.overloads[signature]
        module = llvm.parse_assembly(_without_counting(str(compiled.library._final_module)))
        module.link_in(_entry(module, compiled.fndesc.llvm_func_name, arguments))
        for each in [*module.functions, *module.global_variables]:
            # An address of this process would be written into the code, and not be seen any more.
            if not each.is_declaration and not each.name.startswith((SYMBOL, _ADDRESSES)):
                each.linkage = "internal"
        options = llvm.create_pipeline_tuning_options(speed_level=3)
        # What pays is vectorised and unrolled already.
        options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
        builder = llvm.create_pass_builder(target_machine(), options)
        builder.getModulePassManager().run(module, builder)
        return module


def is_of_this_process(module):
    """Whether a module holds addresses of this process: of a large array, of a ctypes function."""
    return any(each.name.startswith(_ADDRESSES) for each in module.global_variables)


def outside_of(module):
    """The names that a module takes from elsewhere: of the C library, or of Numba's own."""
    found = [*module.functions, *module.global_variables]
    return [
        each.name for each in found if each.is_declaration and not each.name.startswith("llvm.")
    ]


def object_of(dispatcher, arguments):
    """The object file of a dispatcher of so many integers.

    Returns
    -------
    image : bytes
    outside : list of str
        What it takes from elsewhere.
    lasting : bool
        Whether another process can use it.
    """
    module = module_of(dispatcher, arguments)
    image = target_machine().emit_object(module)
    return image, outside_of(module), not is_of_this_process(module)
