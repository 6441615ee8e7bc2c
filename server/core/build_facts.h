// What CMake knew when this program was configured.
#pragma once

namespace serve {

const char* build_date();  // "2026-11-25T10:30:00Z"; SOURCE_DATE_EPOCH where that was set
const char* git_commit();  // "abc1234", or "unknown" outside of a git checkout

}  // namespace serve
