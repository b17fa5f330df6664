"""What the loops are compiled to: vectors of the full width, fused products, no double in float32."""

import re

import pytest
from catalogue import PER_UNIT
from compiled import assembly_of, llvm_of, stages_of

from numbarnn.loop.recipes import Dense, DensePair
from numbarnn.machine import host

DTYPES = ["float32", "float64"]


UNITS, FEATURES = 32, 16


def stages(entry, dtype):
    features = entry.features(FEATURES, UNITS)
    layer = entry.build(entry.layer(UNITS, dtype=dtype), features)
    return stages_of(layer.cell, features, *entry.further)


def maps(stages):
    made = [product for stage in stages for product in stage.products]
    found = [
        code for product in made for code in (product.one, product.back, product.pair, product.norm)
    ]
    return [code for code in found if code is not None]


def products(stages):
    return [code for code in maps(stages) if isinstance(code.recipe, (Dense, DensePair))]


def everything(stages):
    return maps(stages) + [stage.pointwise for stage in stages]


def vector(dtype):
    bits = host().bits
    return f"v{bits // 32}f32" if dtype == "float32" else f"v{bits // 64}f64"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("entry", PER_UNIT, ids=lambda entry: entry.name)
def test_products_are_fused_vectors_of_the_full_width(entry, dtype):
    for code in products(stages(entry, dtype)):
        text = llvm_of(code)
        assert f"llvm.fma.{vector(dtype)}" in text
        assert not re.search(r"call float @llvm\.fma|fmul float|fadd float", text)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("entry", PER_UNIT, ids=lambda entry: entry.name)
def test_the_step_runs_on_lanes(entry, dtype):
    scalar = "float" if dtype == "float32" else "double"
    for stage in stages(entry, dtype):
        assert stage.reason is None
        text = llvm_of(stage.pointwise)
        assert f"<{host().bits // (32 if dtype == 'float32' else 64)} x {scalar}>" in text
        assert not re.search(rf"\b(fmul|fadd|fsub|fdiv)( \w+)* {scalar}\b", text)
        assert not re.search(r"call \w+ @(tanh|exp|expf|tanhf|expm1f?)\b", text)


@pytest.mark.parametrize("entry", PER_UNIT, ids=lambda entry: entry.name)
def test_no_double_in_float32(entry):
    for code in everything(stages(entry, "float32")):
        assert not re.search(r"\bdouble\b", llvm_of(code))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("entry", PER_UNIT, ids=lambda entry: entry.name)
def test_no_flag_that_changes_bits(entry, dtype):
    for code in everything(stages(entry, dtype)):
        text = llvm_of(code)
        for flag in ("contract", "reassoc", "arcp", "afn", "nnan", "ninf", "fast"):
            assert not re.search(rf"= f\w+ ([a-z]+ )*{flag} ", text), flag


@pytest.mark.skipif(host().bits < 512, reason="register names are looked up for AVX-512")
@pytest.mark.parametrize("entry", PER_UNIT, ids=lambda entry: entry.name)
def test_the_inner_loop_holds_its_sums_in_registers(entry):
    for code in products(stages(entry, "float32")):
        text = assembly_of(code)
        assert re.search(r"vfmadd\d+ps.*%zmm", text)
        stored = re.findall(r"vmov\w+\s+%zmm\d+, -?\d*\(%rsp\)", text)
        assert not stored, "sums are spilled"


@pytest.mark.parametrize("entry", PER_UNIT, ids=lambda entry: entry.name)
def test_no_reference_is_counted_in_the_step(entry):
    for code in everything(stages(entry, "float32")):
        assert "NRT_" not in llvm_of(code)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("entry", PER_UNIT, ids=lambda entry: entry.name)
def test_nothing_is_called_in_the_step_and_the_products(entry, dtype):
    for code in everything(stages(entry, dtype)):
        called = set(re.findall(r"call [^@\n]*@\"?([\w.]+)", llvm_of(code)))
        # What is done once beside the loop over rows is apart from it, and the same step.
        assert all(name.startswith("llvm.") or "pointwise7one_row" in name for name in called), (
            called
        )
