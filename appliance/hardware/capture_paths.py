"""Which files say what a machine is and does: all that the probes read, and a little more for those of tomorrow.

`*` stands for any name, `{a,b}` for either. Serial numbers, addresses and host names are not among them.
"""

_CPU = "/sys/devices/system/cpu"
FILES = (
    *("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/loadavg", "/proc/swaps"),
    *("/proc/sys/kernel/osrelease", "/proc/sys/kernel/ostype", "/proc/driver/nvidia/version"),
    *("/proc/self/status", "/proc/self/cgroup", "/proc/self/mountinfo"),
    *("/etc/os-release", "/usr/lib/os-release", "/etc/nv_tegra_release", "/etc/nvpmodel.conf"),
    *("/run/systemd/container", "/sys/hypervisor/type"),
    "/proc/xen/capabilities",
    "/proc/driver/nvidia/gpus/*/information",
    *(f"{_CPU}/online", f"{_CPU}/possible", f"{_CPU}/present", f"{_CPU}/smt/*"),
    *(f"{_CPU}/cpufreq/boost", f"{_CPU}/intel_pstate/*", f"{_CPU}/amd_pstate/*", f"{_CPU}/cpu[0-9]*/cpu_capacity"),
    f"{_CPU}/cpu[0-9]*/topology/*_id",
    f"{_CPU}/cpu[0-9]*/topology/*_list",
    f"{_CPU}/cpu[0-9]*/cache/index*/{{level,type,size,id,shared_cpu_list}}",
    f"{_CPU}/cpu[0-9]*/cpufreq/{{cpuinfo_m*_freq,scaling_m*_freq,scaling_cur_freq,scaling_governor,scaling_driver}}",
    f"{_CPU}/cpu[0-9]*/cpufreq/{{base_frequency,affected_cpus,related_cpus,energy_performance_preference}}",
    f"{_CPU}/cpu[0-9]*/thermal_throttle/*_count",
    f"{_CPU}/cpu[0-9]*/acpi_cppc/highest_perf",
    *("/sys/devices/cpu_core/cpus", "/sys/devices/cpu_atom/cpus", "/sys/devices/cpu_lowpower/cpus"),
    *("/sys/devices/system/node/online", "/sys/devices/system/node/node[0-9]*/{cpulist,meminfo,distance}"),
    "/sys/firmware/devicetree/base/{model,compatible}",
    "/proc/device-tree/{model,compatible}",
    "/sys/class/dmi/id/{sys_vendor,product_name,product_family,board_vendor,board_name,bios_vendor,chassis_type}",
    "/sys/class/block/*/{dev,size,removable,partition,queue/rotational,dm/name}",
    "/sys/class/block/*/device/{model,vendor,type,name}",
    "/sys/class/block/*/slaves/*/size",
    "/sys/class/thermal/thermal_zone*/{type,temp,trip_point_*_type,trip_point_*_temp}",
    "/sys/class/thermal/cooling_device*/{type,cur_state,max_state}",
    "/sys/class/hwmon/hwmon*/{name,temp*,power*,in*,curr*,energy*,oc*_event_cnt}",
    "/sys/class/powercap/*/{name,energy_uj,max_energy_range_uj,enabled}",
    "/sys/class/power_supply/*/{type,scope,online,status,present,capacity,*_now,*_full,*_avg,technology}",
    "/sys/devices/system/clocksource/clocksource0/available_clocksource",
    "/sys/bus/platform/devices/*.{gpu,npu,gp10b,gv11b,ga10b}/load",
    "/sys/devices/platform/soc*/soc*:firmware/get_throttled",
    "/sys/bus/pci/devices/*/{class,vendor,device,revision}",
    "/sys/bus/pci/devices/*/tile*/{,memory/}physical_vram_size_bytes",
    "/sys/class/drm/{card*,renderD*}/device/{class,vendor,device,gpu_busy_percent,mem_info_*,product_name,revision,vbnv}",
    "/sys/class/drm/{card*,renderD*}/device/hwmon/hwmon*/{name,temp*,power*}",
    "/sys/class/drm/card*/{gt_*_freq_mhz,gt/gt*/*_freq_mhz,lmem_total_bytes,lmem_avail_bytes}",
    "/sys/class/accel/accel*/device/{class,vendor,device,npu_*,power_state,vbnv}",
    "/sys/class/kfd/kfd/topology/nodes/*/{gpu_id,name,properties,mem_banks/*/properties}",
    "/sys/module/{nvidia,amdgpu,i915,xe,intel_vpu,amdxdna,rknpu,hailo_pci,nvgpu}/version",
    "/sys/class/devfreq/*/{name,cur_freq,max_freq,min_freq,load,governor,device/of_node/name}",
    "/sys/devices/{,platform/}gpu*/{load,devfreq/*/cur_freq,devfreq/*/max_freq}",
)
# What matters by being there; captured as empty files.
MARKERS = (
    "/.dockerenv",
    "/run/.containerenv",
    "/sys/module/nvgpu",
    "/dev/nvidia[0-9]*",
    "/dev/nvidiactl",
    "/dev/kfd",
    "/dev/dxg",
    "/dev/dri/*",
    "/dev/accel/*",
    "/dev/hailo*",
    "/dev/nvhost-*",
)
CGROUP_FILES = (
    *("cpu.max", "memory.max", "memory.high", "memory.current", "memory.stat", "cpuset.cpus.effective"),
    *("cpu.cfs_quota_us", "cpu.cfs_period_us", "memory.limit_in_bytes", "memory.usage_in_bytes", "cpuset.cpus"),
)
