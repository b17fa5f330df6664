.PHONY: demo test test-loop test-rest bench benchmark test-gpu bench-gpu cubins lint clean

PYTHON ?= python3

demo: .venv-demo/ready
	.venv-demo/bin/numbarnn demo

# Two halves at a time, as most tests keep one core busy; each is printed when it is done.
test: .venv-test/ready
	@echo "Two halves of the tests at a time: several minutes until they say anything."
	@$(MAKE) --jobs=2 --output-sync=target --no-print-directory test-loop test-rest

LOOP = tests/layers tests/loop tests/lanes tests/given tests/compile

test-loop: .venv-test/ready
	.venv-test/bin/python -m pytest $(LOOP)

test-rest: .venv-test/ready
	.venv-test/bin/python -m pytest $(LOOP:%=--ignore=%)

# numbarnn and its peers in turn; the tables go to README.md, benchmarks/results.json and a picture.
bench: .venv-bench/ready
	.venv-bench/bin/python benchmarks/against_peers.py --write

# Our own times, to be compared with those of another commit.
benchmark: .venv-test/ready
	.venv-test/bin/python -m pytest benchmarks/test_own_speed.py --benchmark-enable --benchmark-only

# On a machine with a CUDA device, numba, numba-cuda, cuda-core and torch or CuPy, which need not be
# online: in the Python that is there. Where it has no compiler for devices, run `make cubins` elsewhere
# first: what that leaves in .cubins/ travels with the tree.
test-gpu:
	NUMBARNN_TEST_GPU=1 NUMBARNN_CUBINS=.cubins $(PYTHON) -m pytest -q tests/gpu

bench-gpu:
	NUMBARNN_CUBINS=.cubins PYTHONPATH=. $(PYTHON) benchmarks/on_gpu.py

cubins: .venv-test/ready
	NUMBARNN_CUBINS=.cubins PYTHONPATH=.:tests .venv-test/bin/python tests/gpu/build_cubins.py

lint:
	ruff check . && ruff format --check .

# The stamp is written last: a broken set-up is done again.
.venv-%/ready: pyproject.toml
	rm -rf .venv-$*
	python3 -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet -e ".[$*]"
	touch $@

clean:
	rm -rf .venv-demo .venv-test .venv-bench .cubins demo-output
