"""Services as processes of their own, as they run in production."""

import os
import signal
import subprocess
import sys

import pytest


@pytest.mark.parametrize("service", ["validator", "gateway"])
def test_a_service_starts_and_stops_by_signal_with_exit_code_0(service: str) -> None:
    prefix = service.upper()
    environment = {f"{prefix}_LISTEN": "127.0.0.1:0", "GATEWAY_AUTH": "off"}
    with subprocess.Popen(
        [sys.executable, "-m", f"services.{service}"], env=os.environ | environment, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        serving = process.stderr.readline()
        assert f'"service": "{service}"' in serving
        assert '"event": "serving"' in serving
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
        assert process.returncode == 0, log
        assert '"event": "stopped"' in log


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"GATEWAY_AUTH": "off", "GATEWAY_WORKERS": "none"}, "GATEWAY_WORKERS: "),
        ({}, "auth=api-key needs GATEWAY_DATABASE_URL"),
        ({"GATEWAY_DATABASE_URL": "sqlite+aiosqlite:////nowhere/gateway.db"}, "there is no such folder"),
        ({"GATEWAY_DATABASE_URL": "mysql://localhost/gateway"}, "cannot start: database URL mysql"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_gateway_that_cannot_start_says_why_and_what_to_do(environment: dict[str, str], says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services.gateway"],
        env=os.environ | {"GATEWAY_LISTEN": "127.0.0.1:0"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
