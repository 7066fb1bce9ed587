"""Job specs: what goes in, checked whole before anything is submitted.

    from gpujob.specs import parse_specs
    for spec in parse_specs(text, source="tour.yaml"):
        manifest = spec.canonical(queue_defaults)

Invariant: a name is loaded when it is first used, so that whoever only formats a duration pays for no model, and nobody
loads a YAML reader before there is YAML to read.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpujob.specs.envelope import MAX_SPEC_BYTES, Backoff, InputFile, Requires, Retry, Spec
    from gpujob.specs.fields import Input
    from gpujob.specs.parsing import override, parse_object, parse_spec_bytes, parse_specs
    from gpujob.specs.problems import Finding, Problem, refuse
    from gpujob.specs.quantities import format_duration, format_size, parse_duration, parse_size
    from gpujob.specs.registry import input_model, kinds, register_kind
    from gpujob.specs.schema import docs_table, json_schema

_HOMES = {
    "envelope": ("MAX_SPEC_BYTES", "Backoff", "InputFile", "Requires", "Retry", "Spec"),
    "fields": ("Input",),
    "parsing": ("override", "parse_object", "parse_spec_bytes", "parse_specs"),
    "problems": ("Finding", "Problem", "refuse"),
    "quantities": ("format_duration", "format_size", "parse_duration", "parse_size"),
    "registry": ("input_model", "kinds", "register_kind"),
    "schema": ("docs_table", "json_schema"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "MAX_SPEC_BYTES",
    "Backoff",
    "Finding",
    "Input",
    "InputFile",
    "Problem",
    "Requires",
    "Retry",
    "Spec",
    "docs_table",
    "format_duration",
    "format_size",
    "input_model",
    "json_schema",
    "kinds",
    "override",
    "parse_duration",
    "parse_object",
    "parse_size",
    "parse_spec_bytes",
    "parse_specs",
    "refuse",
    "register_kind",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = found
    return found
