"""The ASGI application: routes, what they are given, and the gate before them."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from litestar import Litestar
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp

from appliance.errors import ApplianceError
from appliance.jobs.batches.batches import Batches
from appliance.jobs.calibrating import Calibrating
from appliance.jobs.jobs import Jobs
from appliance.jobs.notify.notifications import Notifications
from appliance.jobs.tasks.tasks import Tasks
from appliance.ops.doctor.doctor import Doctor
from appliance.ops.feed import Feed
from appliance.ops.keys import KeyStore
from appliance.ops.lifecycle import DrainSwitch
from appliance.ops.machine import Machine
from appliance.ops.metrics import Metrics
from appliance.ops.ready import Readiness
from appliance.ops.report import StatusReport
from appliance.ops.requests import RequestLog
from appliance.ops.tiers import CacheTiers
from appliance.service.adapter_care import AdapterCare
from appliance.service.answers.cache import ResponseCache
from appliance.service.care import ModelCare
from appliance.service.catalogue import CatalogueService
from appliance.service.copies import ModelCopies
from appliance.service.explain import Explainer
from appliance.service.feedback import FeedbackBook
from appliance.service.files.files import Files
from appliance.service.generate import Generation
from appliance.service.installed import Installed
from appliance.service.kernels import KernelCare
from appliance.service.normalizing import Normalizing
from appliance.service.responses.conversations import Conversations
from appliance.service.responses.responses import Responses
from appliance.service.store_care import StoreCare
from appliance.service.vocabulary import Vocabularies
from appliance.settings import ServerSettings, SettingsBook

from .access import Authenticator, HostGuard, OriginGuard
from .cors import Cors
from .errors import ClientGone, render_appliance_error, render_client_gone, render_http_error, render_unexpected
from .gate import Gate
from .openapi import ApiDocument
from .routes import (
    absent,
    adapters,
    admin,
    answers,
    anthropic,
    audio,
    batches,
    calibrate,
    catalogue,
    conversations,
    doctor,
    encoding,
    explain,
    feed,
    feedback,
    files,
    hardware,
    health,
    history,
    inference,
    jobs,
    kernels,
    making,
    models,
    ollama,
    ollama_models,
    ollama_pull,
    page,
    pulls,
    requests,
    responses,
    schema,
    settings,
    store,
    tasks,
    vocabulary,
)
from .sse import StreamTiming

_ROUTES = (
    *(page.root, *page.PARTS, health.health, health.ready, health.metrics),
    *(inference.chat_completions, inference.completions, models.list_models, models.get_model),
    *(responses.create_response, responses.get_response, responses.delete_response),
    *(responses.cancel_response, responses.list_input_items, responses.count_input_tokens),
    *(conversations.create_conversation, conversations.get_conversation, conversations.update_conversation),
    *(conversations.delete_conversation, conversations.list_conversation_items),
    *(conversations.add_conversation_items, conversations.get_conversation_item),
    *(conversations.delete_conversation_item,),
    *(anthropic.create_message, anthropic.count_tokens),
    *(ollama.chat, ollama.generate, ollama.embed, ollama.embeddings),
    *(ollama_models.version, ollama_models.list_models, ollama_models.list_running),
    *(ollama_models.show_model, ollama_pull.pull, ollama_models.push, ollama_models.create),
    *(ollama_models.copy_model, ollama_models.delete_model, ollama_models.find_blob, ollama_models.upload_blob),
    *absent.ROUTES,
    *(audio.create_transcription, audio.create_translation),
    *(encoding.create_embeddings, encoding.rerank, encoding.score),
    *(vocabulary.tokenize, vocabulary.detokenize, vocabulary.apply_template),
    *(admin.status, admin.list_models, admin.get_model, admin.add_model, admin.remove_model),
    *(admin.load_model, admin.unload_model, admin.pin_model),
    *(catalogue.list_catalogue, catalogue.fit_model, catalogue.import_catalogue),
    *(explain.explain_model,),
    *(store.alias_model, store.list_versions, store.roll_back_model, store.collect_garbage, store.scrub_models),
    *(adapters.list_adapters, adapters.add_adapter, adapters.remove_adapter),
    *(requests.list_requests, requests.cancel_request),
    *(feed.follow_events, feed.list_logs),
    *(answers.show_cache, answers.clear_cache),
    *(settings.show_settings, settings.change_settings, history.show_history, admin.drain),
    *(files.upload_file, files.list_files, files.get_file, files.get_file_content, files.delete_file),
    *(tasks.infer, tasks.list_tasks, tasks.get_task, tasks.follow_task, tasks.retry_task, tasks.cancel_task),
    *(feedback.give_feedback, feedback.list_feedback, feedback.export_feedback),
    *(batches.create_batch, batches.list_batches, batches.get_batch, batches.cancel_batch),
    *(pulls.pull_model,),
    *(making.convert_model, making.quantize_model),
    *(calibrate.calibrate_model,),
    *(kernels.compile_model, kernels.list_kernels, kernels.clean_kernels, kernels.tune_kernels),
    *(admin.list_keys, admin.create_key, admin.revoke_key),
    *(doctor.examine, hardware.hardware),
    *(jobs.list_jobs, jobs.submit_job, jobs.get_job, jobs.cancel_job, jobs.pause_job, jobs.resume_job),
    *(schema.openapi_document, schema.schema_page),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the routes call. A route names the part that it needs as a parameter."""

    server: ServerSettings
    book: SettingsBook
    normalizing: Normalizing
    installed: Installed
    generation: Generation
    answers: ResponseCache
    responses: Responses
    conversations: Conversations
    vocabularies: Vocabularies
    care: ModelCare
    copies: ModelCopies
    catalogue: CatalogueService
    explainer: Explainer
    store: StoreCare
    adapters: AdapterCare
    kernels: KernelCare
    keys: KeyStore
    metrics: Metrics
    requests: RequestLog
    feed: Feed
    readiness: Readiness
    report: StatusReport
    tiers: CacheTiers
    drain_switch: DrainSwitch
    machine: Machine
    doctor: Doctor
    jobs: Jobs
    calibrating: Calibrating
    files: Files
    batches: Batches
    tasks: Tasks
    notifications: Notifications
    feedback: FeedbackBook
    timing: StreamTiming


