"""What the loops are compiled to: vectors of the full width, fused products, no double in float32."""

import re

import numpy as np
import pytest
from catalogue import CATALOGUE
from compiled import stages_of

from numbarnn.compile.bind import host_width

DTYPES = ["float32", "float64"]
UNITS, FEATURES = 32, 16


def stages(entry, dtype):
    layer = entry.layer(UNITS, dtype=dtype)
    layer(np.zeros((2, 3, FEATURES), dtype))
    return stages_of(layer.cell, FEATURES)


def text_of(dispatcher, what):
    (text,) = getattr(dispatcher, what)().values()
    return text


def products(stages):
    made = [product for stage in stages for product in stage.products]
    found = [d for product in made for d in (product.dispatcher, product.pair_dispatcher)]
    return [dispatcher for dispatcher in found if dispatcher is not None]


def everything(stages):
    return products(stages) + [stage.pointwise.dispatcher for stage in stages]


def vector(dtype):
    bits = host_width()[0]
    return f"v{bits // 32}f32" if dtype == "float32" else f"v{bits // 64}f64"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_products_are_fused_vectors_of_the_full_width(entry, dtype):
    for dispatcher in products(stages(entry, dtype)):
        text = text_of(dispatcher, "inspect_llvm")
        assert f"llvm.fma.{vector(dtype)}" in text
        assert not re.search(r"call float @llvm\.fma|fmul float|fadd float", text)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_the_step_runs_on_lanes(entry, dtype):
    scalar = "float" if dtype == "float32" else "double"
    for stage in stages(entry, dtype):
        assert stage.pointwise.reason is None
        text = text_of(stage.pointwise.dispatcher, "inspect_llvm")
        assert f"llvm.fma.{vector(dtype)}" in text  # the elementary functions
        assert not re.search(rf"\b(fmul|fadd|fsub|fdiv)( \w+)* {scalar}\b", text)
        assert not re.search(r"call \w+ @(tanh|exp|expf|tanhf|expm1f?)\b", text)


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_no_double_in_float32(entry):
    for dispatcher in everything(stages(entry, "float32")):
        assert not re.search(r"\bdouble\b", text_of(dispatcher, "inspect_llvm"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_no_flag_that_changes_bits(entry, dtype):
    for dispatcher in everything(stages(entry, dtype)):
        text = text_of(dispatcher, "inspect_llvm")
        for flag in ("contract", "reassoc", "arcp", "afn", "nnan", "ninf", "fast"):
            assert not re.search(rf"= f\w+ ([a-z]+ )*{flag} ", text), flag


@pytest.mark.skipif(host_width()[0] < 512, reason="register names are looked up for AVX-512")
@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_the_inner_loop_holds_its_sums_in_registers(entry):
    for dispatcher in products(stages(entry, "float32")):
        text = text_of(dispatcher, "inspect_asm")
        assert re.search(r"vfmadd\d+ps.*%zmm", text)
        stored = re.findall(r"vmov\w+\s+%zmm\d+, -?\d*\(%rsp\)", text)
        assert not stored, "sums are spilled"


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_no_reference_is_counted_in_the_step(entry):
    for dispatcher in everything(stages(entry, "float32")):
        (compiled,) = dispatcher.overloads.values()
        name = re.escape(compiled.fndesc.llvm_func_name)
        text = text_of(dispatcher, "inspect_llvm")
        body = re.search(rf'define [^\n]*@"?{name}"?\(.*?\n}}', text, re.DOTALL)[0]
        assert "llvm.fma" in body
        assert "NRT_" not in body
