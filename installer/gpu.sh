# shellcheck shell=sh
# Which llama.cpp to compile: for the GPU that is found, if its toolkit is there, else for the processor alone.
# Sourced by checks.sh and tests, never run. MACHINE is where the machine's files are looked for (tests: a folder).
# shellcheck disable=SC2034  # install.sh reads these variables

# ggml-vulkan needs the structures of VK_EXT_layer_settings. Source: the registry of Vulkan, which has it since 1.3.272.
LEAST_VULKAN_HEADERS=272

# Set GPU_BUILD (cuda, vulkan, rocm, metal or none), GPU_FLAGS for cmake, and GPU_WORDS: what was found and why this.
# choose_gpu ASKED fails where what was asked for lacks its toolkit; `auto` takes the processor then, and says so.
choose_gpu() {
    GPU_BUILD=none GPU_FLAGS='' GPU_WORDS=''
    case " ${CMAKE_ARGS-} " in
        *-DGGML_CUDA=* | *-DGGML_VULKAN=* | *-DGGML_HIP=* | *-DGGML_METAL=*)
            GPU_WORDS='what CMAKE_ARGS names'
            return
            ;;
    esac
    case $1 in
        auto) choose_by_machine ;;
        none) GPU_WORDS='none (--gpu none)' ;;
        *)
            why=$(lacking "$1") && fail "--gpu $1: $why; mend it with: $(mend_toolkit "$1")"
            take "$1" "$(label "$1") (--gpu $1)"
            ;;
    esac
    if [ "$GPU_BUILD" = none ] && [ "$(uname -s)" = Darwin ]; then GPU_FLAGS=-DGGML_METAL=OFF; fi
}

choose_by_machine() {
    found=$(find_gpus)
    missing=''
    for each in $found; do
        vendor=${each%%:*}
        for build in $(builds_for "$vendor"); do
            if why=$(lacking "$build"); then
                missing=${missing:-"$build $why"}
                continue
            fi
            take "$build" "$(label "$build"), since this machine has $(gpu_name "$vendor")"
            return
        done
    done
    if [ -z "$found" ]; then
        GPU_WORDS='none was found'
        return
    fi
    build=${missing%% *}
    GPU_WORDS="none, although this machine has $(gpu_name "${found%%:*}"): ${missing#* };
              to use it, run this again after: $(mend_toolkit "$build")"
}

take() {
    GPU_BUILD=$1
    GPU_WORDS=$2
    case $1 in
        cuda)
            GPU_FLAGS=-DGGML_CUDA=ON
            command -v nvcc >/dev/null || export CUDACXX="$MACHINE/usr/local/cuda/bin/nvcc"
            ;;
        vulkan)
            GPU_FLAGS=-DGGML_VULKAN=ON
            ;;
        rocm)
            GPU_FLAGS=-DGGML_HIP=ON
            hipconfig=$(program hipconfig /opt/rocm/bin/hipconfig)
            HIPCXX=$("$hipconfig" -l)/clang HIP_PATH=$("$hipconfig" -R)
            export HIPCXX HIP_PATH
            ;;
        metal) GPU_FLAGS=-DGGML_METAL=ON ;;
    esac
}

# Print `vendor:address` of each GPU, a card before a processor's own graphics, NVIDIA's first.
find_gpus() {
    if [ "$(uname -s)" = Darwin ]; then
        say apple:0
        return
    fi
    if grep -aq 'nvidia,tegra' "$MACHINE/proc/device-tree/compatible" 2>/dev/null; then say nvidia:tegra; fi
    for folder in "$MACHINE"/sys/bus/pci/devices/*; do
        case $(cat "$folder/class" 2>/dev/null) in 0x03*) ;; *) continue ;; esac
        case $(cat "$folder/vendor" 2>/dev/null) in
            0x10de) say "1 nvidia:${folder##*/}" ;;
            0x1002) say "2 amd:${folder##*/}" ;;
            0x8086) say "3 intel:${folder##*/}" ;;
        esac
    done | sort | sed 's/^. //'
}

# Print the builds that use a vendor's GPU, the fastest first.
builds_for() {
    case $1 in
        nvidia) say cuda vulkan ;;
        amd) say rocm vulkan ;;
        intel) say vulkan ;;
        apple) say metal ;;
    esac
}

label() {
    case $1 in cuda) say CUDA ;; vulkan) say Vulkan ;; rocm) say ROCm ;; metal) say Metal ;; esac
}

gpu_name() {
    case $1 in nvidia) say 'a GPU of NVIDIA' ;; amd) say 'a GPU of AMD' ;; intel) say 'a GPU of Intel' ;; apple) say "Apple's GPU" ;; esac
}

