import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.gateway.keys import ApiKeys, KeysError, add

HASH = "a" * 64


def test_an_added_key_belongs_to_its_tenant(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    acme, zeta = add(file, "acme"), add(file, "zeta")
    keys = ApiKeys.load(file)
    assert keys.tenant(acme) == "acme"
    assert keys.tenant(zeta) == "zeta"
    assert keys.tenant("pk_guessed") is None
    assert keys.tenant("") is None


def test_a_tenant_may_have_several_keys(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    old, new = add(file, "acme"), add(file, "acme")
    assert old != new
    keys = ApiKeys.load(file)
    assert (keys.tenant(old), keys.tenant(new)) == ("acme", "acme")


def test_the_file_holds_no_key_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text('{"keys": []}')
    file.chmod(0o644)
    key = add(file, "acme")
    assert key not in file.read_text()
    assert key.removeprefix("pk_") not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("tenant", ["", "Acme", "-acme", "a.b", "a*", "a b", "acme\n", "a" * 64])
def test_tenants_that_could_not_stand_in_a_subject_are_refused(tmp_path: Path, tenant: str) -> None:
    with pytest.raises(KeysError, match="tenant"):
        add(tmp_path / "keys.json", tenant)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "must be"),
        ('{"keys": {}}', "must be"),
        ('{"keys": ["pk_plain"]}', r"keys\[0\] needs"),
        ('{"keys": [{"tenant": "acme"}]}', r"keys\[0\] needs"),
        (json.dumps({"keys": [{"tenant": "acme", "sha256": "abc"}]}), r"keys\[0\].sha256 must be 64 hex digits"),
        (json.dumps({"keys": [{"tenant": "a.b", "sha256": HASH}]}), r"keys\[0\].tenant"),
        (json.dumps({"keys": [{"tenant": t, "sha256": HASH} for t in ("a", "b")]}), "there twice"),
    ],
)
def test_a_file_in_another_form_is_refused_with_the_place(tmp_path: Path, content: str, problem: str) -> None:
    file = tmp_path / "keys.json"
    file.write_text(content)
    with pytest.raises(KeysError, match=problem):
        ApiKeys.load(file)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(KeysError, match="not JSON"):
        ApiKeys.load(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match=r"cannot read .*nowhere\.json: No such file"):
        ApiKeys.load(tmp_path / "nowhere.json")


def test_a_broken_file_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text("{broken")
    with pytest.raises(KeysError):
        add(file, "acme")
    assert file.read_text() == "{broken"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["keys", "tenant", "sha256", "id"]), inner),
)
ENTRIES = st.fixed_dictionaries(
    {"tenant": st.from_regex(r"[a-zA-Z0-9.-]{0,70}"), "sha256": st.from_regex(r"[0-9a-fA-F]{60,65}")}
)


@given(JSON | st.fixed_dictionaries({"keys": st.lists(ENTRIES | JSON)}))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_loads_or_is_refused_as_a_keys_error(tmp_path: Path, document: Any) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(document))
    try:
        keys = ApiKeys.load(file)
    except KeysError:
        return
    assert all(len(known) == 64 and tenant for known, tenant in keys.tenant_by_hash.items())


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.gateway.keys", *arguments], capture_output=True, text=True, timeout=60
    )


def test_the_command_prints_a_key_that_works(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    done = command("add", "--file", str(file), "--tenant", "acme")
    assert done.returncode == 0, done.stderr
    assert ApiKeys.load(file).tenant(done.stdout.strip()) == "acme"


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    done = command("add", "--file", str(tmp_path / "no" / "keys.json"), "--tenant", "acme")
    assert done.returncode == 2
    assert "cannot write" in done.stderr
    assert "Traceback" not in done.stderr
