#!/bin/sh
# Makes the virtual environment given as argument hold a real Triton server for machines without a GPU: bin/tritonserver
# serves a model repository with the python backend. The integration tests start it.
#
# The wheel of nvidia-pytriton carries the server, the python backend and its libraries. Three things are missing before
# they run by themselves: the loader must find the libraries, the backend wants its stub (the process a model runs in,
# one build for each Python) beside it, and the stub takes its packages from the first python3 on the PATH. The wheel's
# own Python side is not used, so none of what it depends on is installed but numpy, in the version it allows.
set -eu
venv=$1
python=${PYTHON:-python3}

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
echo "triton: installing the server and ONNX Runtime into $venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check 'numpy>=1.26,<2' 'onnxruntime>=1.20'
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps 'nvidia-pytriton==0.7.0'

version=$("$venv/bin/python" -c 'import sys; print("{}.{}".format(*sys.version_info))')
packages=$(cd "$venv" && pwd)/lib/python$version/site-packages
server=$packages/pytriton/tritonserver
stub=$server/python_backend_stubs/$version/triton_python_backend_stub
if [ ! -f "$stub" ]; then
    echo "triton: nvidia-pytriton has no stub for Python $version (it has" "$server"/python_backend_stubs/*/ \
        "); name another Python with PYTHON=…" | sed "s|$server/python_backend_stubs/||g" >&2
    exit 1
fi
if ldd "$stub" | grep -q "libpython$version.so.* not found"; then
    if ! command -v apt-get >/dev/null; then
        echo "triton: the stub needs libpython$version.so.1.0: please install it, then try again" >&2
        exit 1
    fi
    echo "triton: installing libpython$version"
    as_root=$([ "$(id -u)" = 0 ] || echo sudo)
    $as_root apt-get update -q
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "libpython$version"
fi
cp "$stub" "$server/backends/python/"
chmod +x "$server/bin/tritonserver" "$server/backends/python/triton_python_backend_stub"

cat >"$venv/bin/tritonserver" <<END
#!/bin/sh
# Written by tools/triton.sh.
export LD_LIBRARY_PATH="$packages/nvidia_pytriton.libs\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
export PATH="${packages%/lib/*}/bin:\$PATH"
exec "$server/bin/tritonserver" --backend-directory="$server/backends" "\$@"
END
chmod +x "$venv/bin/tritonserver"
echo "triton: $venv/bin/tritonserver --model-repository=DIR serves a folder that python -m services.segmenter.model_repository writes"
