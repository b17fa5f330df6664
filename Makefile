.PHONY: demo test bench benchmark lint clean

demo: .venv-demo/ready
	.venv-demo/bin/numbarnn demo

test: .venv-test/ready
	.venv-test/bin/python -m pytest

# numbarnn and its peers in turn; the tables go to README.md, benchmarks/results.json and a picture.
bench: .venv-bench/ready
	.venv-bench/bin/python benchmarks/against_peers.py --write

# Our own times, to be compared with those of another commit.
benchmark: .venv-test/ready
	.venv-test/bin/python -m pytest benchmarks --benchmark-enable --benchmark-only

lint:
	ruff check . && ruff format --check .

# The stamp is written last: a broken set-up is done again.
.venv-%/ready: pyproject.toml
	rm -rf .venv-$*
	python3 -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet -e ".[$*]"
	touch $@

clean:
	rm -rf .venv-demo .venv-test .venv-bench demo-output
