// How many threads this process may really use. Containers that see 64 CPUs but own a quota of 2 collapse when an engine
// starts 64 spinning threads, so the quota counts as much as the affinity mask.
#pragma once

#include <string>

namespace tg {

// min(CPU affinity, cgroup v1/v2 CPU quota rounded up, online CPUs), at least 1.
int usable_cpus();

// CPUs granted by the content of a cgroup v2 cpu.max file ("200000 100000" -> 2, "max 100000" -> no limit = 0).
int cpus_from_cpu_max(const std::string& content);
// The same from cgroup v1's cpu.cfs_quota_us and cpu.cfs_period_us.
int cpus_from_cfs(const std::string& quota, const std::string& period);

}  // namespace tg
