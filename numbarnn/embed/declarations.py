"""What the compilers of C and Fortran are told of an exported model."""

from .c_functions import DONE, NEGATIVE_COUNT, NO_MEMORY, NULL_POINTER

_PROMISES = (
    "Status: {DONE} done; {NULL_POINTER} a pointer is null (states may be, where there are none); "
    "{NEGATIVE_COUNT} a count is below 0; {NO_MEMORY} no memory. Where it is not {DONE}, nothing was "
    "written.",
    "Arrays must not overlap. Any number of threads may call at once, each with states, outputs and "
    "work of its own.",
    "work: null, and memory is allocated for the call; or {work} bytes for it, of any alignment.",
    "A NaN or an infinity in the inputs or states of a sample goes where the equations of the cells "
    "take it, a NaN into all that is computed from it, and never into another sample. Nothing traps; "
    "errno and the floating-point flags mean nothing. The processor must round to nearest and keep "
    "subnormal numbers, as it does unless told otherwise.",
    "The code is for the processor {cpu}: others may lack its instructions.",
)

_HEADER = """\
/* {title}

{promises}
   Arrays lie as C has them: {kind} inputs[samples][steps][{FEATURES}],
   {kind} states[samples][{STATE}] (read, then overwritten),
   {kind} outputs{outputs}[{UNITS}]. */
#ifndef {UPPER}_H
#define {UPPER}_H

#include <stdint.h>

#define {UPPER}_FEATURES {features}
#define {UPPER}_UNITS {units}
#define {UPPER}_STATE_SIZE {state_size}
#define {UPPER}_WORK_BYTES {work}

#ifdef __cplusplus
extern "C" {{
#endif

/* Give states the values that a sequence begins with. */
int32_t {name}_reset_states(int64_t samples, {kind} *states);

/* One sample, one time step. */
int32_t {name}_step(const {kind} *inputs, {kind} *states, {kind} *outputs, void *work);

int32_t {name}_run(int64_t samples, int64_t steps, const {kind} *inputs, {kind} *states,
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
! Arrays: inputs({features}, steps, samples), states({state_size}, samples) (read, then overwritten),
! outputs({units}{outputs}).
module {name}_model
  use, intrinsic :: iso_c_binding, only: c_int32_t, c_int64_t, {kind}, c_ptr
  implicit none
  private
  public :: {name}_reset_states, {name}_step, {name}_run

  integer, parameter, public :: {name}_features = {features}
  integer, parameter, public :: {name}_units = {units}
  integer, parameter, public :: {name}_state_size = {state_size}
  integer(c_int64_t), parameter, public :: {name}_work_bytes = {work}_c_int64_t

  interface
    ! Give states the values that a sequence begins with.
    integer(c_int32_t) function {name}_reset_states(samples, states) &
        bind(c, name="{name}_reset_states")
      import :: c_int32_t, c_int64_t, {kind}
      integer(c_int64_t), value :: samples
      real({kind}), intent(out) :: states(*)
    end function

    ! One sample, one time step. Work: c_null_ptr, or c_loc of so many bytes.
    integer(c_int32_t) function {name}_step(inputs, states, outputs, work) &
        bind(c, name="{name}_step")
      import :: c_int32_t, {kind}, c_ptr
      real({kind}), intent(in) :: inputs(*)
      real({kind}), intent(inout) :: states(*)
      real({kind}), intent(out) :: outputs(*)
      type(c_ptr), value :: work
    end function

    integer(c_int32_t) function {name}_run(samples, steps, inputs, states, outputs, work) &
        bind(c, name="{name}_run")
      import :: c_int32_t, c_int64_t, {kind}, c_ptr
      integer(c_int64_t), value :: samples, steps
      real({kind}), intent(in) :: inputs(*)
      real({kind}), intent(inout) :: states(*)
      real({kind}), intent(out) :: outputs(*)
      type(c_ptr), value :: work
    end function
  end interface
end module
"""


def _wrapped(told, cpu, before, width=96):
    """The promises as lines of a comment."""
    import textwrap

    statuses = {"DONE": DONE, "NULL_POINTER": NULL_POINTER, "NEGATIVE_COUNT": NEGATIVE_COUNT,
                "NO_MEMORY": NO_MEMORY}  # fmt: skip
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
    upper = name.upper()
    return _HEADER.format(
        title=title, promises=_wrapped(told, cpu, "   "), name=name, UPPER=upper,
        kind={4: "float", 8: "double"}[told["item"]], FEATURES=f"{upper}_FEATURES",
        STATE=f"{upper}_STATE_SIZE", UNITS=f"{upper}_UNITS",
        outputs="[samples][steps]" if told["sequences"] else "[samples]",
        indent=" " * len(f"int32_t {name}_run("), **told,
    )  # fmt: skip


def fortran(name, title, told, cpu):
    """The Fortran module ``{name}_model``; parameters as those of `header`."""
    return _FORTRAN.format(
        title=title, promises=_wrapped(told, cpu, "! "), name=name,
        kind={4: "c_float", 8: "c_double"}[told["item"]],
        outputs=", steps, samples" if told["sequences"] else ", samples", **told,
    )  # fmt: skip
