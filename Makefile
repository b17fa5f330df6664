.PHONY: demo test bench benchmark pictures docs types test-gpu bench-gpu cubins lint clean

PYTHON ?= python3

demo: .venv-demo/ready
	.venv-demo/bin/numbarnn demo

test: .venv-test/ready
	.venv-test/bin/python -m pytest

# numbarnn and its peers in turn; the tables go to README.md, benchmarks/results.json and a picture.
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
	rm -rf .venv-demo .venv-test .venv-bench .venv-docs .venv-types .cubins demo-output docs-output
