# Thin: each target makes .venv where it is missing (.ci/setup), then runs one command.
# Paths are relative, so the project's folder may have spaces in its name.
BIN = .venv/bin
NAME = all

MODULE =

.PHONY: help setup run check test chapter lab bench mutants stress export messages lock clean

help:
	@echo 'make run      the pipeline on the shipped shop: report/index.html'
	@echo 'make lab      the learner edition in JupyterLab: workbook/; what you write there stays'
	@echo 'make check    two minutes of that: what is generated, lint, the quick tests of what changed'
	@echo 'make test     everything that CI checks (one chapter: NAME=06c)'
	@echo 'make bench    the benchmarks, to bench/results/ (one of them: NAME=...)'
	@echo 'make mutants  whether the tests notice deliberate faults; long, figure to BENCHMARKS.md'
	@echo 'make stress   killed runs, small shops and fuzz tests by the hundred; long, figures to BENCHMARKS.md'
	@echo 'make chapter  a new chapter that passes all checks: NAME=07_behavior MODULE=behavior.funnel'
	@echo 'make export   modules, exercises, clean notebooks and README from the notebooks'
	@echo 'make messages the catalogues of translations, from the sentences in the library'
	@echo 'make lock     requirements.lock from settings.ini'
	@echo 'make clean    removes .venv, report and caches'
	@echo 'The first of them makes .venv, which takes a few minutes.'

setup:
	@.ci/setup

run: setup
	@$(BIN)/segtutorial run --data data --out report --overwrite

check: setup
	@$(BIN)/python .ci/check

test: setup
	@.ci/test $(filter-out all,$(NAME))

chapter: setup
	@$(BIN)/python .ci/chapter $(NAME) $(MODULE)

lab: setup
	@$(BIN)/segtutorial workbook --from nbs --out workbook
	@$(BIN)/python -m jupyterlab workbook/index.ipynb

# files that begin with _ are what the benchmarks share
bench: setup
	@for file in bench/$(if $(filter-out all,$(NAME)),$(NAME),[!_]*).py; do \
		echo "$$file"; $(BIN)/python "$$file" || exit 1; done

mutants: setup
	@$(BIN)/python .ci/mutants --write

stress: setup
	@$(BIN)/python .ci/stress --write

export: setup
	@$(BIN)/python .ci/sync

messages: setup
	@$(BIN)/python .ci/messages

lock: setup
	@$(BIN)/python .ci/lock

clean:
	@rm -rf .venv report build dist _docs _proc .pytest_cache .hypothesis *.egg-info
	@find nbs segtutorial tests bench -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
