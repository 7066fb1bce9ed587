"""`gpujob keys new` and `ls`: the key pairs that sign jobs and results."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gpujob.settings import keys_folder
from gpujob.signing.configured import signing_path
from gpujob.signing.folder import Pair, make_pair, pairs
from gpujob_cli.session import Session

HEADER = ("NAME", "ID", "SIGNS", "PUBLIC KEY")
DEFAULT_NAME = "default"


def new(
    session: Session, name: Annotated[str, typer.Argument(metavar="[NAME]", help="What to call it.")] = DEFAULT_NAME
) -> None:
    """Make a key pair and print its public half. The private half stays in a file that only you can read.

    Whoever submits signs jobs with theirs, each worker signs results with its own; docs/signing.md has the rest.

    \b
    Example:
      gpujob keys new
      GPUJOB_SIGN_WITH=default gpujob submit tour.json
    """
    pair = make_pair(keys_folder(), name)
    if session.out.json:
        session.out.answer_json(_facts(pair, signs=False))
    else:
        session.out.answer(pair.public.text)
    session.out.say(f"the key {pair.public.id}; its private half is {pair.path}, for this machine alone")
    session.out.say(f"GPUJOB_SIGN_WITH={name} signs with it. The line above is for others:")
    session.out.say("  of a submitter, for the workers: GPUJOB_TRUST_SUBMITTERS=ed25519:...")
    session.out.say("  of a worker, for those who wait and for other workers: GPUJOB_TRUST_WORKERS=ed25519:...")


def ls(session: Session) -> None:
    """List your key pairs, and which of them signs what you submit from here.

    \b
    Example:
      gpujob keys ls
    """
    signing = signing_path(session.settings)
    found = [(pair, pair.path == signing) for pair in pairs(keys_folder())]
    if session.out.json:
        session.out.answer_json([_facts(pair, signs=signs) for pair, signs in found])
    elif session.out.quiet:
        for pair, _ in found:
            session.out.answer(pair.public.text)
    elif found:
        rows = [[pair.name, pair.public.id, "yes" if signs else "no", pair.public.text] for pair, signs in found]
        session.out.table(rows, header=HEADER)
    else:
        session.out.say(f"no key pair is in {keys_folder()}; `gpujob keys new` makes one")


def _facts(pair: Pair, *, signs: bool) -> dict[str, Any]:
    return {
        "name": pair.name,
        "id": pair.public.id,
        "public_key": pair.public.text,
        "private_key_file": str(pair.path),
        "signs": signs,
    }
