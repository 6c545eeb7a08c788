"""What a box says of its models, for tests and pictures."""

from typing import Any

from appliance.core.admin import InstalledModels, ModelLoss
from appliance.core.catalogue import CatalogueAnswer, CatalogueItem, Fit, FitAt, Speed
from appliance.core.jobs import Job, JobId, JobList, JobProgress
from appliance.core.measurement import Measurement, ModelSpeed, PrefillSpeed
from appliance.core.quantized import Comparison, MeasuredType
from appliance.core.store import Adapters, AdapterView, ModelVersion, ModelVersions
from tests.tui.conftest import NOW_S
from tests.unit.cli.fake_daemon import FakeDaemon, installed, loaded, status

GIB = 2**30


def item(name: str, **changes: Any) -> CatalogueItem:
    """Return a model of the catalogue."""
    values: dict[str, Any] = {
        "name": name,
        "title": name.title(),
        "family": "Heron",
        "publisher": "Acme",
        "origin": None,
        "released": "2025-07",
        "num_parameters": 4_020_000_000,
        "num_active_parameters": None,
        "licence": "apache-2.0",
        "languages": ("en", "zh"),
        "context_length_tokens": 262_144,
        "capabilities": ("chat", "tools"),
        "purposes": ("chat", "tools"),
        "maturity": "proven",
        "judgement": "Quick, and knows a lot for its size.",
        "references": (f"hf:acme/{name}-GGUF:Q4_K_M", f"ms:acme/{name}-GGUF"),
        "quantization": "Q4_K_M",
        "is_installed": False,
        "memory_bytes": int(3.7 * GIB),
        "speed": speed(7.9),
        "rank": 2.24,
        "reasons": ("4.02B parameters; published 2025-07", "as Q4_K_M it needs 3.7 GiB with 8192 tokens"),
    }
    return CatalogueItem(**(values | changes))


def speed(tokens_per_s: float) -> Speed:
    """Return a prediction."""
    basis = "predicted: 2.4 GB are read for each token, at 50% of 40 GB/s (assumed; not measured)"
    return Speed(decode_tokens_per_s=tokens_per_s, prompt_tokens_per_s=8 * tokens_per_s, basis=basis)


def fit(name: str, *, is_installed: bool = True, **changes: Any) -> Fit:
    """Return how a model fits."""
    values: dict[str, Any] = {
        "name": name,
        "is_installed": is_installed,
        "reference": None,
        "quantization": "Q4_K_M",
        "num_parameters": 4_020_000_000,
        "weights_bytes": int(2.3 * GIB),
        "backend": "llama_cpp",
        "budget_bytes": 12 * GIB,
        "contexts": (
            FitAt(context_tokens=2048, memory_bytes=int(2.9 * GIB), is_fitting=True),
            FitAt(context_tokens=262_144, memory_bytes=38 * GIB, is_fitting=False),
        ),
        "trained_context_tokens": 262_144,
        "max_context_tokens": 72_704,
        "speed": speed(7.9),
        "licence": "apache-2.0",
        "licence_note": None,
        "is_licence_allowed": True,
        "template": "hermes",
        "capabilities": ("chat", "tools"),
        "name_note": None,
        "notes": (),
    }
    return Fit(**(values | changes))


def measured(tokens_per_s: float) -> Measurement:
    """Return what was measured here."""
    read = (PrefillSpeed(num_tokens=128, tokens_per_s=88.0), PrefillSpeed(num_tokens=1024, tokens_per_s=104.0))
    return Measurement(
        speed=ModelSpeed(prefill=read, decode_1_tokens_per_s=tokens_per_s, decode_8_tokens_per_s=4 * tokens_per_s),
        memory_bytes=3 * GIB,
        estimated_bytes=3 * GIB,
        threads_decode=4,
        threads_prefill=4,
        measured_s=NOW_S - 86_400,
    )


def job(id_: str, kind: str = "pull", state: Any = "running", **changes: Any) -> Job:
    """Return a job that fetches, unless it is another one."""
    progress = JobProgress(
        text="fetching heron.gguf", done=1.1 * GIB, total=2.4 * GIB, unit="bytes", rate=3.2 * 2**20, digest="sha256:1"
    )
    values: dict[str, Any] = {
        "id": JobId(id_),
        "kind": kind,
        "arguments": {"model": "heron-4b:Q4_K_M", "name": "heron-4b"},
        "caller": "local",
        "created_s": NOW_S - 300,
        "state": state,
        "progress": progress,
        "started_s": NOW_S - 299,
    }
    return Job(**(values | changes))


