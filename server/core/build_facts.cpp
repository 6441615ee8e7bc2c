// A file of its own, so that a new date compiles nothing else anew.
#include "server/core/build_facts.h"

namespace serve {

const char* build_date() { return BITNET_BUILD_DATE; }
const char* git_commit() { return BITNET_GIT_COMMIT; }

}  // namespace serve
