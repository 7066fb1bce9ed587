"""Checking a spec loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import gpujob.specs


def test_importing_specs_loads_no_yaml_no_boto_no_rich():
    heavy = ("ruamel", "boto3", "botocore", "rich", "typer")
    code = f"import sys, gpujob.specs.parsing, gpujob.specs.schema; print([n for n in {heavy} if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "[]"


def test_formatting_a_duration_loads_no_models():
    code = "import sys; from gpujob.specs import format_duration; print('pydantic' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "False"


def test_every_public_name_is_there():
    assert all(getattr(gpujob.specs, name) is not None for name in gpujob.specs.__all__)
    assert set(gpujob.specs.__all__) == set(gpujob.specs._HOME_OF)
