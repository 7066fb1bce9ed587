"""Job specs: what goes in, checked whole before anything is submitted.

    from gpujob.specs import parse_specs
    for spec in parse_specs(text, source="tour.yaml"):
        manifest = spec.canonical(queue_defaults)

Invariant: importing this package loads neither a YAML reader nor anything that talks to a bucket or a terminal.
"""

from gpujob.specs.envelope import MAX_SPEC_BYTES, Backoff, InputFile, Requires, Retry, Spec
from gpujob.specs.fields import Input
from gpujob.specs.kinds import input_model, kinds, register_kind
from gpujob.specs.parsing import override, parse_object, parse_spec_bytes, parse_specs
from gpujob.specs.problems import Finding, Problem, refuse
from gpujob.specs.quantities import format_duration, format_size, parse_duration, parse_size
from gpujob.specs.schema import docs_table, json_schema

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
