import pytest

pytest.importorskip("onnxruntime", reason="the library is not installed")

from tests.bench import onnx_vnni


def test_every_number_of_rows_gets_a_line_with_a_ratio(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["onnx_vnni.py", "--size", "128", "--rows", "1,2", "--repeats", "1"])
    onnx_vnni.main()
    title, *lines = capsys.readouterr().out.splitlines()

    assert "128 x 128" in title
    assert [line.split()[0] for line in lines] == ["1", "2"]
    assert all(float(line.split("ratio")[1].split()[0]) > 0 for line in lines)
