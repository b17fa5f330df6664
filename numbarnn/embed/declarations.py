"""What the compilers of C and Fortran are told of an exported model."""

from ..loop.task import NO_SUCH_ID, STEP_RAISED
from .c_functions import DONE, NEGATIVE_COUNT, NO_MEMORY, NULL_POINTER, names_of

_PROMISES = (
    "Status: {DONE} done; {NULL_POINTER} a pointer is null (states may be, where there are none); "
    "{NEGATIVE_COUNT} a count is below 0; {NO_MEMORY} no memory{no_id}; "
    "{STEP_RAISED} a step raised an exception, and what was written is worth nothing. After any other but "
    "{DONE}, nothing was written.",
    "Arrays must not overlap. Any number of threads may call at once, each with states, outputs and "
    "work of its own.",
    "work: null, and the call takes memory of its own, up to 32 KB of it from the stack; or {work} bytes "
    "for it{step_bytes}, of any alignment.",
    "A NaN or an infinity in the inputs or states of a sample goes where the equations of the cells "
    "take it, a NaN into all that is computed from it, and never into another sample. Nothing traps; "
    "errno and the floating-point flags mean nothing. The processor must round to nearest and keep "
    "subnormal numbers, as it does unless told otherwise.",
    "The code is for the processor {cpu}: others may lack its instructions.",
)

_HEADER = """\
/* {title}

{promises}
   Arrays lie as C has them: {in_arrays},
   {kind} states[samples][{STATE}] (read, then overwritten),
   {out_arrays}. */
#ifndef {UPPER}_H
#define {UPPER}_H

#include <stdint.h>

{macros}
#define {UPPER}_STATE_SIZE {state_size}
#define {UPPER}_WORK_BYTES {work}{step_macro}

#ifdef __cplusplus
extern "C" {{
#endif

/* Give states the values that a sequence begins with. */
int32_t {name}_reset_states(int64_t samples, {kind} *states);

{step}{run};

#ifdef __cplusplus
}}
#endif

#endif
"""

_FORTRAN = """\
! {title}
!
{promises}
! Arrays: {in_arrays}, states({state_size}, samples) (read, then overwritten),
! {out_arrays}.
module {name}_model
  use, intrinsic :: iso_c_binding, only: c_int32_t, c_int64_t, {kind}, c_ptr
  implicit none
  private
  public :: {public}

{parameters}
  integer, parameter, public :: {name}_state_size = {state_size}
  integer(c_int64_t), parameter, public :: {name}_work_bytes = {work}_c_int64_t{step_parameter}

  interface
    ! Give states the values that a sequence begins with.
    integer(c_int32_t) function {name}_reset_states(samples, states) &
        bind(c, name="{name}_reset_states")
      import :: c_int32_t, c_int64_t, {kind}
      integer(c_int64_t), value :: samples
      real({kind}), intent(out) :: states(*)
    end function

{step}    integer(c_int32_t) function {name}_run( &
          {run_names}) &
        bind(c, name="{name}_run")
      import :: c_int32_t, c_int64_t, {kind}, c_ptr
      integer(c_int64_t), value :: samples, steps
{in_declared}
      real({kind}), intent(inout) :: states(*)
{out_declared}
      type(c_ptr), value :: work
    end function
  end interface
end module
"""


#: One step, where a model runs single ones.
_C_STEP = """\
/* One sample, one time step. */
{declared};

"""

_FORTRAN_STEP = """\
    ! One sample, one time step. Work: c_null_ptr, or c_loc of so many bytes.
    integer(c_int32_t) function {name}_step( &
          {step_names}) &
        bind(c, name="{name}_step")
      import :: c_int32_t, c_int64_t, {kind}, c_ptr
{in_declared}
      real({kind}), intent(inout) :: states(*)
{out_declared}
      type(c_ptr), value :: work
    end function

"""


def _wrapped(told, cpu, before, width=96):
    """The promises as lines of a comment."""
    import textwrap

    statuses = {"DONE": DONE, "NULL_POINTER": NULL_POINTER, "NEGATIVE_COUNT": NEGATIVE_COUNT,
                "NO_MEMORY": NO_MEMORY, "STEP_RAISED": STEP_RAISED}  # fmt: skip
    tables = [port.ids for port in told["inputs"] if port.ids]
    ids = " or ".join(f"0 ... {count - 1}" for count in tables)
    told = {
        **told,
        "no_id": f"; {NO_SUCH_ID} an id is not in {ids}" if tables else "",
        "step_bytes": f" and {told['step_work']} for every step" if told["step_work"] else "",
    }
    lines = [
        line
        for promise in _PROMISES
        for line in textwrap.wrap(promise.format(cpu=cpu, **statuses, **told), width)
    ]
    return "\n".join(before + line for line in lines)


def _titled(title, before, width=96):
    """The title as lines of a comment that has begun."""
    import textwrap

    return f"\n{before}".join(textwrap.wrap(title, width))


def _in_lines(words, width, before, end=""):
    """Words with commas between them, in lines; `end` stands where one breaks."""
    import textwrap

    kept = ", ".join(word.replace(" ", "\0") for word in words)
    lines = textwrap.wrap(kept, width, break_long_words=False, break_on_hyphens=False)
    return f"{end}\n{before}".join(lines).replace("\0", " ")


