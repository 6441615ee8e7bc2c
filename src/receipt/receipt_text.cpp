#include "src/receipt/receipt_text.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "src/gguf/gguf_text.h"
#include "src/receipt/receipt_error.h"
#include "src/receipt/receipt_json.h"

namespace bitnet {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr const char* kSchemaVersion = "1.0.0";

[[noreturn]] void refuse(bitnet_receipt_check check, const std::string& message) { throw ReceiptError(check, message); }

double ms(uint64_t us) { return static_cast<double>(us) / 1000; }

// "2026-11-25T09:01:02Z", by the calendar of the standard library: gmtime is not for several threads.
std::string utc_text(std::chrono::system_clock::time_point time) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
    const auto day = std::chrono::floor<std::chrono::days>(seconds);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(seconds - day);
    char text[64];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()));
    return text;
}

ordered_json statement_of(const ReceiptFacts& facts) {
    const size_t n = facts.record.drawn.size();
    const double seconds = static_cast<double>(facts.total_us) / 1e6;
    return {{"schema_version", kSchemaVersion},
            {"compute_path", "real"},
            {"kernels", facts.record.kernels.names()},
            {"model",
             {{"name", facts.model.name},
              {"architecture", facts.model.architecture},
              {"quantization", facts.model.quantization},
              {"sha256", facts.model.sha256}}},
            {"build", {{"version", facts.version}, {"info", facts.build_info}}},
            {"device", {{"backend_type", facts.backend}, {"threads", facts.record.n_threads}}},
            {"seed", facts.sampler.seed},
            {"sampler", sampler_to_json(facts.sampler)},
            {"prompt_ids", facts.prompt},
            {"generated_ids", facts.record.drawn},
            {"finish_reason", facts.finish_reason},
            {"metrics",
             {{"tokens_per_second", seconds > 0 ? static_cast<double>(n) / seconds : 0.0},
              {"total_latency_ms", ms(facts.total_us)},
              {"backend_type", facts.backend},
              {"prefill_ms", ms(facts.prefill_us)},
              {"decode_ms", ms(facts.decode_us)},
              {"prompt_tokens", facts.prompt.size()},
              {"reused_tokens", facts.reused_tokens},
              {"generated_tokens", n}}},
            {"timestamp", utc_text(facts.record.begin)}};
}

// One line per field: a person can read it and compare two with diff.
std::string in_lines(const ordered_json& object) {
    std::string text = "{";
    for (const auto& [key, value] : object.items()) {
        text += std::string(text.size() > 1 ? ",\n" : "\n") + " " + ordered_json(key).dump() + ": " + value.dump();
    }
    return text + "\n}\n";
}

bool names_a_mock(std::string name) {
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); });
    return name.find("mock") != std::string::npos;
}

std::vector<std::string> read_kernels(const json& root) {
    std::vector<std::string> kernels;
    const json& array = receipt_array(root, "kernels");
    if (array.empty()) refuse(BITNET_RECEIPT_CHECK_KERNELS, "it names no kernel that ran");
    for (const json& value : array) {
        if (!value.is_string()) refuse(BITNET_RECEIPT_CHECK_KERNELS, "'kernels' holds something that is not a text");
        const std::string& name = value.get_ref<const std::string&>();
        if (names_a_mock(name)) refuse(BITNET_RECEIPT_CHECK_KERNELS, "kernel '" + for_message(name) + "' is a mock");
        const size_t slash = name.find('/');
        if (slash == 0 || slash == std::string::npos || slash + 1 == name.size()) {
            refuse(BITNET_RECEIPT_CHECK_KERNELS, "kernel '" + for_message(name) + "' is not of the form op/kernel");
        }
        kernels.push_back(name);
    }
    return kernels;
}

Sha256Digest read_digest(const json& value, const char* key) {
    Sha256Digest digest;
    if (!value.is_string() || !from_hex(value.get_ref<const std::string&>(), &digest)) {
        refuse(BITNET_RECEIPT_CHECK_FORMAT, std::string("'") + key + "' is not 64 lower-case hexadecimal digits");
    }
    return digest;
}

void check_figures(const json& root, size_t n_prompt, size_t n_generated) {
    const json& metrics = receipt_object(root, "metrics");
    receipt_string(metrics, "backend_type", "metrics.");
    for (const char* key : {"tokens_per_second", "total_latency_ms", "prefill_ms", "decode_ms"}) {
        if (receipt_number(metrics, key, "metrics.") < 0) {
            refuse(BITNET_RECEIPT_CHECK_FORMAT, std::string("'metrics.") + key + "' is negative");
        }
    }
    if (receipt_uint(metrics, "prompt_tokens", "metrics.") != n_prompt ||
        receipt_uint(metrics, "generated_tokens", "metrics.") != n_generated ||
        receipt_uint(metrics, "reused_tokens", "metrics.") > n_prompt) {
        refuse(BITNET_RECEIPT_CHECK_FORMAT, "the token counts of 'metrics' are not those of the ids");
    }
}

