#!/bin/sh
# Makes the virtual environment given as argument and sees that nats-server is there. Debian 12 needs nothing else.
set -eu
venv=$1
python=${PYTHON:-python3}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "setup: needs root for '$*': run it as root, then try again" >&2
        exit 1
    fi
}

missing=""
command -v nats-server >/dev/null || missing="$missing nats-server"
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
if [ -n "$missing" ]; then
    if ! command -v apt-get >/dev/null; then
        echo "setup: please install$missing, then try again" >&2
        exit 1
    fi
    echo "setup: installing$missing"
    as_root apt-get update -q
    # shellcheck disable=SC2086  # a list of packages
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
fi

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "setup: $python is older than 3.11; name another with PYTHON=…" >&2
    exit 1
}
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --upgrade pip
echo "setup: installing Python packages into $venv"
"$venv/bin/python" -m pip install --quiet --editable '.[dev]'
