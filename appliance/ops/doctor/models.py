"""Checks of the installed models: their files are there, and are what was added."""

import shlex

from appliance.core.doctor import Finding

from .facts import Check, Facts, ModelProblem, Outcome


def files(facts: Facts) -> Outcome:
    """Say which models lost a file or had one changed."""
    if facts.models.num_installed is None:
        return None
    if facts.models.changed:
        return tuple(map(_changed, facts.models.changed))
    num = facts.models.num_installed
    return Finding(check="models.files", state="ok", title=f"the files of {num} model{'s' * (num > 1)} are as added")


def _changed(model: ModelProblem) -> Finding:
    name = model.name
    again = f" && appliance models add {shlex.quote(model.source)} --name {name}" if model.source else ""
    return Finding(
        check="models.files",
        state="error",
        title=f"model {name!r} is not what was added",
        reason="; ".join(model.problems),
        mend=model.mend or f"appliance models rm {name}{again}",
    )


def manifests(facts: Facts) -> Outcome:
    """Say whether a manifest cannot be read: its model is not offered, and nothing unused is deleted meanwhile."""
    if not facts.models.num_unreadable:
        return None
    return Finding(
        check="models.manifests",
        state="error",
        title=f"{facts.models.num_unreadable} of the files in {facts.home.path}/models/manifests cannot be understood",
        reason="they are damaged or of a later version; their models are not offered",
        mend=f"ls -l {shlex.quote(facts.home.path + '/models/manifests')}",
    )


def default_model(facts: Facts) -> Outcome:
    """Say whether the model that answers when none is named is there."""
    if facts.models.default_problem is None:
        return None
    return Finding(
        check="models.default",
        state="error",
        title=f"the default model {facts.models.default_model!r} cannot be used",
        reason=facts.models.default_problem,
        mend="appliance models list",
    )


CHECKS: tuple[Check, ...] = (files, manifests, default_model)
