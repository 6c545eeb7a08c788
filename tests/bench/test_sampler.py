import pytest

from tests.bench import sampler


def test_every_setting_gets_a_line_with_four_times(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["sampler.py", "--vocab", "700", "--repeats", "2"])
    sampler.main()
    lines = capsys.readouterr().out.splitlines()
    assert "vocabulary 700" in lines[0]
    for setting in [*sampler.SETTINGS, "logprobs 5", "probability"]:
        figures = next(line.removeprefix(setting) for line in lines if line.startswith(setting + " "))
        assert all(float(figure) > 0 for figure in figures.split()[-4:])
