// To add what was learned about an engine, add a row. A row says when it holds and what then happens; an engine's verdict is
// its worst row.
#include "engine_rules.h"

#include <algorithm>

namespace cli {
namespace {

constexpr char kLlama[] = "llama.cpp", kBitnet[] = "bitnet.cpp", kIk[] = "ik_llama.cpp";

bool has_type(const GgufView& view, uint32_t id) {
    return std::any_of(view.tensors.begin(), view.tensors.end(),
                       [&](const auto& tensor) { return tensor.type_id == id; });
}
bool is(const GgufView& view, std::string_view architecture) {
    return view.value("general.architecture") == architecture;
}
// 2B-4T under whichever name: its feed-forward network has relu^2.
bool is_2b4t_shaped(const GgufView& view) {
    return view.number("block_count") == 30 && view.number("embedding_length") == 2560 &&
           view.number("feed_forward_length") == 6912;
}
// Id 39 means TL2 where the file says so, or where no other program wrote types beside bitnet.cpp's.
bool has_tl2(const GgufView& view) { return has_type(view, 39) && view.value("general.file_type") == "39"; }
bool bad_i2s_rows(const GgufView& view) {
    return std::any_of(view.tensors.begin(), view.tensors.end(),
                       [](const auto& tensor) { return tensor.type_id == 36 && tensor.shape[0] % 128 != 0; });
}

struct Rule {
    const char* engine;
    Verdict verdict;
    bool (*holds)(const GgufView& view);
    const char* reason;
};
constexpr Rule kRules[] = {
    {kLlama, Verdict::no, [](const GgufView& v) { return v.info.version == 1; }, "it refuses version 1 of GGUF"},
    {kLlama, Verdict::no, [](const GgufView& v) { return has_type(v, 36); },
     "it has no I2_S: id 36 was removed, and a file with it fails with block size 0 or as not packed tightly "
     "(llama.cpp #12997, "
     "#17105)"},
    {kLlama, Verdict::no, [](const GgufView& v) { return has_type(v, 38) || has_tl2(v); },
     "it has no TL1 and TL2: id 38 was removed, 39 is MXFP4 there"},
    {kLlama, Verdict::no, [](const GgufView& v) { return has_type(v, 134) || has_type(v, 135) || has_type(v, 335); },
     "it has no IQ1_BN and IQ2_BN, types of ik_llama.cpp"},
    {kLlama, Verdict::no, [](const GgufView& v) { return is(v, "bitnet-b1.58") || is(v, "bitnet-25"); },
     "it has no graph for the architectures bitnet-b1.58 and bitnet-25"},
    {kLlama, Verdict::wrong, [](const GgufView& v) { return is(v, "bitnet") && is_2b4t_shaped(v); },
     "its graph for bitnet has SiLU, this model needs relu^2 (llama.cpp #25885)"},
    {kBitnet, Verdict::no, [](const GgufView& v) { return v.info.version == 1; }, "it refuses version 1 of GGUF"},
    {kBitnet, Verdict::no, [](const GgufView& v) { return has_type(v, 134) || has_type(v, 135) || has_type(v, 335); },
     "it has no IQ1_BN and IQ2_BN, types of ik_llama.cpp"},
    {kBitnet, Verdict::no, [](const GgufView& v) { return has_type(v, 40) || has_type(v, 41) || has_type(v, 42); },
     "it has no types beyond 39"},
    {kBitnet, Verdict::no, [](const GgufView& v) { return has_type(v, 39) && !has_tl2(v); },
     "it would read MXFP4, id 39, as TL2"},
    {kBitnet, Verdict::wrong, bad_i2s_rows,
     "its I2_S kernels skip the end of rows that are no multiple of 128 weights"},
    {kBitnet, Verdict::wrong,
     [](const GgufView& v) {
         return has_type(v, 36) && v.find("tokenizer.ggml.pre") == nullptr && v.value("tokenizer.ggml.model") == "gpt2";
     },
     "without tokenizer.ggml.pre it splits texts in a default way, and answers get worse (BitNet #508)"},
    {kBitnet, Verdict::runs, [](const GgufView& v) { return has_type(v, 36); },
     "only as built for x86, or after the fix of BitNet #585: builds for ARM read the bytes of I2_S in another order"},
    {kBitnet, Verdict::runs, [](const GgufView& v) { return has_type(v, 38) || has_tl2(v); },
     "only a build whose kernels were generated for this model's matrix shapes"},
    {kIk, Verdict::no, [](const GgufView& v) { return v.info.version == 1; }, "it refuses version 1 of GGUF"},
    {kIk, Verdict::no, [](const GgufView& v) { return has_type(v, 34) || has_type(v, 35); },
     "it has no TQ1_0 and TQ2_0"},
    {kIk, Verdict::no, [](const GgufView& v) { return has_type(v, 37) || has_type(v, 38) || has_tl2(v); },
     "it has no TL1 and TL2"},
    {kIk, Verdict::no, [](const GgufView& v) { return has_type(v, 42); }, "it has no type 42"},
    {kIk, Verdict::converts, [](const GgufView& v) { return has_type(v, 36); },
     "it reads I2_S only to requantise it: llama-quantize --allow-requantize FILE OUT iq2_bn (ik_llama.cpp #169)"},
};

}  // namespace

const char* verdict_name(Verdict verdict) {
    static const char* const kNames[] = {"runs", "converts", "wrong", "no"};
    return kNames[static_cast<int>(verdict)];
}

std::vector<EngineAnswer> other_engines(const GgufView& view) {
    std::vector<EngineAnswer> answers;
    for (const char* engine : {kLlama, kBitnet, kIk}) {
        EngineAnswer answer{engine, Verdict::runs, {}};
        for (const Rule& rule : kRules) {
            if (std::string_view(rule.engine) != engine || !rule.holds(view)) continue;
            answer.verdict = std::max(answer.verdict, rule.verdict);
            answer.reasons.push_back(rule.reason);
        }
        answers.push_back(std::move(answer));
    }
    return answers;
}

}  // namespace cli