def build_api(parts: Parts, *, local_secret: str, machine_name: str) -> ASGIApp:
    """Return the application. `local_secret` is the key of this machine's own commands."""
    return guarded(build_routes(lambda: parts), parts, local_secret=local_secret, machine_name=machine_name)


def build_routes(parts: Callable[[], Parts]) -> ASGIApp:
    """Return all routes with nobody before them. Each request asks for the parts anew: other ones may take over."""
    given = {field.name: _provide(parts, field.name) for field in dataclasses.fields(Parts)}
    document = ApiDocument(_ROUTES)
    return Litestar(
        route_handlers=_ROUTES,
        dependencies={**given, "document": Provide(lambda: document, sync_to_thread=False)},
        exception_handlers={
            ApplianceError: render_appliance_error,
            HTTPException: render_http_error,
            ClientGone: render_client_gone,
            Exception: render_unexpected,
        },
        openapi_config=None,
        logging_config=None,
    )


def guarded(routes: ASGIApp, parts: Parts, *, local_secret: str, machine_name: str) -> ASGIApp:
    """Return the routes behind the gate of these parts."""
    return Gate(
        routes,
        HostGuard(machine_name, parts.server.allowed_hosts),
        OriginGuard(parts.server.allowed_origins),
        Cors(parts.server.allowed_origins),
        Authenticator(parts.keys, local_secret),
        parts.normalizing,
    )


def _provide(parts: Callable[[], Parts], name: str) -> Provide:
    return Provide(lambda: getattr(parts(), name), sync_to_thread=False)
