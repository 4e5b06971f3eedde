# Two commands do everything on a fresh machine with Python 3.11, pip and make:
#   make book    install, run every chapter, build the pages into _build/html
#   make test    install, test
PYTHON ?= python3
VENV ?= .venv
PORT ?= 8000
BIN := $(VENV)/bin
# The student's book hides the solutions: make book STUDENT=1
OUT := $(if $(STUDENT),_build/student,.)
PAGES := $(OUT)/_build
export MIRAGE_STUDENT := $(STUDENT)

.PHONY: book notebooks site test bench serve check format lock clean

book: $(VENV)/.installed
	@$(BIN)/python tools/machine.py $(VENV)
	@# A page that failed must be read again next time, or its warning would be shown only once.
	$(BIN)/jupyter-book build . --path-output $(OUT) -n -W --keep-going || \
	  { rm -rf $(PAGES)/.doctrees; cat $(PAGES)/html/reports/book/*.log 2>/dev/null; exit 1; }
	$(BIN)/python tools/notebooks.py check

# Chapters as notebooks, beside them; also the addresses in README.md and CITATION.cff.
notebooks: $(VENV)/.installed
	$(BIN)/jupyter-book build . -n -W --keep-going || { rm -rf _build/.doctrees; exit 1; }
	$(BIN)/python tools/notebooks.py write

# The site to publish, in _build/site, its notebooks pinned to a commit: make site REF=<commit>
site: book
	$(BIN)/python tools/notebooks.py site $(REF)

test: $(VENV)/.installed
	@$(BIN)/python tools/machine.py $(VENV)
	$(BIN)/python -m pytest -n 2 --cov --cov-report=term

bench: $(VENV)/.installed
	$(BIN)/python benchmarks/metrics.py

serve: book
	$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory $(PAGES)/html

check: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/python tools/notebooks.py addresses

format: $(VENV)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf _build .pytest_cache .ruff_cache .hypothesis .coverage mirage_lib.egg-info
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# Write requirements.txt anew from the ranges of pyproject.toml.
lock:
	rm -rf _build/lock && $(PYTHON) -m venv _build/lock
	_build/lock/bin/python -m pip install -q torch==2.13.0 setuptools '.[lm,book,test]'
	sed -n '/^#/p' requirements.txt > _build/requirements.txt
	_build/lock/bin/python -m pip freeze --all --exclude mirage_lib --exclude pip | sed 's/+cpu$$//' >> _build/requirements.txt
	mv _build/requirements.txt requirements.txt && rm -rf _build/lock

$(VENV)/.installed: requirements.txt pyproject.toml
	@$(PYTHON) tools/machine.py $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -r requirements.txt
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@
