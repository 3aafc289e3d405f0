"""Typed client of the gateway, sync and async.

from pathlib import Path
from packshot.client import PackshotClient

with PackshotClient("localhost:50051", api_key="…") as client:
    answer = client.process(Path("mug.jpg"), marketplaces=["amazon-us"], category="home-kitchen")
    Path("mug.white.jpg").write_bytes(answer.results[0].images[0].content)

    job = client.jobs.create(catalogue=Path("spring.csv").read_bytes(), label="spring")
    for event in client.jobs.watch(job.job_id):
        print(event.counts.succeeded, "of", event.counts.total)
"""

from packshot.client._async import AsyncPackshotClient
from packshot.client._credentials import Token, tls_credentials
from packshot.client._job_requests import (
    JobArguments,
    JobItemStateName,
    JobPhoto,
    JobStateName,
    ResultsFormatName,
    ReviewStateName,
)
from packshot.client._jobs import Jobs
from packshot.client._reconnect import Reconnects
from packshot.client._requests import ArrangementName, OutputName, Photo, ProcessArguments, Region, ShadowName
from packshot.client._sync import PackshotClient
from packshot.errors import (
    DeadlineExceededError,
    FieldViolation,
    InvalidArgumentError,
    PackshotError,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnavailableError,
)

__all__ = [
    "ArrangementName",
    "AsyncPackshotClient",
    "DeadlineExceededError",
    "FieldViolation",
    "InvalidArgumentError",
    "JobArguments",
    "JobItemStateName",
    "JobPhoto",
    "JobStateName",
    "Jobs",
    "OutputName",
    "PackshotClient",
    "PackshotError",
    "Photo",
    "ProcessArguments",
    "Reconnects",
    "Region",
    "ResourceExhaustedError",
    "ResultsFormatName",
    "ReviewStateName",
    "ShadowName",
    "Token",
    "UnauthenticatedError",
    "UnavailableError",
    "tls_credentials",
]
