"""The kinds of jobs that the backends bring along: which module of theirs does the work."""

from appliance.backends.job_arguments import ConvertArguments, EvaluateArguments, QuantizeArguments
from appliance.backends.tvm.job_arguments import CompileArguments, TuneArguments
from appliance.core.jobs import JobKind

KINDS: tuple[JobKind, ...] = (
    JobKind(name="convert", module="appliance.backends.convert_job", arguments=ConvertArguments),
    JobKind(name="quantize", module="appliance.backends.quantize_job", arguments=QuantizeArguments),
    JobKind(name="evaluate", module="appliance.backends.evaluate_job", arguments=EvaluateArguments),
    JobKind(name="compile", module="appliance.backends.tvm.compile_job", arguments=CompileArguments),
    JobKind(name="tune", module="appliance.backends.tvm.tune_job", arguments=TuneArguments),
)
