.PHONY: demo test notebooks bench benchmark pictures docs types test-gpu bench-gpu cubins lint clean

PYTHON ?= python3

demo: .venv-demo/ready
	.venv-demo/bin/numbarnn demo

# Two parts at a time, as most tests keep one core busy, the longest first; machine code that one has made the others
# find. Each writes what it does into a file of its own; a failing one shows what failed, and the test that was running
# if the process broke down.
PARTS = rest loop cells layers
TESTS_loop = tests/loop tests/lanes tests/compile tests/embed
TESTS_layers = tests/layers tests/given
TESTS_cells = tests/cells tests/formats tests/test_every_cell.py numbarnn README.md
TESTS_rest = tests $(addprefix --ignore=,$(filter tests/%,$(TESTS_loop) $(TESTS_layers) $(TESTS_cells)))

test: .venv-test/ready
	@echo "The tests take several minutes, in $(words $(PARTS)) parts: tail -f .test-*.log shows them."
	@rm -rf .test-cache && mkdir -m 700 .test-cache
	@NUMBARNN_TESTS_CACHE="$(CURDIR)/.test-cache" $(MAKE) --jobs=2 --keep-going --output-sync=target --no-print-directory $(PARTS:%=test-%)

test-%: .venv-test/ready
	@.venv-test/bin/python -m pytest -v --durations=25 $(TESTS_$*) > .test-$*.log 2>&1 || { \
	    grep -B3 -A40 "^Fatal Python error" .test-$*.log | cut -c1-200; \
	    sed -n '/^=.* \(FAILURES\|ERRORS\) =/,$$p' .test-$*.log | tail -n 300; \
	    echo "The part '$*' failed: see .test-$*.log."; exit 1; }
	@tail -n 1 .test-$*.log

notebooks: .venv-test/ready
	.venv-test/bin/python -m pytest tests/test_notebooks.py

# numbarnn and its peers in turn; the tables go to README.md, benchmarks/results.json and a picture.
# NUMBARNN_BENCH_KERAS names a Python that has Keras and a backend, if that is to be measured too.
bench: .venv-bench/ready
	.venv-bench/bin/python benchmarks/against_peers.py --write

# Our own times, to be compared with those of another commit.
benchmark: .venv-test/ready
	.venv-test/bin/python -m pytest benchmarks/test_own_speed.py --benchmark-enable --benchmark-only

# The pictures of the worked examples, drawn by the page itself.
pictures: .venv-test/ready
	NUMBARNN_PICTURES=numbarnn/docs/pictures .venv-test/bin/python -m pytest -q numbarnn/docs/worked-examples.md

# The reference, from the docstrings: docs-output/numbarnn.html.
docs: .venv-docs/ready
	.venv-docs/bin/pdoc --docformat numpy --no-show-source --output-directory docs-output \
		numbarnn '!numbarnn.dot' '!numbarnn.explain' numbarnn.plot
	sed -i 's|::</p>|:</p>|' docs-output/numbarnn.html docs-output/numbarnn/*.html

# What a type checker says of a program that uses the public names, and of the package.
types: .venv-types/ready
	.venv-types/bin/mypy

# On a machine with a CUDA device, numba, numba-cuda, cuda-core and torch or CuPy, which need not be
# online: in the Python that is there. Where it has no compiler for devices, run `make cubins` elsewhere
# first: what that leaves in .cubins/ travels with the tree.
test-gpu:
	NUMBARNN_TEST_GPU=1 NUMBARNN_CUBINS=.cubins $(PYTHON) -m pytest -q tests/gpu

# Afterwards `python benchmarks/choose_on_gpu.py` writes which kernel is taken from then on: numbarnn/cuda/measured.json.
bench-gpu:
	NUMBARNN_CUBINS=.cubins PYTHONPATH=. $(PYTHON) benchmarks/tiles_on_gpu.py
	NUMBARNN_CUBINS=.cubins PYTHONPATH=. $(PYTHON) benchmarks/on_gpu.py

cubins: .venv-test/ready
	NUMBARNN_CUBINS=.cubins PYTHONPATH=.:tests .venv-test/bin/python tests/gpu/build_cubins.py

lint:
	ruff check . && ruff format --check .

# The stamp is written last: a broken set-up is done again.
.venv-%/ready: pyproject.toml
	rm -rf .venv-$*
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check -e ".[$*]"
	touch $@

clean:
	rm -rf .venv-demo .venv-test .venv-bench .venv-docs .venv-types .cubins .test-cache demo-output docs-output
