#!/bin/sh
# Writes the images' lock files anew: the newest releases that pyproject.toml allows, with their hashes. Argument: uv's path.
set -eu
cd "$(dirname "$0")/../.."
uv=$1
export UV_CUSTOM_COMPILE_COMMAND="make locks"

lock() {
    # Wheels of every architecture are hashed; what is needed is resolved for Debian 12's Python.
    "$uv" pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-annotate \
        --python-version 3.11 --python-platform x86_64-manylinux_2_36 "$@"
}

for name in gateway segmenter compositor validator; do
    extras="--extra $name"
    [ "$name" != segmenter ] || extras="$extras --extra triton"
    # shellcheck disable=SC2086  # options
    lock pyproject.toml $extras --output-file "services/$name/requirements.lock"
done
# What builds our own wheel, and setuptools for the packages that are published as source alone.
{ sed -n 's/^requires = \["\(.*\)"\]$/\1/p' pyproject.toml && echo setuptools; } |
    lock - --output-file deploy/containers/build.lock
