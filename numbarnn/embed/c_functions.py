"""The C functions of a model, in LLVM's language: checks, memory, one call."""

from ..loop import task as slot

#: What a function returns.
DONE, NULL_POINTER, NEGATIVE_COUNT, NO_MEMORY = range(4)
#: Bytes of workspace up to which a call takes them from the stack.
ON_STACK = 1 << 15

_RUN = """
declare ptr @malloc(i64)
declare void @free(ptr)

define i32 @{name}_run(i64 %samples, i64 %steps, {pointers}, ptr %work) {{
  %few = icmp slt i64 %samples, 0
  %short = icmp slt i64 %steps, 0
  %negative = or i1 %few, %short
  br i1 %negative, label %refused, label %counted
refused:
  ret i32 {NEGATIVE_COUNT}
counted:
  %nothing = icmp eq i64 %samples, 0
  br i1 %nothing, label %done, label %some
some:
  %no_states = icmp eq ptr %states, null
  %missing = and i1 %no_states, {has_states}
{nulls}
  br i1 {missing}, label %null, label %given
null:
  ret i32 {NULL_POINTER}
given:
{tables}
  %several = icmp sgt i64 %samples, 1
  %more = icmp sgt i64 %steps, 1
  %two = select i1 %several, i64 2, i64 0
  %one = select i1 %more, i64 1, i64 0
  %number = add i64 %two, %one
  %offset = mul i64 %number, {plan_entry}
  %place = add i64 %offset, {plan_work}
  %model = inttoptr i64 {block} to ptr
  %told = getelementptr i8, ptr %model, i64 %place
  %fixed = load i64, ptr %told
  %further = getelementptr i8, ptr %told, i64 {step_work}
  %each = load i64, ptr %further
  %all = mul i64 %each, %steps
  %size = add i64 %fixed, %all
  %own = icmp eq ptr %work, null
  br i1 %own, label %choose, label %run
choose:
  %small = icmp sle i64 %size, {ON_STACK}
  br i1 %small, label %stack, label %allocate
stack:
  %piece = alloca i8, i64 %size, align 64
  br label %run
allocate:
  %made = call ptr @malloc(i64 %size)
  %failed = icmp eq ptr %made, null
  br i1 %failed, label %full, label %run
full:
  ret i32 {NO_MEMORY}
run:
  %space = phi ptr [ %work, %given ], [ %piece, %stack ], [ %made, %allocate ]
  %kept = phi i1 [ false, %given ], [ false, %stack ], [ true, %allocate ]
  %x = ptrtoint ptr {inputs} to i64
  %s = ptrtoint ptr %states to i64
  %y = ptrtoint ptr {outputs} to i64
  %w = ptrtoint ptr %space to i64
  %entry = inttoptr i64 {run} to ptr
  %status = call i64 %entry(i64 {block}, i64 %x, i64 %s, i64 %y, i64 %samples, i64 %steps, i64 %w)
  %found = trunc i64 %status to i32
  br i1 %kept, label %clear, label %over
clear:
  call void @free(ptr %space)
  br label %over
over:
  ret i32 %found
done:
  ret i32 {DONE}
}}
"""

_STEP = """
define i32 @{name}_step({pointers}, ptr %work) {{
  %status = call i32 @{name}_run(i64 1, i64 1, {pointers}, ptr %work)
  ret i32 %status
}}
"""

_RESET = """
define i32 @{name}_reset_states(i64 %samples, ptr %states) {{
  %few = icmp slt i64 %samples, 0
  br i1 %few, label %refused, label %counted
refused:
  ret i32 {NEGATIVE_COUNT}
counted:
  %some = icmp ne i64 %samples, 0
  %no_states = icmp eq ptr %states, null
  %asked = and i1 %no_states, %some
  %missing = and i1 %asked, {has_states}
  br i1 %missing, label %null, label %given
null:
  ret i32 {NULL_POINTER}
given:
  %s = ptrtoint ptr %states to i64
  %entry = inttoptr i64 {reset} to ptr
  %status = call i64 %entry(i64 {block}, i64 %s, i64 %samples)
  ret i32 {DONE}
}}
"""


def names_of(what, ports):
    """What the pointers of ports are called: one of its own, or with a number."""
    return [what] if len(ports) == 1 else [f"{what}{number}" for number in range(len(ports))]


def pointers_of(sealed):
    """The pointers that a C function takes, in order."""
    inputs, outputs = names_of("inputs", sealed.inputs), names_of("outputs", sealed.outputs)
    return ", ".join(f"ptr %{name}" for name in (*inputs, "states", *outputs))


def _table(what, names):
    """LLVM code that puts pointers into a table, if there are several; what it is called."""
    if len(names) == 1:
        return "", f"%{names[0]}"
    lines = [f"  %{what}_table = alloca ptr, i64 {len(names)}"]
    for number, name in enumerate(names):
        lines += [
            f"  %{name}_place = getelementptr ptr, ptr %{what}_table, i64 {number}",
            f"  store ptr %{name}, ptr %{name}_place",
        ]
    return "\n".join(lines), f"%{what}_table"


def _nulls(names):
    """LLVM code that looks for null pointers; what tells."""
    lines, last = [], "%missing"
    for name in names:
        lines += [
            f"  %no_{name} = icmp eq ptr %{name}, null",
            f"  %without_{name} = or i1 {last}, %no_{name}",
        ]
        last = f"%without_{name}"
    return "\n".join(lines), last


def c_functions(name, sealed, block, run, reset, steps=True):
    """The LLVM code of ``{name}_run``, ``{name}_step`` and ``{name}_reset_states``.

    What `run` gives that is not 0 is handed on: an id outside the table, a step that raised; see
    `numbarnn.loop.task`.

    Parameters
    ----------
    name : str
    sealed : Sealed
    block, run, reset : int or str
        Where the model lies and its machine code begins: LLVM's constants of 64 bits.
    steps : bool
        Whether there is a ``{name}_step``.

    Returns
    -------
    str
    """
    text = _RUN + (_STEP if steps else "") + _RESET
    inputs, outputs = names_of("inputs", sealed.inputs), names_of("outputs", sealed.outputs)
    (in_table, x), (out_table, y) = _table("inputs", inputs), _table("outputs", outputs)
    nulls, missing = _nulls([*inputs, *outputs])
    return text.format(
        pointers=pointers_of(sealed), tables=f"{in_table}\n{out_table}", inputs=x, outputs=y,
        nulls=nulls, missing=missing,
        name=name, block=block, run=run, reset=reset,
        has_states="true" if sealed.state_size else "false",
        step_work=slot.PLAN_STEP_WORK - slot.PLAN_WORK, ON_STACK=ON_STACK,
        plan_entry=slot.PLAN_ENTRY, plan_work=slot.MODEL_PLANS + slot.PLAN_WORK,
        DONE=DONE, NULL_POINTER=NULL_POINTER, NEGATIVE_COUNT=NEGATIVE_COUNT, NO_MEMORY=NO_MEMORY,
    )  # fmt: skip