void check_texts(const json& root) {
    const json& build = receipt_object(root, "build");
    receipt_string(build, "version", "build.");
    receipt_string(build, "info", "build.");
    const json& device = receipt_object(root, "device");
    receipt_string(device, "backend_type", "device.");
    receipt_uint(device, "threads", "device.");
    receipt_string(root, "finish_reason");
    receipt_string(root, "timestamp");
    const json& model = receipt_object(root, "model");
    for (const char* key : {"name", "architecture", "quantization"}) receipt_string(model, key, "model.");
}

}  // namespace

Sha256Digest chain_link(const Sha256Digest& previous, const Sha256Digest& statement, bitnet_token token,
                        const Sha256Digest& logits) {
    Sha256 hash;
    hash.add(previous);
    hash.add(statement);
    const uint32_t bits = static_cast<uint32_t>(token);
    const uint8_t bytes[4] = {static_cast<uint8_t>(bits), static_cast<uint8_t>(bits >> 8),
                              static_cast<uint8_t>(bits >> 16), static_cast<uint8_t>(bits >> 24)};
    hash.add(bytes, sizeof bytes);
    hash.add(logits);
    return hash.finish();
}

std::string write_receipt_text(const ReceiptFacts& facts) {
    // Through text and back: names in a model file need not be UTF-8, and what is hashed is what a reader will see.
    ordered_json receipt =
        ordered_json::parse(statement_of(facts).dump(-1, ' ', false, ordered_json::error_handler_t::replace));
    const Sha256Digest statement = sha256_of(canonical_text(json::parse(receipt.dump())));
    Sha256Digest link = statement;
    ordered_json chain = ordered_json::array();
    for (size_t i = 0; i < facts.record.drawn.size(); ++i) {
        link = chain_link(link, statement, facts.record.drawn[i], facts.record.logits[i]);
        chain.push_back(to_hex(link));
    }
    receipt["chain"] = std::move(chain);
    receipt["digest"] = to_hex(sha256_of(canonical_text(json::parse(receipt.dump()))));
    return in_lines(receipt);
}

Receipt read_receipt_text(std::string_view text) {
    if (text.size() > kMaxReceiptBytes) {
        throw Error(BITNET_E_LIMIT, "the receipt has " + std::to_string(text.size()) + " bytes, at most " +
                                        std::to_string(kMaxReceiptBytes) + " are read")
            .with_numbers(kMaxReceiptBytes, text.size());
    }
    json root = parse_receipt_json(text);
    if (const std::string version = receipt_string(root, "schema_version"); version != kSchemaVersion) {
        refuse(BITNET_RECEIPT_CHECK_FORMAT,
               "its schema version is '" + for_message(version) + "', this library knows " + kSchemaVersion);
    }
    if (const std::string path = receipt_string(root, "compute_path"); path != "real") {
        refuse(BITNET_RECEIPT_CHECK_COMPUTE_PATH, "its compute_path is '" + for_message(path) + "', not 'real'");
    }
    Receipt receipt;
    receipt.kernels = read_kernels(root);
    receipt.model_sha256 =
        to_hex(read_digest(receipt_string(receipt_object(root, "model"), "sha256", "model."), "model.sha256"));
    receipt.sampler = sampler_from_json(receipt_object(root, "sampler"));
    receipt.sampler.has_seed = true;
    receipt.sampler.seed = receipt_uint(root, "seed");
    receipt.prompt = receipt_tokens(root, "prompt_ids");
    receipt.generated = receipt_tokens(root, "generated_ids");
    check_texts(root);
    check_figures(root, receipt.prompt.size(), receipt.generated.size());
    for (const json& link : receipt_array(root, "chain")) receipt.chain.push_back(read_digest(link, "chain"));
    if (receipt.chain.size() != receipt.generated.size()) {
        refuse(BITNET_RECEIPT_CHECK_FORMAT, "'chain' has " + std::to_string(receipt.chain.size()) + " links for " +
                                                std::to_string(receipt.generated.size()) + " generated tokens");
    }
    const Sha256Digest digest = read_digest(receipt_string(root, "digest"), "digest");
    root.erase("digest");
    if (digest != sha256_of(canonical_text(root))) {
        refuse(BITNET_RECEIPT_CHECK_DIGEST, "its text was changed after it was written (the digest is another)");
    }
    root.erase("chain");
    receipt.statement = sha256_of(canonical_text(root));
    return receipt;
}

}  // namespace bitnet
