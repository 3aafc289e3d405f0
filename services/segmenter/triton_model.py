"""A model on a Triton Inference Server, over its gRPC API (the KServe v2 inference protocol with Triton's extensions).

Proposers run in worker threads, the client on the event loop of the service: a run is handed over to the loop, and the
thread waits for the answer. What Triton serves is checked against the registry before the first run, after every
failed one, and by `Triton.is_ready` whenever the service's health is asked for.

References
----------
Triton Inference Server, "GRPC protocol" and "Model repository extension"; tritonclient.grpc.aio.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import structlog
from numpy.typing import NDArray
from opentelemetry.trace import SpanKind
from tritonclient.grpc import InferInput, InferRequestedOutput
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from services.common.channel import OPTIONS
from services.common.telemetry.traces import outgoing, tracer
from services.segmenter.metrics import TRITON_DURATION, TRITON_IN_FLIGHT
from services.segmenter.model import ModelDeadlineError, ModelError, ModelUnavailableError, WeightsMismatchError
from services.segmenter.registry import ModelSpec

T = TypeVar("T")

DIGEST_PARAMETER = "weights_sha256"
"""The parameter of config.pbtxt that says which weights are served."""

_DATATYPE = "FP32"
_ANY = -1  # a dimension the server leaves open

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Served:
    """What the server calls the model's input and output."""

    input: str
    output: str


