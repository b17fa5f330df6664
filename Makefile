.PHONY: demo test benchmark lint clean

demo: .venv-demo/ready
	.venv-demo/bin/numbarnn demo

test: .venv-test/ready
	.venv-test/bin/python -m pytest

# Peers are measured where they are installed; see benchmarks/.
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
	rm -rf .venv-demo .venv-test demo-output
