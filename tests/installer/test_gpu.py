"""Which llama.cpp the installer compiles: by the GPU and the toolkit that it finds, or by what it is told."""

import subprocess
from pathlib import Path

import pytest

from tests.installer.sandbox import ROOT, Sandbox

HEADERS = "usr/include/vulkan/vulkan_core.h"
SPIRV = "usr/share/cmake/SPIRV-Headers/SPIRV-HeadersConfig.cmake"
NVIDIA, AMD, INTEL = "0x10de", "0x1002", "0x8086"


@pytest.fixture
def machine(sandbox: Sandbox) -> Path:
    folder = sandbox.folder / "machine"
    folder.mkdir()
    return folder


@pytest.fixture
def debian(sandbox: Sandbox) -> Sandbox:
    """Return a sandbox whose package manager is Debian's."""
    sandbox.tool("apt-get", "exit 1")
    return sandbox


def add_gpu(machine: Path, vendor: str, address: str = "0000:01:00.0", device_class: str = "0x030000") -> None:
    folder = machine / "sys/bus/pci/devices" / address
    folder.mkdir(parents=True)
    (folder / "vendor").write_text(f"{vendor}\n")
    (folder / "class").write_text(f"{device_class}\n")


def add_vulkan(sandbox: Sandbox, machine: Path, version: int = 309) -> None:
    sandbox.tool("glslc", "exit 0")
    for name, text in ((HEADERS, f"#define VK_HEADER_VERSION {version}\n"), (SPIRV, "")):
        (machine / name).parent.mkdir(parents=True, exist_ok=True)
        (machine / name).write_text(text)


def choose(sandbox: Sandbox, machine: Path, asked: str = "auto", **changes: str) -> tuple[str, str, str]:
    """Return the build, the flags of cmake and the words."""
    done = ask(sandbox, machine, asked, **changes)
    assert done.returncode == 0, done.stdout
    build, flags, *words = done.stdout.splitlines()
    return build, flags, " ".join(line.strip() for line in words)


def ask(sandbox: Sandbox, machine: Path, asked: str, **changes: str) -> subprocess.CompletedProcess[str]:
    script = (
        f"set -eu; HERE='{ROOT}/installer'; MACHINE='{machine}'; . '{ROOT}/installer/common.sh'; "
        f". '{ROOT}/installer/gpu.sh'; choose_gpu {asked}; "
        'printf \'%s\n%s\n%s\n\' "$GPU_BUILD" "$GPU_FLAGS" "$GPU_WORDS"'
    )
    return sandbox.run("sh", "-c", script, **changes)


def test_without_a_gpu_it_is_the_processor_s(sandbox: Sandbox, machine: Path) -> None:
    add_gpu(machine, NVIDIA, device_class="0x040300")  # the sound of a graphics card is no GPU
    assert choose(sandbox, machine) == ("none", "", "none was found")


def test_an_nvidia_card_gets_cuda_where_its_compiler_is(sandbox: Sandbox, machine: Path) -> None:
    add_gpu(machine, NVIDIA)
    sandbox.tool("nvcc", "exit 0")
    add_vulkan(sandbox, machine)
    assert choose(sandbox, machine) == ("cuda", "-DGGML_CUDA=ON", "CUDA, since this machine has a GPU of NVIDIA")


def test_without_cuda_s_compiler_an_nvidia_card_gets_vulkan(sandbox: Sandbox, machine: Path) -> None:
    add_gpu(machine, NVIDIA)
    add_vulkan(sandbox, machine)
    assert choose(sandbox, machine)[:2] == ("vulkan", "-DGGML_VULKAN=ON")


def test_an_amd_card_gets_rocm_with_its_compiler_named(sandbox: Sandbox, machine: Path) -> None:
    add_gpu(machine, AMD)
    sandbox.tool("hipconfig", "case $1 in -l) echo /opt/rocm/llvm/bin ;; -R) echo /opt/rocm ;; esac")
    assert choose(sandbox, machine)[:2] == ("rocm", "-DGGML_HIP=ON")


def test_a_card_goes_before_the_processor_s_own_graphics(sandbox: Sandbox, machine: Path) -> None:
    add_gpu(machine, INTEL, "0000:00:02.0")
    add_gpu(machine, AMD, "0000:03:00.0")
    add_vulkan(sandbox, machine)
    assert choose(sandbox, machine)[2] == "Vulkan, since this machine has a GPU of AMD"


