# `just` lists the recipes. CI and pre-commit call the same ones.

run := "uv run"

_default:
    @just --list

# Everything CI asks of a change, but the tests of the README's test command.
check: format-check lint types test-marked docs-check constraints-check

# Rewrite the code in the project's format.
format:
    {{ run }} ruff format .
    {{ run }} ruff check --fix .

format-check:
    {{ run }} ruff format --check .

lint:
    {{ run }} ruff check .

types:
    {{ run }} mypy

# The quick tests, four to six minutes on two cores.
test *args:
    {{ run }} pytest {{ args }}

# Not a file per worker here: those that start trainings or a browser take minutes each.
# The tests that the quick run leaves out: slow ones, those that render, those in a browser.
test-marked *args:
    {{ run }} pytest --dist load -m "slow or sim or browser" {{ args }}

# `wristseg label --engine ray`, on a cluster of this machine alone.
test-ray *args:
    {{ run }} --extra ray pytest -n 0 -m "ray and not faults" {{ args }}

# The whole fault table with its full counts, into docs/reliability.md (half an hour).
faults *args:
    {{ run }} --extra ray python scripts/reliability.py {{ args }}
    {{ run }} pytest -n 0 -m faults tests/test_guards.py

# Known vulnerabilities of the pinned versions; one that cannot be looked up is an error too.
audit:
    uvx pip-audit@2.10.1 --strict --disable-pip --require-hashes -r constraints.txt

# What is installed here, with versions and licences, as a CycloneDX bill of materials in dist/.
sbom:
    mkdir -p dist
    uvx --from cyclonedx-bom==7.5.0 cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --of JSON -o dist/wristseg.cdx.json .venv/bin/python

# Fuzz a reader of labels, coco or rle, guided by coverage.
fuzz target seconds="60":
    {{ run }} --with atheris==3.0.0 python scripts/fuzz.py {{ target }} --seconds {{ seconds }}

# Beside the real lerobot package, in an environment of its own (Python 3.12+; a few GB, once).
test-lerobot *args:
    {{ run }} python scripts/test_with_lerobot.py {{ args }}

# README's file map, links and command help agree with the code.
docs-check:
    {{ run }} python scripts/check_docs.py

# Bring generated parts of the docs up to date.
docs:
    {{ run }} python scripts/check_docs.py --write

# The pinned versions and hashes equal what pyproject.toml resolves to.
constraints-check:
    @{{ run }} python scripts/constraints.py --check

# Pin versions and hashes anew, after a change of dependencies or of exclude-newer.
constraints:
    {{ run }} python scripts/constraints.py

# Predictions for Label Studio through its own converter, in an environment of its own, and back.
label-studio:
    {{ run }} python scripts/label_studio_round_trip.py

# Render data/dataset_v0 and data/clips again (needs EGL; about six minutes on two cores).
dataset:
    {{ run }} wristseg render --preset dataset-v0 --output data/dataset_v0 --overwrite
    {{ run }} wristseg render --clips grasp shadow --output data/clips --overwrite

# Wheel and source distribution, into dist/.
build:
    uv build

# The full benchmark beside the plain script and peers, into docs/benchmarks (25 minutes on two idle cores).
benchmark *args:
    {{ run }} --group bench wristseg benchmark {{ args }}

# The live loop in real time on a clip: age, deadlines, drops, memory, per model (idle machine).
measure-live *args:
    {{ run }} python scripts/measure_live.py {{ args }}
