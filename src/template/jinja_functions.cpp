// Functions that a template may call by name: range, namespace, dict, raise_exception, strftime_now.
#include <array>
#include <cmath>

#include "src/template/jinja_evaluator.h"
#include "src/tokenizer/quote_text.h"

namespace bitnet::jinja {
namespace {

Value range(Evaluator& e, const Arguments& args) {
    if (!args.named.empty() || args.positional.empty() || args.positional.size() > 3)
        e.fail("range: takes one to three whole numbers");
    int64_t bounds[3] = {0, 0, 1};
    for (size_t i = 0; i < args.positional.size(); ++i) bounds[i] = e.integer(args.positional[i], "range: a bound");
    if (args.positional.size() == 1) std::swap(bounds[0], bounds[1]);
    const int64_t step = bounds[2];
    if (step == 0) e.fail("range: the step is 0");
    // Unsigned, since the distance of two int64 need not be one.
    const uint64_t distance = step > 0 ? static_cast<uint64_t>(bounds[1]) - static_cast<uint64_t>(bounds[0])
                                       : static_cast<uint64_t>(bounds[0]) - static_cast<uint64_t>(bounds[1]);
    const bool is_empty = step > 0 ? bounds[0] >= bounds[1] : bounds[0] <= bounds[1];
    const uint64_t stride = step > 0 ? static_cast<uint64_t>(step) : uint64_t{0} - static_cast<uint64_t>(step);
    const uint64_t n = is_empty ? 0 : (distance - 1) / stride + 1;
    if (n > static_cast<uint64_t>(kMaxRange)) Budget::exhausted("a range is too long");
    e.budget().charge_elements(static_cast<size_t>(n));
    std::vector<Value> out;
    for (uint64_t i = 0; i < n; ++i) {
        out.push_back(
            Value::integer(static_cast<int64_t>(static_cast<uint64_t>(bounds[0]) + i * static_cast<uint64_t>(step))));
    }
    return Value::list(std::move(out));
}

Dict named_values(Evaluator& e, const char* what, const Arguments& args) {
    Dict out;
    if (args.positional.size() > 1 || (args.positional.size() == 1 && !args.positional[0].is(Kind::dict))) {
        e.fail(std::string(what) + ": takes a mapping and name=value");
    }
    if (!args.positional.empty()) {
        e.budget().charge_elements(4 * args.positional[0].dict().items.size());
        out = args.positional[0].dict();
    }
    for (const auto& [name, value] : args.named) {
        e.budget().charge_elements(4);
        out.set(name, value);
    }
    return out;
}
Value make_namespace(Evaluator& e, const Arguments& args) {
    return e.new_namespace(named_values(e, "namespace", args));
}
Value make_dict(Evaluator& e, const Arguments& args) { return Value::dict(named_values(e, "dict", args)); }

Value raise_exception(Evaluator& e, const Arguments& args) {
    e.check("raise_exception", args, {"message"});
    const Value* message = args.get(0, "message");
    const std::string text = message != nullptr ? e.text(*message).bytes() : "";
    throw Error(BITNET_E_ARGUMENT, "the chat template refuses this conversation: " + quote_text(text, 400));
}

// ---- time ----

struct Date {
    int64_t year, month, day, hour, minute, second, weekday, yearday;  // weekday 0: Sunday; yearday 0: January 1
};

// The Gregorian calendar, in UTC: 146097 days are 400 years, which begin in March so that leap days come last.
Date date_of(int64_t seconds) {
    const int64_t days = seconds >= 0 ? seconds / 86400 : -((86399 - seconds) / 86400);
    const int64_t rest = seconds - days * 86400;
    const int64_t z = days + 719468;
    const int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    const int64_t doe = z - era * 146097;
    const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    const int64_t mp = (5 * doy + 2) / 153;
    Date date{};
    date.day = doy - (153 * mp + 2) / 5 + 1;
    date.month = mp < 10 ? mp + 3 : mp - 9;
    date.year = yoe + era * 400 + (date.month <= 2 ? 1 : 0);
    date.hour = rest / 3600;
    date.minute = rest / 60 % 60;
    date.second = rest % 60;
    date.weekday = ((days + 4) % 7 + 7) % 7;
    const bool is_leap = (date.year % 4 == 0 && date.year % 100 != 0) || date.year % 400 == 0;
    date.yearday = mp < 10 ? doy + 59 + (is_leap ? 1 : 0) : doy - 306;
    return date;
}

constexpr std::array<std::string_view, 12> kMonths = {"January",   "February", "March",    "April",
                                                      "May",       "June",     "July",     "August",
                                                      "September", "October",  "November", "December"};
constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};

std::string padded(int64_t value, size_t width, char pad) {
    std::string text = std::to_string(value);
    return text.size() < width && pad != '-' ? std::string(width - text.size(), pad) + text : text;
}

void append_time(Evaluator& e, std::string& out, char code, bool is_bare, const Date& d) {
    const char zero = is_bare ? '-' : '0';
    const int64_t hour12 = d.hour % 12 == 0 ? 12 : d.hour % 12;
    switch (code) {
        case 'Y': out += std::to_string(d.year); return;
        case 'y': out += padded(d.year % 100, 2, zero); return;
        case 'm': out += padded(d.month, 2, zero); return;
        case 'd': out += padded(d.day, 2, zero); return;
        case 'e': out += padded(d.day, 2, is_bare ? '-' : ' '); return;
        case 'H': out += padded(d.hour, 2, zero); return;
        case 'I': out += padded(hour12, 2, zero); return;
        case 'M': out += padded(d.minute, 2, zero); return;
        case 'S': out += padded(d.second, 2, zero); return;
        case 'j': out += padded(d.yearday + 1, 3, zero); return;
        case 'p': out += d.hour < 12 ? "AM" : "PM"; return;
        case 'B': out += kMonths[static_cast<size_t>(d.month - 1)]; return;
        case 'b':
        case 'h': out += kMonths[static_cast<size_t>(d.month - 1)].substr(0, 3); return;
        case 'A': out += kDays[static_cast<size_t>(d.weekday)]; return;
        case 'a': out += kDays[static_cast<size_t>(d.weekday)].substr(0, 3); return;
        case 'w': out += std::to_string(d.weekday); return;
        case 'F':
            append_time(e, out, 'Y', false, d), out += "-", append_time(e, out, 'm', false, d), out += "-",
                append_time(e, out, 'd', false, d);
            return;
        case 'T':
            append_time(e, out, 'H', false, d), out += ":", append_time(e, out, 'M', false, d), out += ":",
                append_time(e, out, 'S', false, d);
            return;
        case 'Z':
        case 'z': return;  // a time without a zone, as datetime.now() gives it
        case '%': out += "%"; return;
        case 'n': out += "\n"; return;
        case 't': out += "\t"; return;
        default: e.fail(std::string("strftime_now: %") + code + " is not supported");
    }
}

Value strftime_now(Evaluator& e, const Arguments& args) {
    e.check("strftime_now", args, {"format"});
    const Value* format = args.get(0, "format");
    if (format == nullptr || !format->is(Kind::text)) e.fail("strftime_now: takes a format");
    const std::string& text = format->bytes();
    e.budget().charge(16 * text.size());
    const Date date = date_of(static_cast<int64_t>(std::floor(e.now())));
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%' || i + 1 == text.size()) {
            out.push_back(text[i]);
            continue;
        }
        const bool is_bare = text[i + 1] == '-' && i + 2 < text.size();
        i += is_bare ? 2 : 1;
        append_time(e, out, text[i], is_bare, date);
    }
    return Value::plain(std::move(out));
}

constexpr Function kFunctions[] = {{"range", range},
                                   {"namespace", make_namespace},
                                   {"dict", make_dict},
                                   {"raise_exception", raise_exception},
                                   {"strftime_now", strftime_now}};

}  // namespace

const Function* find_function(std::string_view name) {
    for (const Function& function : kFunctions) {
        if (function.name == name) return &function;
    }
    return nullptr;
}

}  // namespace bitnet::jinja
