"""Options that say how to reach a gateway; see also tests/integration/test_tls.py."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from packshot.cli.main import app

REMOTE = ("--server", "gateway.example:443")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((*REMOTE, "--token", "x"), ("a token travels only encrypted", "Add --tls")),
        (("--tls",), ("--tls needs --server",)),
        ((*REMOTE, "--tls-ca", "gone.pem"), ("gone.pem cannot be read", "Check --tls-ca, --tls-cert and --tls-key")),
        ((*REMOTE, "--tls-key", "my.key"), ("my.key is of no use without its certificate",)),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(
    options: tuple[str, ...], words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["rules", "list", *options], env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert all(part in done.stderr for part in words)
    assert "Traceback" not in done.stderr


def test_secrets_may_stand_in_variables() -> None:
    done = CliRunner().invoke(app, ["rules", "list", *REMOTE], env={"PACKSHOT_TOKEN": "very-secret", "COLUMNS": "200"})
    assert done.exit_code == 2
    assert "very-secret" not in done.stdout + done.stderr
