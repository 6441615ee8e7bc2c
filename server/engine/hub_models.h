// Models of a hub (--hf): fetched before the server serves, so that nothing is downloaded while it does.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace serve {

// Name ("" where none is given) and spec of a --hf.
std::pair<std::string, std::string> split_hub_option(const std::string& text);

// Downloads what is not cached and returns each as -m takes it: a path, or name=path. What it does is in the log. Throws with
// the reason.
std::vector<std::string> fetch_hub_models(const std::vector<std::string>& options, bool offline);

}  // namespace serve
