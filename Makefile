# One word per task. PYTHON chooses the interpreter (3.11 or newer), PORT the demo's port.
PYTHON ?= python3
PORT ?= 8080
VENV := .venv
STAMP := $(VENV)/.installed

.PHONY: demo test lint docs bench clean

demo: $(VENV)/.demo
	$(VENV)/bin/wheatpaste serve config/demo.ini --port $(PORT)

test:
	PYTHON=$(PYTHON) sh .ci/test.sh

lint: $(STAMP)
	sh .ci/lint.sh $(VENV)/bin

docs: $(STAMP)
	$(VENV)/bin/wheatpaste describe --markdown --into docs/reference
	$(VENV)/bin/python docs/screenshots.py
	$(VENV)/bin/python docs/screenshots_errors.py

bench:
	$(PYTHON) benchmarks/run.py --write

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "wheatpaste needs Python 3.11 or newer; name one with PYTHON=…" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { echo "creating a virtual environment failed; on Debian: apt install python3-venv" >&2; exit 1; }

$(VENV)/.demo: setup.cfg $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet -e '.[demo,reload]'
	touch $@

$(STAMP): setup.cfg $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet -e '.[test]'
	touch $@

clean:
	rm -rf $(VENV) build dist .demo .typing *.egg-info
