"""What the compilers of C and Fortran are told of an exported model."""

from ..loop.task import NO_SUCH_ID
from .c_functions import DONE, NEGATIVE_COUNT, NO_MEMORY, NULL_POINTER

_PROMISES = (
    "Status: {DONE} done; {NULL_POINTER} a pointer is null (states may be, where there are none); "
    "{NEGATIVE_COUNT} a count is below 0; {NO_MEMORY} no memory{no_id}. Where it is not {DONE}, nothing "
    "was written.",
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
   Arrays lie as C has them: {in_kind} inputs[samples][steps]{per_step},
   {kind} states[samples][{STATE}] (read, then overwritten),
   {kind} outputs{outputs}[{UNITS}]. */
#ifndef {UPPER}_H
#define {UPPER}_H

#include <stdint.h>

#define {UPPER}_FEATURES {features}
#define {UPPER}_UNITS {units}
#define {UPPER}_STATE_SIZE {state_size}
#define {UPPER}_WORK_BYTES {work}{step_macro}

#ifdef __cplusplus
extern "C" {{
#endif

/* Give states the values that a sequence begins with. */
int32_t {name}_reset_states(int64_t samples, {kind} *states);

{step}int32_t {name}_run(int64_t samples, int64_t steps, const {in_kind} *inputs, {kind} *states,
{indent}{kind} *outputs, void *work);

#ifdef __cplusplus
}}
#endif

#endif
"""

_FORTRAN = """\
! {title}
!
{promises}
! Arrays: inputs({per_step}steps, samples), states({state_size}, samples) (read, then overwritten),
! outputs({units}{outputs}).
module {name}_model
  use, intrinsic :: iso_c_binding, only: c_int32_t, c_int64_t, {kind}, c_ptr
  implicit none
  private
  public :: {name}_reset_states, {step_name}{name}_run

  integer, parameter, public :: {name}_features = {features}
  integer, parameter, public :: {name}_units = {units}
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

{step}    integer(c_int32_t) function {name}_run(samples, steps, inputs, states, outputs, work) &
        bind(c, name="{name}_run")
      import :: c_int32_t, c_int64_t, {kind}, c_ptr
      integer(c_int64_t), value :: samples, steps
      {in_kind}, intent(in) :: inputs(*)
      real({kind}), intent(inout) :: states(*)
      real({kind}), intent(out) :: outputs(*)
      type(c_ptr), value :: work
    end function
  end interface
end module
"""


#: One step, where a model runs single ones.
_C_STEP = """\
/* One sample, one time step. */
int32_t {name}_step(const {in_kind} *inputs, {kind} *states, {kind} *outputs, void *work);

"""

_FORTRAN_STEP = """\
    ! One sample, one time step. Work: c_null_ptr, or c_loc of so many bytes.
    integer(c_int32_t) function {name}_step(inputs, states, outputs, work) &
        bind(c, name="{name}_step")
      import :: c_int32_t, c_int64_t, {kind}, c_ptr
      {in_kind}, intent(in) :: inputs(*)
      real({kind}), intent(inout) :: states(*)
      real({kind}), intent(out) :: outputs(*)
      type(c_ptr), value :: work
    end function

"""


def _wrapped(told, cpu, before, width=96):
    """The promises as lines of a comment."""
    import textwrap

    statuses = {"DONE": DONE, "NULL_POINTER": NULL_POINTER, "NEGATIVE_COUNT": NEGATIVE_COUNT,
                "NO_MEMORY": NO_MEMORY}  # fmt: skip
    told = {
        **told,
        "no_id": f"; {NO_SUCH_ID} an id is not in 0 ... {told['ids'] - 1}" if told["ids"] else "",
        "step_bytes": f" and {told['step_work']} for every step" if told["step_work"] else "",
    }
    lines = [
        line
        for promise in _PROMISES
        for line in textwrap.wrap(promise.format(cpu=cpu, **statuses, **told), width)
    ]
    return "\n".join(before + line for line in lines)


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
    given = {
        "name": name,
        "kind": kind,
        "in_kind": "int64_t" if told["ids"] else kind,
    }
    more = f"\n#define {upper}_STEP_WORK_BYTES {told['step_work']}" if told["step_work"] else ""
    return _HEADER.format(
        title=title, promises=_wrapped(told, cpu, "   "), UPPER=upper,
        per_step="" if told["ids"] else f"[{upper}_FEATURES]", step_macro=more,
        STATE=f"{upper}_STATE_SIZE", UNITS=f"{upper}_UNITS",
        outputs="[samples][steps]" if told["sequences"] else "[samples]",
        indent=" " * len(f"int32_t {name}_run("),
        step=_C_STEP.format(**given) if told["steps"] else "", **given, **_sizes(told),
    )  # fmt: skip


def fortran(name, title, told, cpu):
    """The Fortran module ``{name}_model``; parameters as those of `header`."""
    kind = {4: "c_float", 8: "c_double"}[told["item"]]
    given = {
        "name": name,
        "kind": kind,
        "in_kind": "integer(c_int64_t)" if told["ids"] else f"real({kind})",
    }
    more = ""
    if told["step_work"]:
        name_ = f"  integer(c_int64_t), parameter, public :: {name}_step_work_bytes"
        more = f"\n{name_} = {told['step_work']}_c_int64_t"
    return _FORTRAN.format(
        title=title, promises=_wrapped(told, cpu, "! "),
        per_step="" if told["ids"] else f"{told['features']}, ", step_parameter=more,
        outputs=", steps, samples" if told["sequences"] else ", samples",
        step_name=f"{name}_step, " if told["steps"] else "",
        step=_FORTRAN_STEP.format(**given) if told["steps"] else "", **given, **_sizes(told),
    )  # fmt: skip


def _sizes(told):
    return {key: told[key] for key in ("features", "units", "state_size", "work")}
