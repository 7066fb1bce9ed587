"""A job's input, looked at once more before it is run: whoever can write to the bucket need not have used `gpujob submit`.

Invariant: what an executor of ours gets has passed the model of its kind, field by field, so that no step or file in it
has a name that leads out of its folder. Fields that only a later version knows are left in, and passed over.
"""

from __future__ import annotations

from pydantic import ValidationError

from gpujob.errors import JobFailed
from gpujob.records import Manifest
from gpujob.specs.documents import plain
from gpujob.specs.registry import input_model

MOST_PROBLEMS = 5


def check_input(manifest: Manifest) -> None:
    """Raises JobFailed(invalid_input) unless the input is one of its kind. A kind without a model takes any."""
    value, findings = plain(dict(manifest.input))
    problems = [finding.message for finding in findings]
    model = input_model(manifest.kind)
    if model is not None and not problems:
        try:
            model.model_validate(value)
        except ValidationError as error:
            rows = error.errors(include_input=False, include_url=False, include_context=False)
            problems = [
                f"input.{'.'.join(str(part) for part in row['loc'])}: {row['msg']}"
                for row in rows
                if row["type"] != "extra_forbidden"
            ]
    if problems:
        raise JobFailed(
            f"this is no job for {manifest.kind}: {'; '.join(problems[:MOST_PROBLEMS])}"[:2000],
            type="invalid_input",
            retryable=False,
            hint=f"`gpujob schema {manifest.kind}` prints what an input may hold.",
        )
