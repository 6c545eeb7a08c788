"""The ASGI application: routes, what they are given, and the gate before them."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from litestar import Litestar
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp

from appliance.errors import ApplianceError
from appliance.jobs.jobs import Jobs
from appliance.ops.doctor.doctor import Doctor
from appliance.ops.keys import KeyStore
from appliance.ops.machine import Machine
from appliance.ops.metrics import Metrics
from appliance.ops.ready import Readiness
from appliance.ops.report import StatusReport
from appliance.ops.requests import RequestLog
from appliance.service.care import ModelCare
from appliance.service.generate import Generation
from appliance.service.installed import Installed
from appliance.settings import ServerSettings

from .access import Authenticator, HostGuard, OriginGuard
from .errors import ClientGone, render_appliance_error, render_client_gone, render_http_error, render_unexpected
from .gate import Gate
from .routes import admin, doctor, encoding, hardware, health, inference, jobs, making, requests
from .sse import StreamTiming


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the routes call. A route names the part that it needs as a parameter."""

    server: ServerSettings
    installed: Installed
    generation: Generation
    care: ModelCare
    keys: KeyStore
    metrics: Metrics
    requests: RequestLog
    readiness: Readiness
    report: StatusReport
    machine: Machine
    doctor: Doctor
    jobs: Jobs
    timing: StreamTiming


def build_api(parts: Parts, *, local_secret: str, machine_name: str) -> ASGIApp:
    """Return the application. `local_secret` is the key of this machine's own commands."""
    app = Litestar(
        route_handlers=[
            *(health.health, health.ready, health.metrics),
            *(inference.chat_completions, inference.completions, inference.list_models, inference.get_model),
            *(encoding.create_embeddings, encoding.rerank, encoding.score),
            *(admin.status, admin.list_models, admin.get_model, admin.add_model, admin.remove_model),
            *(admin.load_model, admin.unload_model, admin.pin_model),
            *(requests.list_requests, requests.cancel_request),
            *(making.convert_model, making.quantize_model),
            *(admin.list_keys, admin.create_key, admin.revoke_key),
            *(doctor.examine, hardware.hardware),
            *(jobs.list_jobs, jobs.submit_job, jobs.get_job, jobs.cancel_job, jobs.pause_job, jobs.resume_job),
        ],
        dependencies={field.name: _provide(getattr(parts, field.name)) for field in dataclasses.fields(parts)},
        exception_handlers={
            ApplianceError: render_appliance_error,
            HTTPException: render_http_error,
            ClientGone: render_client_gone,
            Exception: render_unexpected,
        },
        openapi_config=None,
        logging_config=None,
    )
    return Gate(
        app,
        HostGuard(machine_name, parts.server.allowed_hosts),
        OriginGuard(parts.server.allowed_origins),
        Authenticator(parts.keys, local_secret),
    )


def _provide(part: Any) -> Provide:
    return Provide(lambda: part, sync_to_thread=False)
