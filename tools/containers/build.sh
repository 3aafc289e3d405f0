#!/bin/sh
# Builds the images of all services with the container engine that is here; its options may follow, e.g. for a pinned base:
#     tools/containers/build.sh --build-arg BASE_IMAGE=debian:12.15-slim@sha256:…
set -eu
cd "$(dirname "$0")/../.."
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)

if docker info >/dev/null 2>&1; then
    build="docker build"
elif command -v podman >/dev/null; then
    build="podman build --format docker" # OCI's own format knows no health check
elif command -v buildah >/dev/null; then
    build="buildah build --format docker --layers"
else
    echo "images: needs docker with a running engine, podman or buildah" >&2
    exit 1
fi

for name in gateway segmenter compositor validator; do
    $build --file "services/$name/Dockerfile" --tag "packshot-$name:$version" --build-arg "VERSION=$version" \
        --build-arg "REVISION=$(git rev-parse HEAD)" --build-arg "CREATED=$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$@" .
done
