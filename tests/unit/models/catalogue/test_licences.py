"""Licences: many spellings of one, what each asks, and what an operator lets in."""

import pytest

from models.catalogue.licences import check, kind_of, normalise


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("apache-2.0", "apache-2.0"),
        ("Apache License 2.0", "apache-2.0"),
        ("Apache License, Version 2.0", "apache-2.0"),
        ("Apache-2.0", "apache-2.0"),
        ("The MIT License", "mit"),
        ("MIT", "mit"),
        ("llama3.2", "llama3.2"),
        ("Llama 3.2 Community License Agreement", "llama3.2"),
        ("META LLAMA 3 COMMUNITY LICENSE", "llama3"),
        ("gemma-terms-of-use", "gemma"),
        ("GPL-3.0-or-later", "gpl-3.0"),
        ("LicenseRef-Heron", "heron"),
        ("other", None),
        ("  ", None),
        (None, None),
    ],
)
def test_a_licence_has_one_name_however_it_is_written(text: str | None, name: str | None) -> None:
    assert normalise(text) == name


@pytest.mark.parametrize(
    ("licence", "kind"),
    [
        ("mit", "open"),
        ("gemma", "conditions"),
        ("cc-by-nc-4.0", "non_commercial"),
        ("somebodys-nc-licence", "non_commercial"),
        ("heron", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_licence_is_of_a_kind(licence: str | None, kind: str) -> None:
    assert kind_of(licence) == kind


@pytest.mark.parametrize(
    ("licence", "policy", "is_allowed"),
    [
        ("anything", ("*",), True),
        (None, ("*",), True),
        ("Apache License 2.0", ("apache-2.0",), True),
        ("apache-2.0", ("Apache License 2.0", "mit"), True),
        ("mit", ("OPEN",), True),
        ("gemma", ("open",), False),
        ("gemma", ("open", "gemma"), True),
        ("cc-by-nc-4.0", ("open",), False),
        ("heron", ("open",), False),
        (None, ("open",), False),
        (None, ("open", "unknown"), True),
        ("other", ("open", "unknown"), True),
        ("mit", (), False),
    ],
)
def test_a_policy_lets_in_what_it_names(licence: str | None, policy: tuple[str, ...], is_allowed: bool) -> None:
    assert check(licence, policy).is_allowed is is_allowed


def test_a_refusal_says_what_is_allowed_and_what_would_mend_it() -> None:
    reason = check("llama3.2", ("open", "gemma")).reason
    assert "llama3.2 is not in models.allowed_licences (open, gemma)" in reason
    assert 'add "llama3.2"' in reason


def test_what_is_allowed_still_comes_with_what_its_licence_asks() -> None:
    assert "no commercial use" in check("cc-by-nc-4.0", ("*",)).reason
    assert "Built with Llama" in str(check("llama3.2", ("*",)).note)
    assert check("mit", ("*",)).note is None
    assert "publisher's terms" in str(check(None, ("*",)).note)