def test_a_jetson_has_a_gpu_of_nvidia(sandbox: Sandbox, machine: Path) -> None:
    (machine / "proc/device-tree").mkdir(parents=True)
    (machine / "proc/device-tree/compatible").write_bytes(b"nvidia,p3737\0nvidia,tegra234\0")
    (machine / "usr/local/cuda/bin").mkdir(parents=True)
    (machine / "usr/local/cuda/bin/nvcc").write_text("")
    (machine / "usr/local/cuda/bin/nvcc").chmod(0o755)
    assert choose(sandbox, machine)[0] == "cuda"


def test_a_missing_toolkit_leaves_the_processor_with_the_command_that_changes_that(
    debian: Sandbox, machine: Path
) -> None:
    add_gpu(machine, NVIDIA)
    build, flags, words = choose(debian, machine)
    assert (build, flags) == ("none", "")
    assert "although this machine has a GPU of NVIDIA: CUDA's compiler nvcc is not installed" in words
    assert "apt-get install -y nvidia-cuda-toolkit" in words


def test_headers_that_are_too_old_for_llama_cpp_are_no_toolkit(debian: Sandbox, machine: Path) -> None:
    add_gpu(machine, INTEL)
    add_vulkan(debian, machine, version=239)
    build, _, words = choose(debian, machine)
    assert build == "none"
    assert "Vulkan's headers are 1.3.239, and llama.cpp needs 1.3.272" in words
    assert "VULKAN_SDK" in words and "apt-get" not in words


def test_what_is_asked_for_is_taken_whatever_is_found(sandbox: Sandbox, machine: Path) -> None:
    add_vulkan(sandbox, machine)
    assert choose(sandbox, machine, "vulkan") == ("vulkan", "-DGGML_VULKAN=ON", "Vulkan (--gpu vulkan)")
    add_gpu(machine, INTEL)
    assert choose(sandbox, machine, "none")[:2] == ("none", "")


def test_what_is_asked_for_and_cannot_be_is_refused_with_what_mends_it(debian: Sandbox, machine: Path) -> None:
    done = ask(debian, machine, "vulkan")
    assert done.returncode == 1
    assert done.stdout.startswith("appliance: --gpu vulkan: Vulkan's compiler glslc is not installed; mend it with: ")
    assert "apt-get install -y libvulkan-dev glslc spirv-headers" in done.stdout


def test_flags_of_cmake_that_name_a_gpu_are_left_alone(sandbox: Sandbox, machine: Path) -> None:
    add_gpu(machine, NVIDIA)
    sandbox.tool("nvcc", "exit 0")
    assert choose(sandbox, machine, CMAKE_ARGS="-DGGML_CUDA=OFF")[:2] == ("none", "")


def test_on_macos_it_is_metal_unless_nothing_is_wanted(sandbox: Sandbox, machine: Path) -> None:
    sandbox.tool("uname", "echo Darwin")
    assert choose(sandbox, machine)[:2] == ("metal", "-DGGML_METAL=ON")
    assert choose(sandbox, machine, "none")[:2] == ("none", "-DGGML_METAL=OFF")


def test_the_plan_says_what_llama_cpp_is_compiled_for(sandbox: Sandbox) -> None:
    for name in ("cc", "c++"):
        sandbox.tool(name, "exit 0")
    machine = sandbox.folder / "machine"
    add_gpu(machine, NVIDIA)
    arguments = ("--prefix", sandbox.home / "code", "--no-start", "--dry-run")
    here = {"APPLIANCE_INSTALL_MACHINE": str(machine)}
    without = sandbox.install(*arguments, **here)
    assert "gpu     none, although this machine has a GPU of NVIDIA" in without.stdout
    sandbox.tool("nvcc", "exit 0")
    found = sandbox.install(*arguments, **here)
    assert "gpu     CUDA, since this machine has a GPU of NVIDIA" in found.stdout
    assert found.stdout.splitlines()[1] != without.stdout.splitlines()[1], "another build is another version"


def test_a_build_that_is_none_is_wrong_usage(sandbox: Sandbox) -> None:
    done = sandbox.install("--gpu", "opencl", "--dry-run")
    assert done.returncode == 2
    assert "--gpu is one of auto, cuda" in done.stdout
    assert sandbox.install("--gpu", "cuda", "--wheel", "ready.whl", "--dry-run").returncode == 2