# Say what a build lacks here, or fail where it lacks nothing.
lacking() {
    case $1 in
        cuda) program nvcc /usr/local/cuda/bin/nvcc >/dev/null || say "CUDA's compiler nvcc is not installed" ;;
        rocm)
            program hipconfig /opt/rocm/bin/hipconfig >/dev/null || say "ROCm's compiler (hipconfig) is not installed"
            ;;
        vulkan) lacking_for_vulkan ;;
        metal) [ "$(uname -s)" = Darwin ] || say 'only macOS has Metal' ;;
    esac | grep .
}

lacking_for_vulkan() {
    headers=$(first_file "${VULKAN_SDK:+$VULKAN_SDK/include/vulkan/vulkan_core.h}" \
        "$MACHINE/usr/include/vulkan/vulkan_core.h" "$MACHINE/usr/local/include/vulkan/vulkan_core.h")
    spirv=$(first_file "${VULKAN_SDK:+$VULKAN_SDK/share/cmake/SPIRV-Headers/SPIRV-HeadersConfig.cmake}" \
        "$MACHINE"/usr/*/cmake/SPIRV-Headers/SPIRV-HeadersConfig.cmake \
        "$MACHINE"/usr/local/*/cmake/SPIRV-Headers/SPIRV-HeadersConfig.cmake)
    version=$(sed -n 's/^#define VK_HEADER_VERSION \([0-9]*\).*/\1/p' "${headers:-/dev/null}")
    if ! command -v glslc >/dev/null; then
        say "Vulkan's compiler glslc is not installed"
    elif [ -z "$headers" ]; then
        say "Vulkan's headers are not installed"
    elif ! [ "${version:-0}" -ge "$LEAST_VULKAN_HEADERS" ]; then
        say "Vulkan's headers are 1.3.${version:-?}, and llama.cpp needs 1.3.$LEAST_VULKAN_HEADERS"
    elif [ -z "$spirv" ]; then
        say 'the headers of SPIR-V are not installed'
    fi
}

first_file() {
    for file in "$@"; do
        if [ -f "$file" ]; then
            say "$file"
            return
        fi
    done
}

# Print the path of a program that may lie outside of PATH, or fail.
program() {
    command -v "$1" && return
    [ -x "$MACHINE$2" ] && say "$MACHINE$2"
}

# Print the command that installs the toolkit of a build.
mend_toolkit() {
    sudo=''
    [ "$(id -u)" = 0 ] || sudo='sudo '
    case $1-$(package_manager) in
        vulkan-*) if why=$(lacking vulkan) && [ "${why#*headers are 1.3}" != "$why" ]; then
            say 'installing the Vulkan SDK (vulkan.lunarg.com) and setting VULKAN_SDK to its folder'
            return
        fi ;;
    esac
    case $1-$(package_manager) in
        cuda-apt) say "${sudo}apt-get install -y nvidia-cuda-toolkit" ;;
        cuda-dnf) say "${sudo}dnf install -y cuda-toolkit" ;;
        cuda-zypper) say "${sudo}zypper install -y cuda-toolkit" ;;
        cuda-pacman) say "${sudo}pacman -S --noconfirm cuda" ;;
        cuda-*) say 'installing the CUDA toolkit (developer.nvidia.com/cuda-downloads)' ;;
        rocm-apt) say "${sudo}apt-get install -y hipcc libhipblas-dev librocblas-dev" ;;
        rocm-dnf) say "${sudo}dnf install -y rocm-hip-devel hipblas-devel rocblas-devel" ;;
        rocm-pacman) say "${sudo}pacman -S --noconfirm rocm-hip-sdk" ;;
        rocm-*) say 'installing ROCm (rocm.docs.amd.com)' ;;
        vulkan-apt) say "${sudo}apt-get install -y libvulkan-dev glslc spirv-headers" ;;
        vulkan-dnf) say "${sudo}dnf install -y vulkan-loader-devel vulkan-headers glslc spirv-headers-devel" ;;
        vulkan-zypper) say "${sudo}zypper install -y vulkan-devel shaderc spirv-headers" ;;
        vulkan-pacman) say "${sudo}pacman -S --noconfirm vulkan-headers vulkan-icd-loader shaderc spirv-headers" ;;
        vulkan-apk) say "${sudo}apk add vulkan-loader-dev vulkan-headers shaderc spirv-headers" ;;
        vulkan-*) say 'installing the Vulkan SDK (vulkan.lunarg.com)' ;;
        metal-*) say 'leaving out --gpu metal' ;;
    esac
}

package_manager() {
    for each in apt-get dnf zypper pacman apk; do
        if command -v "$each" >/dev/null; then
            say "${each%-get}"
            return
        fi
    done
    say none
}
