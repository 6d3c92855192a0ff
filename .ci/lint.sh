#!/bin/sh
# ruff and mypy strict. $1 is the folder of the tools (a virtual environment's bin).
set -eu
bin=$1
"$bin/ruff" check .
"$bin/ruff" format --check .
# A plain editable install hides the package from mypy, which must read the files of this checkout:
# a link gives the repository the name of its package.
mkdir -p .typing
ln -sfn .. .typing/wheatpaste
MYPYPATH=.typing "$bin/mypy" --strict -p wheatpaste --exclude '(tests|examples|docs|benchmarks|build)/'
