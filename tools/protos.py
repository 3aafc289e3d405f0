"""Generates packshot/v1 from protos/; `--check` only says whether what is checked in is up to date.

protovalidate's own schema travels inside its package, so it is handed to protoc as a descriptor set and no copy
of it lives here.
"""

import argparse
import filecmp
import subprocess
import sys
import tempfile
from pathlib import Path

import google.rpc
import grpc_tools
import protovalidate
from google.protobuf import descriptor_pb2

ROOT = Path(__file__).resolve().parent.parent
PROTOS = sorted((ROOT / "protos").glob("packshot/v1/*.proto"))
STUBS = ROOT / "packshot" / "v1"
BIN = Path(sys.executable).parent
GOOGLE_PROTOS = Path(next(iter(google.rpc.__path__))).parent.parent
WELL_KNOWN_PROTOS = Path(grpc_tools.__file__).parent / "_proto"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with what is checked in; write nothing")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        generated = generate(Path(folder))
        lint(Path(folder))
        stale = [file.name for file in generated if not _same(file, STUBS / file.name)]
        wanted = {file.name for file in generated}
        left_over = [file for file in STUBS.glob("*_pb2*") if file.name not in wanted]
        if arguments.check:
            for name in [*stale, *(file.name for file in left_over)]:
                print(f"packshot/v1/{name} does not match protos/: run `make protos`", file=sys.stderr)
            return 1 if stale or left_over else 0
        for file in generated:
            (STUBS / file.name).write_bytes(file.read_bytes())
        for file in left_over:
            file.unlink()
        print(f"{len(generated)} files generated, {len(stale)} changed, {len(left_over)} removed")
    return 0


def generate(folder: Path) -> list[Path]:
    """Stubs (`*_pb2.py`, `*_pb2.pyi`, `*_pb2_grpc.py`, `*_pb2_grpc.pyi`) of every proto, under `folder`."""
    _protoc(
        folder,
        f"--python_out={folder}",
        f"--mypy_out=quiet:{folder}",
        f"--grpc_python_out={folder}",
        f"--mypy_grpc_out=quiet:{folder}",
    )
    made = sorted((folder / "packshot" / "v1").iterdir())
    for file in made:
        # The package buf.validate exists on no registry; packshot._validate puts its descriptor into the pool.
        text = file.read_text().replace(
            "from buf.validate import validate_pb2 as buf_dot_validate_dot_validate__pb2",
            "from packshot import _validate as buf_dot_validate_dot_validate__pb2",
        )
        file.write_text(text)
    with_service = [proto.stem for proto in PROTOS if "\nservice " in proto.read_text()]
    return [f for f in made if "_grpc" not in f.name or f.name.split("_pb2")[0] in with_service]


def lint(folder: Path) -> None:
    """buf's standard style; raises CalledProcessError after buf has said what is wrong."""
    descriptors = descriptor_set()
    image = folder / "image.binpb"
    image.write_bytes(descriptors.SerializeToString())
    foreign = [file.name for file in descriptors.file if not file.name.startswith("packshot/")]
    ignored = "".join(f"\n    - {name}" for name in foreign)
    config = folder / "buf.yaml"
    config.write_text(
        "version: v2\nlint:\n  use: [STANDARD]\n"
        # The gateway passes the validator's ListRulePacks and GetRulePack through as they are.
        "  except: [RPC_REQUEST_RESPONSE_UNIQUE]\n"
        f"  ignore:{ignored}\n"
    )
    subprocess.run([BIN / "buf", "lint", image, "--config", config], check=True)


def descriptor_set() -> descriptor_pb2.FileDescriptorSet:
    """Every proto and what it imports, with comments."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "descriptors.binpb"
        _protoc(Path(folder), "--include_imports", "--include_source_info", f"--descriptor_set_out={made}")
        return descriptor_pb2.FileDescriptorSet.FromString(made.read_bytes())


def _protoc(folder: Path, *arguments: str) -> None:
    validate = descriptor_pb2.FileDescriptorProto.FromString(protovalidate.ViolationPb.desc().file.proto.to_binary())
    descriptors = folder / "validate.binpb"
    descriptors.write_bytes(descriptor_pb2.FileDescriptorSet(file=[validate]).SerializeToString())
    includes = [f"-I{ROOT / 'protos'}", f"-I{GOOGLE_PROTOS}", f"-I{WELL_KNOWN_PROTOS}"]
    # The plugins lie beside this Python; a virtual environment need not be activated, so not on the PATH.
    plugins = [f"--plugin=protoc-gen-{name}={BIN / f'protoc-gen-{name}'}" for name in ("mypy", "mypy_grpc")]
    command = [sys.executable, "-m", "grpc_tools.protoc", *includes, *plugins, f"--descriptor_set_in={descriptors}"]
    subprocess.run([*command, *arguments, *PROTOS], check=True)


def _same(one: Path, other: Path) -> bool:
    return other.exists() and filecmp.cmp(one, other, shallow=False)


if __name__ == "__main__":
    sys.exit(main())
