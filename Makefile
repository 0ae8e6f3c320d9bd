# coatlab: `make study` and `make test` do everything from a fresh clone; `make help` lists the rest.
# PYTHON picks the interpreter of the environment; PINNED=no takes the newest releases instead of the pinned ones.
PYTHON ?= python3
PINNED ?= yes
ARGS ?=
STUDY ?= layouts
SEEDS ?= 0,1,2
BIN := .venv/bin
comma := ,
# a GPU has time for all budgets of epochs, not only for those that span the losses that are compared
PARTS := $(if $(shell command -v nvidia-smi),sweep.part=core$(comma)rest)
CONSTRAIN := $(if $(filter yes,$(PINNED)),-c .constraints.txt,)

# compiled modules are kept: the tests start hundreds of processes
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup train study report results check test budgets lint clean

help:  ## list the targets, and the markers of tests
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'
	@sed -nE 's/^    "(slow|gpu|external): (.*)",$$/  marker \1: \2/p' pyproject.toml

setup: .venv/ready  ## make .venv with everything in it; does nothing when nothing changed

# the last two imports fail where torch and torchvision do not belong together
.venv/ready: pyproject.toml .constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "coatlab needs Python 3.11 or newer; say which with make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(CONSTRAIN) -e '.[dev]'
	$(BIN)/python -c 'import torch, torchvision, lightning'
	@touch $@

train: setup  ## train one run: make train ARGS="layout=CCTT attention=relative"
	$(BIN)/python src/train.py $(ARGS)

study: setup  ## the five layouts on few real images and on abundant ones, three seeds each, then their report
	$(BIN)/python src/train.py sweep=layouts seed=$(SEEDS) $(PARTS) cluster=local $(ARGS)
	$(BIN)/python src/train.py sweep=layouts data=fractals recipe=tuned seed=$(SEEDS) $(PARTS) cluster=local $(ARGS)
	$(BIN)/python -m analysis layouts

report: setup  ## the report of a study's runs: make report STUDY=transfer (default layouts)
	$(BIN)/python -m analysis $(STUDY) $(ARGS)

results: setup  ## write the tables and figures of the published results anew from the data in analysis/results
	$(BIN)/python -m analysis --results

check: setup  ## the quick tests, without those marked slow (processes, trainings, the solver, seconds) or external (see test)
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow and not external" $(ARGS)

test: setup  ## all tests; external ones (browser, Slurm, LaTeX, Java, a small disk) need what .ci/prepare installs
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

budgets: setup  ## solve the plans of conf/size again and show what differs
	$(BIN)/python -m coatlab.budget solve $(ARGS)

lint: setup  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:  ## delete the environment and caches; run folders and reports stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