class Triton:
    """A Triton server: one channel for all its models, on the event loop that runs when this is made.

    Nothing is asked of the server before the first check or run; until it answers, calls fail, they do not wait.

    Args:
        url: `HOST:PORT` of its gRPC API, or `dns:///headless-name:PORT` for several of them.
        timeout_s: for one run of a model, and for every question of a check.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._client = InferenceServerClient(url, channel_args=OPTIONS)
        self._timeout_s = timeout_s
        self._models: list[TritonModel | TritonNetwork] = []
        self._problem: str | None = None

    def model(self, spec: ModelSpec, sha256: str | None = None) -> TritonModel:
        """One of its models, to run in worker threads.

        Args:
            spec: which it is, from the registry; the server knows it by the same name.
            sha256: digest of the weights that the model's config.pbtxt must state; None accepts any.
        """
        model = TritonModel(spec, self._client, self._loop, self._timeout_s, sha256)
        self._models.append(model)
        return model

    def network(
        self, name: str, inputs: Sequence[str], outputs: Sequence[str], sha256: str | None = None
    ) -> TritonNetwork:
        """One of its models that is no row of the registry, to run in worker threads: one of SAM's halves.

        Args:
            name: what the server calls it.
            inputs, outputs: names of its tensors.
            sha256: as for `model`.
        """
        network = TritonNetwork(name, inputs, outputs, self._client, self._loop, self._timeout_s, sha256)
        self._models.append(network)
        return network

    async def is_ready(self) -> bool:
        """Whether it serves all the models given out; the log says when that changes, and why."""
        problems = []
        for model in self._models:
            try:
                await model.check()
            except ModelError as error:
                problems.append(str(error))
        problem = "; ".join(problems)
        if problem != self._problem:
            self._problem = problem
            names = [model.name for model in self._models]
            if problem:
                log.warning("triton not ready", models=names, error=problem)
            else:
                log.info("triton ready", models=names)
        return not problems

    async def close(self) -> None:
        """Closes the channel; no model may run any more."""
        await self._client.close()


class _Remote:
    """What a model of a Triton server needs to be asked; `_infer` waits for the event loop and must not run on it."""

    def __init__(
        self,
        name: str,
        client: InferenceServerClient,
        loop: asyncio.AbstractEventLoop,
        timeout_s: float,
        sha256: str | None,
    ) -> None:
        self.name = name
        self._client = client
        self._loop = loop
        self._timeout_s = timeout_s
        self._sha256 = sha256

    def _infer(self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        given = [
            InferInput(name, array.shape, np_to_triton_dtype(array.dtype)).set_data_from_numpy(array)
            for name, array in inputs.items()
        ]
        wanted = [InferRequestedOutput(name) for name in outputs]
        answer = self._wait_for(
            self._ask(
                self._client.infer(self.name, given, outputs=wanted, client_timeout=self._timeout_s, headers=outgoing())
            )
        )
        return {name: answer.as_numpy(name) for name in outputs}

    @contextmanager
    def _seen(self) -> Iterator[None]:
        """A run in log, trace and metrics, whatever comes of it."""
        started = time.perf_counter()
        outcome = "OK"
        about = {"packshot.model": self.name}
        with (
            TRITON_IN_FLIGHT.labels(self.name).track_inprogress(),
            tracer.start_as_current_span("triton", kind=SpanKind.CLIENT, attributes=about),
        ):
            try:
                yield
            except ModelError as error:
                outcome = type(error).__name__
                raise
            finally:
                duration_s = time.perf_counter() - started
                TRITON_DURATION.labels(self.name, outcome).observe(duration_s)
                log.info(
                    "model run",
                    model=self.name,
                    backend="triton",
                    outcome=outcome,
                    duration_ms=round(duration_s * 1000, 1),
                )

    async def _metadata(self) -> Any:
        """What the server says of the model, once it is ready and its weights are the ones asked for.

        Raises:
            ModelUnavailableError, ModelDeadlineError, WeightsMismatchError: as `TritonModel.check`.
        """
        client, timeout_s = self._client, self._timeout_s
        # Not whether the server is ready: to Triton that means that every model is, also those of other people.
        if not await self._ask(client.is_model_ready(self.name, client_timeout=timeout_s)):
            raise ModelUnavailableError(
                f"{self.name}: Triton does not serve this model now; see its log, and add the model to its repository "
                "with python -m services.segmenter.model_repository"
            )
        metadata = await self._ask(client.get_model_metadata(self.name, client_timeout=timeout_s))
        if self._sha256 is not None:
            answer = await self._ask(client.get_model_config(self.name, client_timeout=timeout_s))
            stated = answer.config.parameters[DIGEST_PARAMETER].string_value
            if stated != self._sha256.lower():
                raise WeightsMismatchError(
                    f"{self.name}: Triton serves weights of sha256 {stated or 'not stated'}, but {self._sha256} was "
                    "asked for; write its repository anew from the right file, or correct the digest"
                )
        return metadata

    def _wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of what the event loop does for this thread; every call in it has a deadline."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _ask(self, call: Coroutine[Any, Any, T]) -> T:
        try:
            return await call
        except InferenceServerException as error:
            code = str(error.status()).removeprefix("StatusCode.")
            if code == "DEADLINE_EXCEEDED":
                raise ModelDeadlineError(
                    f"{self.name}: Triton did not answer within {self._timeout_s:g} s; give it more instances of the "
                    "model, or raise SEGMENTER_TRITON_TIMEOUT_S"
                ) from error
            raise ModelUnavailableError(
                f"{self.name}: Triton cannot run the model ({code}: {error.message()}); see that it runs at "
                "SEGMENTER_TRITON_URL, and its log, or set SEGMENTER_FALLBACK=local"
            ) from error


class TritonModel(_Remote):
    """One model of a Triton server, as `services.segmenter.model_repository` lays it out; see `Triton.model`.

    `run` waits for the event loop, so it must not be called on it.
    """

    def __init__(
        self,
        spec: ModelSpec,
        client: InferenceServerClient,
        loop: asyncio.AbstractEventLoop,
        timeout_s: float,
        sha256: str | None,
    ) -> None:
        super().__init__(spec.name, client, loop, timeout_s, sha256)
        self._spec = spec
        self._served: _Served | None = None

    def run(self, prepared: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            with self._seen():
                served = self._served or self._wait_for(self.check())
                answer = self._infer({served.input: prepared}, [served.output])
                return np.asarray(answer[served.output], np.float32)
        except ModelError:
            self._served = None
            raise

    async def check(self) -> _Served:
        """See that the model is ready on the server, and is as the registry describes it. For the event loop.

        Raises:
            ModelUnavailableError: the server does not answer, or does not serve the model now.
            ModelDeadlineError: it did not answer in time.
            WeightsMismatchError: it serves another model by this name, or other weights.
        """
        self._served = _served(self._spec, await self._metadata())
        return self._served


class TritonNetwork(_Remote):
    """A model of a Triton server with any number of inputs and outputs; see `Triton.network`.

    `run` waits for the event loop, so it must not be called on it.
    """

    def __init__(
        self,
        name: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        client: InferenceServerClient,
        loop: asyncio.AbstractEventLoop,
        timeout_s: float,
        sha256: str | None,
    ) -> None:
        super().__init__(name, client, loop, timeout_s, sha256)
        self._inputs = sorted(inputs)
        self._outputs = tuple(outputs)
        self._is_checked = False

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Its outputs by name; arrays carry their batch."""
        try:
            with self._seen():
                if not self._is_checked:
                    self._wait_for(self.check())
                return self._infer(inputs, self._outputs)
        except ModelError:
            self._is_checked = False
            raise

    async def check(self) -> None:
        """See that the model is ready on the server and has these tensors. For the event loop.

        Raises:
            ModelUnavailableError, ModelDeadlineError, WeightsMismatchError: as `TritonModel.check`.
        """
        metadata = await self._metadata()
        takes = sorted(tensor.name for tensor in metadata.inputs)
        gives = sorted(tensor.name for tensor in metadata.outputs)
        if takes != self._inputs or not set(self._outputs) <= set(gives):
            raise WeightsMismatchError(
                f"{self.name}: Triton's model takes {', '.join(takes)} and gives {', '.join(gives)}, not "
                f"{', '.join(self._inputs)} and {', '.join(self._outputs)}; write its repository anew with "
                "python -m services.segmenter.model_repository"
            )
        self._is_checked = True


def _served(spec: ModelSpec, metadata: Any) -> _Served:
    """The names in a model's metadata, when its tensors are those of the registry.

    Raises:
        WeightsMismatchError: naming the tensor and what was expected.
    """
    side = spec.input_side_px
    name = _only(spec, "input", metadata.inputs, (1, 3, side, side))
    return _Served(name, _only(spec, "output", metadata.outputs, (1, 1, side, side)))


def _only(spec: ModelSpec, kind: str, tensors: Sequence[Any], shape: tuple[int, ...]) -> str:
    found = ", ".join(f"{t.name} {t.datatype} {list(t.shape)}" for t in tensors)
    if len(tensors) == 1 and tensors[0].datatype == _DATATYPE and _fits(tensors[0].shape, shape):
        return str(tensors[0].name)
    raise WeightsMismatchError(
        f"{spec.name}: Triton's model has the {kind} {found or 'none'}, not one {_DATATYPE} {list(shape)}; write its "
        "repository anew with python -m services.segmenter.model_repository"
    )


def _fits(served: Sequence[int], shape: tuple[int, ...]) -> bool:
    return len(served) == len(shape) and all(got in (_ANY, wanted) for got, wanted in zip(served, shape, strict=True))
