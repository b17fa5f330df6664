"""The forms in which a model can be a C function: what other libraries call, by address.

Each is LLVM code of the function, around those of `c_functions`, and its signature as ctypes has it.
"""

import ctypes
from dataclasses import dataclass
from typing import Any

from .c_functions import names_of

_STATUS, _COUNT, _ANY = ctypes.c_int32, ctypes.c_int64, ctypes.c_void_p

#: A sequence from states of its own.
_FRESH = """
define internal i32 @fresh(i64 %steps, ptr %inputs, ptr %outputs) {{
  %states = call ptr @malloc(i64 {state_bytes})
  %failed = icmp eq ptr %states, null
  br i1 %failed, label %full, label %made
full:
  ret i32 3
made:
  %reset = call i32 @model_reset_states(i64 1, ptr %states)
  %status = call i32 @model_run(i64 1, i64 %steps, ptr %inputs, ptr %states, ptr %outputs, ptr null)
  call void @free(ptr %states)
  ret i32 %status
}}
"""

_STEP = """
define i32 @{entry}({pointers}) {{
  %status = call i32 @model_step({pointers}, ptr null)
  ret i32 %status
}}
"""

_RUN = """
define i32 @{entry}(i64 %samples, i64 %steps, {pointers}) {{
  %status = call i32 @model_run(i64 %samples, i64 %steps, {pointers}, ptr null)
  ret i32 %status
}}
"""

_DERIVATIVE = """
define void @{entry}(double %t, ptr %u, ptr %du, ptr %p) {{
  %inputs = alloca double, i64 {features}
  %further = getelementptr double, ptr %inputs, i64 {units}
  call void @llvm.memcpy.p0.p0.i64(ptr %inputs, ptr %u, i64 {unit_bytes}, i1 false)
  call void @llvm.memcpy.p0.p0.i64(ptr %further, ptr %p, i64 {further_bytes}, i1 false)
  %status = call i32 @fresh(i64 1, ptr %inputs, ptr %du)
  %failed = icmp ne i32 %status, 0
  br i1 %failed, label %full, label %done
full:
  store double 0x7FF8000000000000, ptr %du
  br label %done
done:
  ret void
}}
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
"""

_INTEGRAND = """
define double @{entry}(i32 %n, ptr %x, ptr %user) {{
  %value = alloca double
  store double 0x7FF8000000000000, ptr %value
  %good = icmp eq i32 %n, {features}
  br i1 %good, label %run, label %done
run:
  %status = call i32 @fresh(i64 1, ptr %x, ptr %value)
  br label %done
done:
  %found = load double, ptr %value
  ret double %found
}}
"""

_FILTER = """
define i32 @{entry}(ptr %window, i64 %size, ptr %value, ptr %user) {{
  %status = call i32 @fresh(i64 %size, ptr %window, ptr %value)
  %good = icmp eq i32 %status, 0
  %told = zext i1 %good to i32
  ret i32 %told
}}
"""


@dataclass(frozen=True)
class Form:
    """One form.

    Attributes
    ----------
    signature : str
        In C, ``T`` for the model's type of number, ``POINTERS`` for those to its arrays.
    result : ctypes type or None
    arguments : tuple of ctypes types
        ``"T*"`` for pointers to the model's type of number, ``"POINTERS"`` for those to its arrays.
    text : str
        Its LLVM code.
    doubles : bool
        Whether it is for float64 alone, and for one input and one output that are numbers.
    steps : bool
        Whether it runs single steps.
    fits : callable
        ``(inputs, outputs) -> bool``, of the one `Port` each.
    wanted : str
        What `fits` asks for, in words.
    """

    signature: str
    result: Any
    arguments: tuple
    text: str
    doubles: bool = False
    steps: bool = False
    fits: Any = None
    wanted: str = ""

    def shown(self, sealed):
        """The signature in C for a model."""
        word = {4: "float", 8: "double"}[sealed.dtype.itemsize]
        inputs = zip(names_of("inputs", sealed.inputs), sealed.inputs, strict=True)
        shown = [f"const {'int64_t' if port.ids else word} *{name}" for name, port in inputs]
        shown.append(f"{word} *states")
        shown += [f"{word} *{name}" for name in names_of("outputs", sealed.outputs)]
        return self.signature.replace("POINTERS", ", ".join(shown))

    def ctypes_type(self, sealed):
        """The type of the function for a model."""
        number = ctypes.POINTER({4: ctypes.c_float, 8: ctypes.c_double}[sealed.dtype.itemsize])
        ids, arguments = ctypes.POINTER(ctypes.c_int64), []
        for each in self.arguments:
            if each == "POINTERS":
                arguments += [ids if port.ids else number for port in sealed.inputs]
                arguments += [number] * (1 + len(sealed.outputs))
            else:
                arguments.append(number if each == "T*" else each)
        return ctypes.CFUNCTYPE(self.result, *arguments)


FORMS = {
    "step": Form(
        "int32_t f(POINTERS)", _STATUS, ("POINTERS",), _STEP, steps=True,
    ),
    "run": Form(
        "int32_t f(int64_t samples, int64_t steps, POINTERS)",
        _STATUS, (_COUNT, _COUNT, "POINTERS"), _RUN,
    ),
    "derivative": Form(
        "void f(double t, const double *u, double *du, const double *p)",
        None, (ctypes.c_double, "T*", "T*", "T*"), _FRESH + _DERIVATIVE, True, True,
        lambda inputs, outputs: inputs.numbers >= outputs.numbers,
        "as many features as units, or more",
    ),
    "integrand": Form(
        "double f(int n, double *x, void *user_data)",
        ctypes.c_double, (ctypes.c_int, "T*", _ANY), _FRESH + _INTEGRAND, True, True,
        lambda inputs, outputs: outputs.numbers == 1, "one unit",
    ),
    "filter": Form(
        "int f(double *window, intptr_t size, double *value, void *user_data)",
        ctypes.c_int, ("T*", ctypes.c_ssize_t, "T*", _ANY), _FRESH + _FILTER, True, False,
        lambda inputs, outputs: (
            inputs.timed and inputs.numbers == outputs.numbers == 1 and not outputs.timed
        ),
        "time steps of one feature, one unit and return_sequences=False",
    ),
}  # fmt: skip