def _c_function(head, arguments):
    """The declaration of a C function."""
    return f"{head}({_in_lines(arguments, 96 - len(head), ' ' * (len(head) + 1))})"


def _steps_in_c(port):
    """The steps of a port, of which a model has `steps`."""
    count, every = port.count
    if (count, every) == (-1, 1):
        return "steps"
    return f"(steps + {count}) / {every} + 1" if count >= 0 else f"(steps - {-count}) / {every} + 1"


def _none(port):
    """When a port has no steps, where the steps told do not say so: C and Fortran divide towards 0."""
    count, every = port.count
    needed = port.timed and count < 0 < every and (count, every) != (-1, 1)
    return f" (none if steps < {-count})" if needed else ""


def _arrays(told, kind, upper):
    """The arrays of inputs, and of outputs: name, kind, and the word for the numbers of a step."""
    for what, word in (("inputs", "FEATURES"), ("outputs", "UNITS")):
        ports = told[what]
        yield [
            (name, port, "int64_t" if port.ids else kind, f"{upper}{word}{name[len(what) :]}")
            for name, port in zip(names_of(what, ports), ports, strict=True)
        ]


def header(name, title, told, cpu):
    """The C header.

    Parameters
    ----------
    name, title : str
    told : dict
        See `numbarnn.embed.image.about`.
    cpu : str

    Returns
    -------
    str
    """
    upper, kind = name.upper(), {4: "float", 8: "double"}[told["item"]]
    inputs, outputs = _arrays(told, kind, f"{upper}_")
    pointers = [
        *(f"const {each} *{called}" for called, _, each, _ in inputs), f"{kind} *states",
        *(f"{each} *{called}" for called, _, each, _ in outputs), "void *work",
    ]  # fmt: skip
    declared = _c_function(f"int32_t {name}_step", pointers)
    shown = [
        ",\n   ".join(
            f"{each} {called}[samples]{f'[{_steps_in_c(port)}]' * port.timed}"
            f"{f'[{word}]' * (not port.scalar)}{_none(port)}"
            for called, port, each, word in arrays
        )
        for arrays in (inputs, outputs)
    ]
    macros = [f"#define {word} {port.numbers}" for _, port, _, word in (*inputs, *outputs)]
    more = f"\n#define {upper}_STEP_WORK_BYTES {told['step_work']}" if told["step_work"] else ""
    return _HEADER.format(
        title=_titled(title, "   "), promises=_wrapped(told, cpu, "   "), UPPER=upper, step_macro=more,
        STATE=f"{upper}_STATE_SIZE", macros="\n".join(macros), in_arrays=shown[0], out_arrays=shown[1],
        state_size=told["state_size"], work=told["work"], name=name, kind=kind,
        step=_C_STEP.format(declared=declared) if told["steps"] else "",
        run=_c_function(f"int32_t {name}_run", ["int64_t samples", "int64_t steps", *pointers]),
    )  # fmt: skip


def fortran(name, title, told, cpu):
    """The Fortran module ``{name}_model``; parameters as those of `header`."""
    kind = {4: "c_float", 8: "c_double"}[told["item"]]
    inputs, outputs = _arrays(told, kind, "")
    names = [
        *(called for called, *_ in inputs),
        "states",
        *(called for called, *_ in outputs),
        "work",
    ]
    public = [f"{name}_{what}" for what in ("reset_states", *["step"] * told["steps"], "run")]
    given = {
        "name": name, "kind": kind, "step_names": _in_lines(names, 70, " " * 10, " &"),
        "run_names": _in_lines(["samples", "steps", *names], 70, " " * 10, " &"),
        "in_declared": "\n".join(
            f"      {'integer(c_int64_t)' if port.ids else f'real({kind})'}, intent(in) :: {called}(*)"
            for called, port, _, _ in inputs
        ),
        "out_declared": "\n".join(
            f"      real({kind}), intent(out) :: {called}(*)" for called, *_ in outputs
        ),
    }  # fmt: skip
    shown = [
        ",\n! ".join(
            f"{called}({f'{port.numbers}, ' * (not port.scalar)}"
            f"{f'{_steps_in_c(port)}, ' * port.timed}samples){_none(port)}"
            for called, port, _, _ in arrays
        )
        for arrays in (inputs, outputs)
    ]
    parameters = [
        f"  integer, parameter, public :: {name}_{word.lower()} = {port.numbers}"
        for _, port, _, word in (*inputs, *outputs)
    ]
    more = ""
    if told["step_work"]:
        name_ = f"  integer(c_int64_t), parameter, public :: {name}_step_work_bytes"
        more = f"\n{name_} = {told['step_work']}_c_int64_t"
    return _FORTRAN.format(
        title=_titled(title, "! "), promises=_wrapped(told, cpu, "! "), step_parameter=more,
        in_arrays=shown[0], out_arrays=shown[1], parameters="\n".join(parameters),
        public=_in_lines(public, 90, " " * 12, " &"), state_size=told["state_size"],
        work=told["work"], step=_FORTRAN_STEP.format(**given) if told["steps"] else "", **given,
    )  # fmt: skip
