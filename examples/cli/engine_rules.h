// Which engine can read a model file, as a table of what is known to stop or mislead each; the other engines are not asked, so
// their rows say what their sources and bug reports say (the numbers are issues of microsoft/BitNet, llama.cpp, ik_llama.cpp).
#pragma once

#include <string>
#include <vector>

#include "gguf_view.h"

namespace cli {

enum class Verdict { runs, converts, wrong, no };  // from best to worst; converts: only as the source of a conversion
const char* verdict_name(Verdict verdict);

struct EngineAnswer {
    std::string engine;
    Verdict verdict = Verdict::runs;
    std::vector<std::string> reasons;
};
// What llama.cpp, bitnet.cpp and ik_llama.cpp make of the file.
std::vector<EngineAnswer> other_engines(const GgufView& view);

}  // namespace cli
