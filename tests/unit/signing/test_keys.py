"""Key pairs on disk, and public keys as people write them: what is refused, and with which sentence."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from gpujob import settings as settings_
from gpujob.errors import Configuration, Conflict, InvalidSpec
from gpujob.settings import Settings
from gpujob.signing.configured import identity_of, signing_path
from gpujob.signing.folder import make_pair, pairs
from gpujob.signing.identity import NOBODY
from gpujob.signing.private import load_key, new_key
from gpujob.signing.public import parse_key, trusted_keys


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of keys, empty."""
    found = tmp_path / "config" / "keys"
    monkeypatch.setattr(settings_, "keys_folder", lambda: found)
    return found


def test_a_new_pair_is_for_its_owner_alone(folder: Path) -> None:
    pair = make_pair(folder, "alice")
    assert stat.S_IMODE(pair.path.stat().st_mode) == 0o600 and stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert pair.path.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    assert (folder / "alice.pub").read_text() == pair.public.text + "\n"
    assert load_key(pair.path).public == pair.public == parse_key(pair.public.text)


def test_a_pair_is_never_replaced(folder: Path) -> None:
    before = make_pair(folder, "alice").path.read_bytes()
    with pytest.raises(Conflict, match="is there already"):
        make_pair(folder, "alice")
    (folder / "alice.pub").unlink()
    with pytest.raises(Conflict):
        make_pair(folder, "alice")
    assert (folder / "alice.pem").read_bytes() == before


@pytest.mark.parametrize("name", ["", "../evil", "a/b", ".hidden", "a b", "x" * 65, "a\n"])
def test_a_name_that_leaves_the_folder_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(InvalidSpec, match="no name for a key"):
        make_pair(folder, name)
    assert not folder.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_private_key_that_others_can_read_is_refused_with_the_remedy(folder: Path, mode: int) -> None:
    pair = make_pair(folder, "alice")
    pair.path.chmod(mode)
    with pytest.raises(Configuration) as caught:
        load_key(pair.path)
    assert "others can read" in caught.value.message and caught.value.hint == f"Run `chmod 600 {pair.path}`."


def test_what_is_no_ed25519_key_is_refused(folder: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    pem = (Encoding.PEM, PrivateFormat.PKCS8)
    folder.mkdir(parents=True)
    path = folder / "x.pem"
    path.touch(mode=0o600)
    locked = Ed25519PrivateKey.generate().private_bytes(*pem, BestAvailableEncryption(b"word"))
    other = generate_private_key(SECP256R1()).private_bytes(*pem, NoEncryption())
    for body, said in ((b"nonsense", "no PEM"), (locked, "passphrase"), (other, "not an Ed25519 key")):
        path.write_bytes(body)
        with pytest.raises(Configuration, match=said):
            load_key(path)


def test_a_private_key_shows_only_its_id() -> None:
    key = new_key()
    assert repr(key) == f"PrivateKey({key.public.id})" and str(key) == repr(key)


@pytest.mark.parametrize("text", ["", "ed25519:", "ed25519:!!!", "ed25519:AAAA", "rsa:AAAA", "ed25519:" + "A" * 88])
def test_what_is_no_public_key_is_refused_by_its_setting(folder: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"ed25519|bytes"):
        parse_key(text)
    with pytest.raises(Configuration, match="trust_workers: "):
        trusted_keys([text or "nowhere"], folder=folder, setting="trust_workers")


def test_lists_are_keys_names_of_pairs_and_files(folder: Path, tmp_path: Path) -> None:
    alice, bob, carol = make_pair(folder, "alice").public, new_key().public, new_key().public
    listed = tmp_path / "workers.pub"
    listed.write_text(f"# the fleet\n\n{bob.text}  gpu1\n{carol.text}\n")
    found = trusted_keys([alice.text, "alice", str(listed)], folder=folder, setting="trust_workers")
    assert found == (alice, bob, carol)


@pytest.mark.parametrize("content", ["", "# nobody\n", "ed25519:AAAA\n", "\xff"])
def test_a_list_without_a_key_never_trusts_everybody(folder: Path, tmp_path: Path, content: str) -> None:
    listed = tmp_path / "workers.pub"
    listed.write_text(content, encoding="latin-1")
    with pytest.raises(Configuration, match=r"trust_submitters: .*workers\.pub"):
        identity_of(Settings(trust_submitters=(str(listed),)))


def test_settings_name_who_we_are(folder: Path) -> None:
    alice, gpu1 = make_pair(folder, "alice"), make_pair(folder, "gpu1")
    assert identity_of(Settings()) is NOBODY
    found = identity_of(Settings(sign_with="alice", trust_workers=("gpu1",), trust_submitters=(alice.public.text,)))
    assert found.key is not None and found.key.public == alice.public
    assert (found.submitters, found.workers) == ((alice.public,), (gpu1.public,))
    by_path = identity_of(Settings(sign_with=str(gpu1.path)))
    assert by_path.key is not None and by_path.key.public == gpu1.public
    assert signing_path(Settings(sign_with="alice")) == alice.path


def test_a_key_that_is_not_there_names_the_command(folder: Path) -> None:
    with pytest.raises(Configuration, match="cannot read the private key") as caught:
        identity_of(Settings(sign_with="nobody"))
    assert caught.value.hint is not None and "gpujob keys new" in caught.value.hint


def test_without_the_library_a_sentence_names_the_extra(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(Configuration) as caught:
        identity_of(Settings(sign_with="alice"))
    assert caught.value.hint == "`pip install 'gpujob[sign]'` installs it."


def test_the_folder_lists_pairs_only(folder: Path) -> None:
    for name in ("bob", "alice"):
        make_pair(folder, name)
    (folder / "carol.pub").write_text(new_key().public.text)  # somebody else's, whose private half is not here
    assert [pair.name for pair in pairs(folder)] == ["alice", "bob"]


def test_an_executors_process_does_not_learn_where_the_private_key_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUJOB_SIGN_WITH", "alice")
    monkeypatch.setenv("GPUJOB_TRUST_SUBMITTERS", "ed25519:x")
    inherited = settings_.child_environment()
    assert "GPUJOB_SIGN_WITH" not in inherited and inherited["GPUJOB_TRUST_SUBMITTERS"] == "ed25519:x"
    assert "GPUJOB_SIGN_WITH" in os.environ
