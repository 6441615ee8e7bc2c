// Receipts as files: one on its own, and golden files, which hold several in a JSON object {"golden": 1, "receipts": [...]}.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli_common.h"

namespace cli {

std::string get_receipt(const bitnet_generation* generation);

// The receipts of a golden file, each as text. Throws Failure for what is none; name is what messages call it.
std::vector<std::string> read_golden(std::string_view text, const std::string& name);
std::string golden_text(const std::vector<std::string>& receipts);

}  // namespace cli