ADAPTER = AdapterView(
    name="haiku",
    format="gguf",
    digest="sha256:ad",
    size_bytes=12 * 2**20,
    rank=16,
    alpha=32.0,
    targets=("attn_q", "attn_v"),
    architecture="qwen3",
    base="heron:4b",
    licence="mit",
    added_s=NOW_S - 7200,
    path="/models/haiku.gguf",
    fits=("heron:4b",),
)
GUIDE = installed("guide", size_bytes=7 * 2**20, num_parameters=6_557_440, estimated_bytes=344 * 2**20)
HERON = installed(
    "heron:4b",
    is_default=False,
    digest="sha256:4b",
    size_bytes=int(2.4 * GIB),
    num_parameters=4_020_000_000,
    quantization="Q4_K_M",
    estimated_bytes=int(3.7 * GIB),
    added_s=NOW_S - 86_400,
    version=2,
    quality=ModelLoss(num_samples=2000, loss_ratio=0.012, method="Q4_K_M", top1_agreement_ratio=0.93),
    reasons=("llama_cpp is the fastest here, as measured", "a context of 16384 tokens: that is what fits"),
    capabilities=("completion", "chat", "tools"),
)
ALIAS = installed("heron:stable", is_default=False, digest="sha256:4a", alias_of="heron:4b", size_bytes=2 * GIB)
CRANE = installed("crane", is_default=False, digest="sha256:cc", problems=("crane.gguf has changed on the disk",))
FLOATS = installed("tern:f16", is_default=False, digest="sha256:f6", quantization="F16", num_parameters=596_000_000)

ITEMS = (
    item("heron-30b", memory_bytes=int(11.2 * GIB), num_parameters=30_500_000_000, speed=speed(12), rank=3.1),
    item("heron-4b"),
    item("tern-coder", purposes=("code",), capabilities=("chat", "fim"), rank=1.2, speed=speed(21)),
    item(
        "albatross-120b",
        memory_bytes=None,
        quantization=None,
        speed=None,
        rank=None,
        reasons=("117B parameters", "needs 63.5 GiB at least; 12.0 GiB may be used"),
    ),
)
VERSIONS = ModelVersions(
    model="heron:4b",
    versions=tuple(
        ModelVersion(
            number=number,
            digest=f"sha256:{number}{number}aa",
            size_bytes=2 * GIB,
            added_s=NOW_S - 86_400 * (3 - number),
            source="hf:acme/heron-GGUF:Q4_K_M",
            is_current=number == 2,
        )
        for number in (2, 1)
    ),
)
COMPARISON = Comparison(
    model="tern",
    rows=(
        MeasuredType(type="F16", size_bytes=GIB, prefill_tokens_per_s=900.0, decode_tokens_per_s=20.0),
        MeasuredType(
            type="Q4_K_M",
            size_bytes=GIB // 3,
            prefill_tokens_per_s=950.0,
            decode_tokens_per_s=55.0,
            quality=ModelLoss(num_samples=2000, loss_ratio=0.021, kl_mean=0.012, top1_agreement_ratio=0.91),
            model="tern-q4_k_m",
        ),
        MeasuredType(
            type="Q2_K",
            size_bytes=GIB // 5,
            decode_tokens_per_s=70.0,
            quality=ModelLoss(num_samples=2000, loss_ratio=0.31),
            is_within=False,
        ),
    ),
    recommended="Q4_K_M",
    reason="Q4_K_M is the smallest that loses at most 5.0%",
    num_threads=4,
)


def fill(box: FakeDaemon, *jobs: Job) -> None:
    """Let a box answer all that the place asks by itself."""
    models = (GUIDE, HERON, ALIAS, CRANE, FLOATS)
    box.reply("GET", "/admin/v1/status", status(loaded("guide", memory_bytes=192 * 2**20)))
    box.reply("GET", "/admin/v1/models", InstalledModels(models=models))
    box.reply("GET", "/admin/v1/jobs", JobList(jobs=jobs))
    box.reply("GET", "/admin/v1/adapters", Adapters(adapters=(ADAPTER,)))
    box.reply("GET", "/admin/v1/catalogue", CatalogueAnswer(models=ITEMS, budget_bytes=12 * GIB, notes=()))
    for model in models:
        found = measured(9.4) if model is HERON else None
        box.reply("GET", f"/admin/v1/fit/{model.name}", fit(model.name, measured=found))
        box.reply("GET", f"/admin/v1/versions/{model.name}", VERSIONS)
    for each in ITEMS:
        name = f"{each.name}:{each.quantization}" if each.quantization else each.name
        box.reply("GET", f"/admin/v1/fit/{name}", fit(each.name, is_installed=False))
