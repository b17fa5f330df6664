"""Tiles for processors that are not here: the assembly that LLVM emits for them is read."""

import re

import llvmlite.binding as llvm
import pytest

from numbarnn.compile.objects import module_of
from numbarnn.loop.plan import pair_rows, tile_height
from numbarnn.loop.recipes import Dense, DensePair

llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()

#: Triple, processor, features, bits of a register, registers, a fused multiply-add on whole vectors, and how
#: many k a turn of the loop takes.
MACHINES = {
    "NEON": ("aarch64-unknown-linux-gnu", "neoverse-n1", "", 128, 32, r"fmla\s+v\d+\.(4s|2d)", 1),
    "AVX2": ("x86_64-unknown-linux-gnu", "haswell", "", 256, 16, r"vfmadd\d+p[sd]\s.*%ymm", 4),
    "AVX-512": ("x86_64-unknown-linux-gnu", "skylake-avx512", "+prefer-512-bit,-prefer-256-bit", 512, 32,
                r"vfmadd\d+p[sd]\s.*%zmm", 4),
}  # fmt: skip


def assembly(machine, recipe):
    """The assembly of a recipe for another machine: its code is retargeted, then optimised again."""
    triple, cpu, features, *_ = MACHINES[machine]
    try:
        target = llvm.Target.from_triple(triple)
    except RuntimeError:
        pytest.skip(f"this LLVM knows no {triple}")
    made = target.create_target_machine(cpu=cpu, features=features, opt=3)
    text = str(module_of(recipe.build()[0], recipe.arguments))
    text = re.sub(r'target triple = "[^"]*"', f'target triple = "{triple}"', text)
    text = re.sub(r'target datalayout = "[^"]*"', f'target datalayout = "{made.target_data}"', text)
    text = re.sub(r'"target-(cpu|features)"="[^"]*"', "", text)
    return made.emit_assembly(llvm.parse_assembly(text))


def recipes(machine, dtype, gates):
    bits, registers = MACHINES[machine][3:5]
    size = {"float32": 4, "float64": 8}[dtype]
    targets = tuple(v * bits // 8 for v in range(gates))
    for ahead, portion in ((0, 0), (1, 0), (1, 64)):
        height = tile_height(gates, registers)
        at_once = MACHINES[machine][6]
        yield Dense(dtype, bits // (8 * size), height, gates, targets, ahead, portion, at_once)
    if pair_rows(gates, registers):
        yield DensePair(dtype, bits // (8 * size), pair_rows(gates, registers), gates, targets)


def loops(text, multiply):
    """The runs of lines between two labels that multiply and jump back: loops over k."""
    blocks = re.split(r"^\.?L?\w+:.*$", text, flags=re.MULTILINE)
    return [block for block in blocks if len(re.findall(multiply, block)) > 1]


@pytest.mark.parametrize("gates", [1, 3, 4, 8])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("machine", MACHINES)
def test_the_inner_loop_is_fused_and_keeps_its_sums_in_registers(machine, dtype, gates):
    multiply = MACHINES[machine][5]
    for recipe in recipes(machine, dtype, gates):
        found = loops(assembly(machine, recipe), multiply)
        rows = recipe.height if isinstance(recipe, Dense) else 2 * recipe.rows
        turns = getattr(recipe, "at_once", 1)
        assert max(len(re.findall(multiply, loop)) for loop in found) >= turns * rows * gates
        for loop in found:
            # Nothing is spilled: no vector goes to the stack and none comes from it.
            assert not re.search(r"(%[xyz]mm\d+, -?\d*\(%rsp\)|-?\d+\(%rsp\), %[xyz]mm)", loop)
            assert not re.search(r"(str|ldr|stp|ldp)\s+q\d+.*\[sp", loop)
            asked = re.search(r"prefetcht1|prfm\s+pldl2keep", loop)
            assert (asked is not None) == bool(getattr(recipe, "ahead", 0))
            # Nothing is called, and no lane is computed alone.
            assert not re.search(r"^\s*(callq?|bl)\s", loop, re.MULTILINE)
            assert not re.search(r"vfmadd\d+s[sd]|fmadd\s", loop)
