// Capturing is the cheap half: it copies what would be gone or stale when somebody asks, and nothing it does can fail.
// Texts are made in error_report.cpp, only when they are asked for.
#include "src/api/last_error.h"

#include <cstdio>
#include <cstring>

#include "src/api/handles.h"
#include "src/base/environment.h"
#include "src/base/error_table.h"
#include "src/base/resident_memory.h"

namespace bitnet {
namespace {

struct LastError {
    bitnet_error_info info{};  // numbers, and strings of static storage
    std::string message, subject, file;
    const char* static_message = nullptr;  // set instead of message when memory ran out
    char model[320] = "";
    char device[64] = "";  // "" until it is asked for, when there was no model
};

LastError& slot() noexcept {
    thread_local LastError instance;
    return instance;
}

// A message may quote a file or an argument: whatever that holds, it stays one line.
void make_one_line(char* text, size_t n) noexcept {
    for (char* c = text; c != text + n; ++c) {
        if (static_cast<unsigned char>(*c) < 0x20 || *c == 0x7f) *c = ' ';
    }
}
void make_one_line(std::string& text) noexcept { make_one_line(text.data(), text.size()); }

void describe_device(const char* device, const kern::KernelSet& kernels, LastError& last) noexcept {
    std::snprintf(last.device, sizeof last.device, "%.40s, %.20s", device, kernels.vec->level);
}

void describe_model(const Model& model, LastError& last) noexcept {
    const Hparams& h = model.hparams;
    if (h.n_layer == 0) return;  // its shape was not read, or this was what failed
    std::snprintf(
        last.model, sizeof last.model,
        "%.40s, %.16s, %lld layers, width %lld, %lld heads (%lld for KV), vocabulary %lld, trained for %lld tokens",
        h.architecture.c_str(), model.quantization.empty() ? "no weights" : model.quantization.c_str(),
        static_cast<long long>(h.n_layer), static_cast<long long>(h.n_embd), static_cast<long long>(h.n_head),
        static_cast<long long>(h.n_head_kv), static_cast<long long>(h.n_vocab), static_cast<long long>(h.n_ctx_train));
    make_one_line(last.model, std::strlen(last.model));
    if (model.kernels.vec != nullptr) describe_device(model.device(), model.kernels, last);
}

// All but message, subject and typed numbers.
void capture(bitnet_status status, const char* operation, const CallSubject& subject, LastError& last) noexcept {
    const ErrorRow& row = error_row(status);
    last.info = {};
    last.info.struct_size = sizeof last.info;
    last.info.status = status;
    last.info.family = row.family;
    last.info.severity = row.severity;
    last.info.recoverable = row.recoverable ? 1 : 0;
    last.info.variant = row.variant;
    last.info.operation = operation;
    while (suggestion_at(row, static_cast<size_t>(last.info.n_suggestions)) != nullptr) ++last.info.n_suggestions;
    // A warning may come thousands of times per second, as the first half of every two-call pattern.
    if (row.severity != BITNET_SEVERITY_WARNING) {
        const ResidentMemory memory = resident_memory();
        last.info.memory_bytes = memory.now_bytes;
        last.info.peak_memory_bytes = memory.peak_bytes;
    }
    last.model[0] = last.device[0] = '\0';
    if (subject.model != nullptr) describe_model(subject.model->model, last);
    last.subject.clear();
    last.file.clear();
    last.static_message = nullptr;
}

// What a model would use here; an impossible BITNET_KERNEL is left out of account.
void describe_default_device(LastError& last) noexcept {
    try {
        kern::KernelSet kernels{};
        if (kern::select_kernels(env_kernel().c_str(), &kernels) == kern::KernelChoice::ok ||
            kern::select_kernels(nullptr, &kernels) == kern::KernelChoice::ok) {
            describe_device("cpu", kernels, last);
        }
    } catch (...) {  // no memory to read the environment: the next question may find some
    }
}

void copy_file(const CallSubject& subject, LastError& last) {
    if (subject.file != nullptr) {
        last.file = subject.file;
    } else if (subject.model != nullptr) {
        last.file = subject.model->path;
    }
    make_one_line(last.file);
}

}  // namespace

void set_last_error(const Error& error, const char* operation, const CallSubject& subject) noexcept {
    LastError& last = slot();
    capture(error.status(), operation, subject, last);
    last.info.expected = error.expected();
    last.info.actual = error.actual();
    last.info.offset = error.offset();
    last.info.has_numbers = error.has_numbers() ? 1 : 0;
    last.info.has_offset = error.has_offset() ? 1 : 0;
    try {
        last.message = error.message();
        make_one_line(last.message);
        last.subject = error.subject();
        copy_file(subject, last);
    } catch (...) {
        last.static_message = bitnet_status_text(error.status());
    }
}

void set_last_error(bitnet_status status, const char* message, const char* operation,
                    const CallSubject& subject) noexcept {
    LastError& last = slot();
    capture(status, operation, subject, last);
    last.static_message = message;
    try {
        copy_file(subject, last);
    } catch (...) {
        last.file.clear();
    }
}

bitnet_error_info last_error_info() noexcept {
    LastError& last = slot();
    if (last.info.status != BITNET_OK && last.device[0] == '\0') describe_default_device(last);
    bitnet_error_info info = last.info;
    info.struct_size = sizeof info;
    if (info.variant == nullptr) info.variant = "";  // before the first failure
    if (info.operation == nullptr) info.operation = "";
    info.subject = last.subject.c_str();
    info.message = last.static_message != nullptr ? last.static_message : last.message.c_str();
    info.file = last.file.c_str();
    info.model = last.model;
    info.device = last.device;
    return info;
}

}  // namespace bitnet
