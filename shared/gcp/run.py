"""Executions of the GPU job on Cloud Run.

The library is imported where it is used: only two of the functions install it.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared.config import Settings
from shared.gcp.errors import translated

TIMEOUT_S = 60.0
"""The library itself would wait for ever."""

PAGE = 100
"""Executions a request: those that are long over are listed too, up to a thousand."""

if TYPE_CHECKING:
    from google.cloud.run_v2 import ExecutionsClient, JobsClient


class CloudRunLauncher:
    """``settings.run_endpoint``, where set, is a stand-in's address: it is asked over REST, without credentials."""

    def __init__(self, settings: Settings) -> None:
        self._job = f"projects/{settings.project}/locations/{settings.region}/jobs/{settings.gpu_job}"
        self._endpoint = settings.run_endpoint

    def active(self) -> int:
        """Executions that have not completed. Raises Unavailable."""
        request = {"parent": self._job, "page_size": PAGE}
        with translated("Cloud Run"):
            listed = self._executions.list_executions(request=request, timeout=TIMEOUT_S)
            return sum(not execution.completion_time for execution in listed)

    def launch(self) -> str:
        """Raises Unavailable, and an execution may have started even so: the API knows no request id."""
        with translated("Cloud Run"):
            operation: Any = self._jobs.run_job(name=self._job, timeout=TIMEOUT_S)
        # The operation lasts as long as the execution: it is not waited for.
        return operation.metadata.name

    @cached_property
    def _jobs(self) -> JobsClient:
        from google.cloud.run_v2 import JobsClient

        return JobsClient(**self._connection())

    @cached_property
    def _executions(self) -> ExecutionsClient:
        from google.cloud.run_v2 import ExecutionsClient

        return ExecutionsClient(**self._connection())

    def _connection(self) -> dict[str, Any]:
        if not self._endpoint:
            return {}
        from google.auth.credentials import AnonymousCredentials

        return {
            "transport": "rest",
            "credentials": AnonymousCredentials(),
            "client_options": {"api_endpoint": self._endpoint},
        }
