// libedit where the build found it (BITNET_HAVE_LIBEDIT) and both ends are a terminal.
#include "line_input.h"

#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cwchar>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "cli_common.h"
#include "cli_platform.h"

#ifdef BITNET_HAVE_LIBEDIT
#include <histedit.h>
#endif

namespace cli {
namespace {

constexpr size_t kLongestMessage = size_t{16} << 20;
constexpr std::string_view kBlock = "\"\"\"";

// A plain line; nothing at the end of the input.
std::optional<std::string> plain_line() {
    std::string line;
    int c;
    while ((c = std::getc(stdin)) != EOF && c != '\n') {
        if (line.size() == kLongestMessage) throw Failure{kExitFailure, "a line of the input is larger than 16 MiB; cut it"};
        line += static_cast<char>(c);
    }
    if (caught_signal() != 0 || (c == EOF && line.empty())) return std::nullopt;
    return line;
}

}  // namespace

#ifdef BITNET_HAVE_LIBEDIT
class LineInput::Editor {
public:
    Editor(const std::string& prompt, std::string history_file)
        : prompt_("\1\033[1;32m\1" + prompt + "\1\033[0m\1"), history_file_(std::move(history_file)),
          edit_(el_init("bitnet", stdin, stdout, stderr)), history_(history_init()) {
        if (edit_ == nullptr || history_ == nullptr) throw Failure{kExitFailure, "no memory for editing lines"};
        HistEvent event;
        history(history_, &event, H_SETSIZE, 1000);
        history(history_, &event, H_SETUNIQUE, 1);
        if (!history_file_.empty()) history(history_, &event, H_LOAD, history_file_.c_str());
        el_set(edit_, EL_CLIENTDATA, this);
        el_set(edit_, EL_PROMPT_ESC, show_prompt, '\1');
        el_set(edit_, EL_EDITOR, "emacs");
        el_set(edit_, EL_HIST, history, history_);
        el_set(edit_, EL_SIGNAL, 0);  // the command's own handlers stay
        el_set(edit_, EL_GETCFN, read_key);
        el_set(edit_, EL_BIND, "^[[1~", "ed-move-to-beg", nullptr);
        el_set(edit_, EL_BIND, "^[[4~", "ed-move-to-end", nullptr);
    }
    ~Editor() {
        if (edit_ != nullptr) el_end(edit_);
        if (history_ != nullptr) history_end(history_);
    }
    Editor(const Editor&) = delete;
    Editor& operator=(const Editor&) = delete;

    std::optional<std::string> read(bool continued) {
        continued_ = continued;
        int n = 0;
        const char* text = el_gets(edit_, &n);
        if (text == nullptr || n <= 0 || caught_signal() != 0) return std::nullopt;
        std::string line(text, static_cast<size_t>(n));
        HistEvent event;
        if (line.find_first_not_of(" \t\n") != std::string::npos) {
            history(history_, &event, H_ENTER, line.c_str());
            if (!history_file_.empty()) history(history_, &event, H_SAVE, history_file_.c_str());
        }
        if (!line.empty() && line.back() == '\n') line.pop_back();
        return line;
    }

private:
    // libedit's own reader goes on after a signal; here a signal ends the line.
    static int read_key(EditLine*, wchar_t* key) {
        std::mbstate_t state = {};
        for (;;) {
            char byte = 0;
            const int n = read_stdin_byte(&byte);
            if (n <= 0) return n;
            const size_t used = std::mbrtowc(key, &byte, 1, &state);
            if (used == static_cast<size_t>(-2)) continue;  // the character has more bytes
            if (used == static_cast<size_t>(-1)) {
                state = {};
                continue;
            }
            return 1;
        }
    }
    static char* show_prompt(EditLine* edit) {
        Editor* self = nullptr;
        el_get(edit, EL_CLIENTDATA, &self);
        static char more[] = ". ";
        return self->continued_ ? more : self->prompt_.data();
    }

    std::string prompt_, history_file_;
    EditLine* edit_;
    History* history_;
    bool continued_ = false;
};
#else
class LineInput::Editor {
public:
    std::optional<std::string> read(bool) { return std::nullopt; }
};
#endif

LineInput::LineInput(std::string prompt, std::string history_file) : prompt_(std::move(prompt)) {
    if (!on_terminal()) return;
#ifdef BITNET_HAVE_LIBEDIT
    // Keys become characters by the locale; nothing else of it is taken, numbers keep their point.
    if (std::setlocale(LC_CTYPE, "") == nullptr || MB_CUR_MAX < 2) std::setlocale(LC_CTYPE, "C.UTF-8");
    if (!history_file.empty()) {
        std::error_code ignored;  // without the folder the history lasts as long as the program
        std::filesystem::create_directories(std::filesystem::path(history_file).parent_path(), ignored);
    }
    editor_ = std::make_unique<Editor>(prompt_, std::move(history_file));
#else
    static_cast<void>(history_file);
#endif
}

LineInput::~LineInput() = default;

bool LineInput::on_terminal() const noexcept { return stdin_is_terminal() && stdout_is_terminal(); }

std::optional<std::string> LineInput::read_line(bool continued) {
    if (editor_ != nullptr) return editor_->read(continued);
    if (on_terminal()) {
        write_out(continued ? ". " : prompt_);
        flush_out();
    }
    return plain_line();
}

std::optional<std::string> LineInput::read_message() {
    std::optional<std::string> line = read_line(false);
    if (!line) return std::nullopt;
    std::string message;
    const auto add = [&message](std::string_view text) {
        if (message.size() + text.size() > kLongestMessage) {
            throw Failure{kExitFailure, "a message of the input is larger than 16 MiB; cut it"};
        }
        message.append(text);
    };
    if (*line == kBlock) {
        while ((line = read_line(true)) && *line != kBlock) add(message.empty() ? *line : "\n" + *line);
        return message;
    }
    while (line && !line->empty() && line->back() == '\\') {
        line->back() = '\n';
        add(*line);
        line = read_line(true);
    }
    if (line) add(*line);
    return message;
}

std::string default_history_file() {
    const char* state = std::getenv("XDG_STATE_HOME");
    if (state != nullptr && state[0] == '/') return std::string(state) + "/bitnet/chat_history";
    const char* home = std::getenv("HOME");
    return home != nullptr && home[0] == '/' ? std::string(home) + "/.local/state/bitnet/chat_history" : "";
}

}  // namespace cli
