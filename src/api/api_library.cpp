// Version, status texts, last error, log, kernel list, thread limit.
#include "ggml-like/thread_limit.h"
#include "kernels/cpu/kernel_select.h"
#include "src/api/api_guard.h"
#include "src/api/error_report.h"
#include "src/base/environment.h"
#include "src/base/error_table.h"
#include "src/base/log.h"
#include "src/model/model.h"

using namespace bitnet;

#define BITNET_STRING_OF(x) #x
#define BITNET_STRING(x) BITNET_STRING_OF(x)

namespace {

bitnet_kernel_info kernel_row(size_t index) {
    kern::KernelSet best;
    if (kern::select_kernels(env_kernel().c_str(), &best) != kern::KernelChoice::ok) kern::select_kernels(nullptr, &best);
    bitnet_kernel_info info{};
    uint64_t needs = 0;
    if (index < kern::mul_mat_kernel_count()) {
        const kern::MulMatKernel& kernel = kern::mul_mat_kernel_at(index);
        info.name = kernel.name;
        info.type = kern::quant_type_info(kernel.type).name;
        info.level = kernel.level;
        info.exact = kernel.exact ? 1 : 0;
        info.selected = &best.for_type(kernel.type) == &kernel ? 1 : 0;
        needs = kernel.needs;
    } else {
        const kern::VecKernels& kernel = kern::vec_kernels_at(index - kern::mul_mat_kernel_count());
        info.name = kernel.name;
        info.type = "f32";
        info.level = kernel.level;
        info.exact = 1;
        info.selected = best.vec == &kernel ? 1 : 0;
        info.is_vector = 1;
        needs = kernel.needs;
    }
    info.runnable = kern::runs_here(needs) ? 1 : 0;
    return info;
}

// One of the texts about the last failure. Not through api_call: asking about a failure must not replace it.
bitnet_status report(std::string (*make)(const bitnet_error_info&), char* buffer, size_t capacity,
                     size_t* out_size) noexcept {
    try {
        write_text(make(last_error_info()), buffer, capacity, out_size);
        return BITNET_OK;
    } catch (const Error& error) {
        return error.status();
    } catch (...) {
        return BITNET_E_OUT_OF_MEMORY;  // nothing else can fail while a text is put together
    }
}

}  // namespace

extern "C" {

uint32_t bitnet_version_number(void) { return BITNET_VERSION_NUMBER; }

const char* bitnet_version_string(void) {
    return BITNET_STRING(BITNET_VERSION_MAJOR) "." BITNET_STRING(BITNET_VERSION_MINOR) "." BITNET_STRING(BITNET_VERSION_PATCH);
}

const char* bitnet_build_info(void) {
    static const std::string info = [] {
        std::string text = std::string("bitnet ") + bitnet_version_string() + ", ";
#if defined(__clang__)
        text += "clang " __clang_version__;
#elif defined(__GNUC__)
        text += "gcc " __VERSION__;
#else
        text += "unknown compiler";
#endif
        return text + ", kernel levels " + kern::kernel_level_names();
    }();
    return info.c_str();
}

const char* bitnet_status_name(bitnet_status status) {
    switch (status) {
#define BITNET_CASE(name, number, text) \
    case name: return #name;
        BITNET_STATUS_LIST(BITNET_CASE)
#undef BITNET_CASE
        default: return "BITNET_UNKNOWN";
    }
}

const char* bitnet_status_text(bitnet_status status) {
    switch (status) {
#define BITNET_CASE(name, number, text) \
    case name: return text;
        BITNET_STATUS_LIST(BITNET_CASE)
#undef BITNET_CASE
        default: return "a status of a newer version of the library";
    }
}

const char* bitnet_last_error(void) { return last_error_info().message; }

bitnet_status bitnet_last_error_get_info(bitnet_error_info* out_info) {
    // Not through api_call: asking about a failure must not replace it.
    if (out_info == nullptr || out_info->struct_size < sizeof(uint32_t)) return BITNET_E_ARGUMENT;
    write_info(out_info, last_error_info());
    return BITNET_OK;
}

bitnet_status bitnet_last_error_get_user_message(char* buffer, size_t capacity, size_t* out_size) {
    return report(user_message, buffer, capacity, out_size);
}

bitnet_status bitnet_last_error_get_debug_message(char* buffer, size_t capacity, size_t* out_size) {
    return report(debug_message, buffer, capacity, out_size);
}

bitnet_status bitnet_last_error_get_json(char* buffer, size_t capacity, size_t* out_size) {
    return report(error_json, buffer, capacity, out_size);
}

bitnet_error_family bitnet_status_get_family(bitnet_status status) { return error_row(status).family; }

bitnet_error_severity bitnet_status_get_severity(bitnet_status status) { return error_row(status).severity; }

int32_t bitnet_status_is_recoverable(bitnet_status status) { return error_row(status).recoverable ? 1 : 0; }

const char* bitnet_status_get_variant(bitnet_status status) { return error_row(status).variant; }

const char* bitnet_status_get_suggestion(bitnet_status status, size_t index) {
    return suggestion_at(error_row(status), index);
}

const char* bitnet_status_get_variable(bitnet_status status, size_t index) {
    return variable_at(error_row(status), index);
}

const char* bitnet_error_family_name(bitnet_error_family family) {
    switch (number_of(family)) {
#define BITNET_CASE(name, number, text) \
    case number: return text;
        BITNET_ERROR_FAMILY_LIST(BITNET_CASE)
#undef BITNET_CASE
        default: return "unknown";
    }
}

const char* bitnet_error_severity_name(bitnet_error_severity severity) {
    static const char* const kNames[] = {"none", "warning", "error", "critical", "fatal"};
    const int32_t number = number_of(severity);
    return number >= BITNET_SEVERITY_NONE && number <= BITNET_SEVERITY_FATAL ? kNames[number] : "unknown";
}

void bitnet_log_set_callback(bitnet_log_callback callback, bitnet_log_level min_level, void* user_data) {
    api_call(__func__, [&] {
        const int32_t level = std::clamp<int32_t>(number_of(min_level), BITNET_LOG_DEBUG, BITNET_LOG_ERROR);
        set_log_callback(callback, static_cast<bitnet_log_level>(level), user_data);
    });
}

size_t bitnet_kernel_get_count(void) { return kern::mul_mat_kernel_count() + kern::vec_kernels_count(); }

bitnet_status bitnet_kernel_get_info(size_t index, bitnet_kernel_info* out_info) {
    return api_call(__func__, [&] {
        require(index < bitnet_kernel_get_count(), "there is no kernel with this index");
        write_info(out_info, kernel_row(index));
    });
}

bitnet_status bitnet_environment_get_info(bitnet_environment_info* out_info) {
    return api_call(__func__, [&] {
        const Environment& found = environment();
        bitnet_environment_info info{};
        info.kernel = found.kernel().c_str();
        info.n_threads = found.n_threads();
        info.batch_size = found.batch_size();
        info.memory_limit = found.memory_limit();
        info.deterministic = found.deterministic() ? 1 : 0;
        info.has_seed = found.seed().has_value() ? 1 : 0;
        info.seed = found.seed().value_or(0);
        info.strict_tokenizers = found.strict_tokenizers() ? 1 : 0;
        info.offline = found.offline() ? 1 : 0;
        write_info(out_info, info);
    });
}

int32_t bitnet_cpu_get_thread_limit(void) {
    int32_t limit = 1;
    api_call(__func__, [&] { limit = tg::usable_cpus(); });
    return limit;
}

}  // extern "C"
