// What the command asks of the operating system beyond files. The one place to port.
#pragma once

#include <cstdint>
#include <string_view>

namespace cli {

bool stdin_is_terminal();
bool stdout_is_terminal();
bool stderr_is_terminal();

// From here on Ctrl-C and SIGTERM are noted instead of ending the program, once: a second one ends it. A closed pipe
// and a limit on the size of files make writes fail instead of killing the process. On Windows the standard streams become
// bytes and the console UTF-8, too.
void install_signal_handlers();
// The signal that was noted, 0 for none.
int caught_signal();
// Ctrl-C has been obeyed: it is forgotten, and the next one is noted again. Another signal stays noted.
void forget_interrupt();

// One byte of standard input: 1, 0 at its end, -1 after a signal that was noted or an error.
int read_stdin_byte(char* byte);
// Writes everything to standard output, whatever signals arrive meanwhile; returns 0 or the error number.
int write_stdout(std::string_view bytes);

// Gives a finished file the name of another, which it replaces; returns 0 or the error number.
int replace_file(const char* from, const char* to);

// The most memory that the process ever held; 0 where the system does not tell.
uint64_t peak_memory_bytes();

}  // namespace cli
