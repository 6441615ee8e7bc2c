// Lines a person types: with editing and a history (libedit) on a terminal, plain lines from a pipe or without libedit.
#pragma once

#include <memory>
#include <optional>
#include <string>

namespace cli {

class LineInput {
public:
    // prompt: shown on a terminal before each line. history_file: read now, written after each line; empty: none kept.
    LineInput(std::string prompt, std::string history_file);
    ~LineInput();
    LineInput(const LineInput&) = delete;
    LineInput& operator=(const LineInput&) = delete;

    // One message without its last newline. A line that ends in \ goes on in the next one; a line """ begins a message
    // of many lines, another one ends it. Nothing at the end of the input or after a signal.
    std::optional<std::string> read_message();
    bool on_terminal() const noexcept;

private:
    class Editor;
    std::optional<std::string> read_line(bool continued);

    std::string prompt_;
    std::unique_ptr<Editor> editor_;  // null: plain lines
};

// $XDG_STATE_HOME/bitnet/chat_history or ~/.local/state/bitnet/chat_history; "" without a home.
std::string default_history_file();

}  // namespace cli
