// See ptx_program.h. What stands outside of instructions: modules, kernels, declarations.
#include "tests/support/ptx_program.h"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <iterator>

#include "tests/support/ptx_decode.h"
#include "tests/support/ptx_text.h"

namespace test {
namespace {

// ".align 4 .b8 name[16]", behind the words that say where.
struct Variable {
    std::string_view name;
    uint64_t n_bytes = 0;
    uint64_t alignment = 0;
    bool open = false;  // "name[]"
};

uint64_t bytes_of(PtxReader& reader, std::string_view type) {
    if (type.size() >= 3 && type.front() == '.') {
        const std::string_view bits = type.substr(2);
        for (const uint64_t bytes : {1, 2, 4, 8}) {
            if (bits == std::to_string(8 * bytes)) return bytes;
        }
    }
    reader.fail("variables of type '" + std::string(type) + "' are not known");
}

Variable read_variable(PtxReader& reader) {
    Variable variable;
    std::string_view word = reader.word();
    if (word == ".align") {
        variable.alignment = reader.number();
        word = reader.word();
    }
    const uint64_t element = bytes_of(reader, word);
    variable.alignment = std::max(variable.alignment, element);
    word = reader.word();
    if (word == ".ptr") {  // of what a parameter points at
        for (word = reader.word(); !word.empty() && word.front() == '.'; word = reader.word()) {
            if (word == ".align") reader.number();
        }
    }
    variable.name = word;
    variable.n_bytes = element;
    if (reader.take('[')) {
        variable.open = reader.peek() == ']';
        variable.n_bytes = variable.open ? 0 : element * reader.number();
        reader.require(']');
    }
    return variable;
}

// The decoder's complaints, with the line that they are about.
template <class Decode>
void at_line(std::string_view text, uint32_t line, Decode decode) {
    try {
        decode();
    } catch (const std::string& what) {
        fail_ptx(text, line, what);
    }
}

class ModuleReader {
public:
    explicit ModuleReader(std::string_view text) : text_(text), reader_(text) {}

    void read(int* target, std::map<std::string, PtxKernel, std::less<>>* kernels) {
        while (!reader_.at_end()) {
            const std::string_view word = reader_.word();
            if (word == ".version" || word == ".address_size") {
                reader_.rest_of_line();
            } else if (word == ".target") {
                const std::string_view name = reader_.word();
                int64_t number = 0;
                if (name.substr(0, 3) != "sm_" || !read_number(name.substr(3), &number))
                    reader_.fail("no target sm_NN");
                *target = static_cast<int>(number);
                reader_.rest_of_line();
            } else if (word == ".extern" && reader_.word() == ".shared") {
                dynamic_ = read_variable(reader_);
                if (!dynamic_.open) reader_.fail("shared memory of other modules is not known");
                reader_.require(';');
            } else if (word == ".visible" || word == ".entry") {
                if (word == ".visible" && reader_.word() != ".entry") reader_.fail("only kernels may be .visible here");
                PtxKernel kernel = read_kernel();
                std::string name = kernel.name;
                if (!kernels->emplace(name, std::move(kernel)).second) reader_.fail("a kernel stands twice");
            } else {
                reader_.fail("the directive '" + std::string(word) + "' is not known");
            }
        }
    }

private:
    PtxKernel read_kernel() {
        static std::atomic<uint64_t> n_kernels = 0;
        PtxKernel kernel;
        kernel.number = ++n_kernels;
        PtxDecoder decoder(kernel);
        kernel.name = reader_.word();
        if (reader_.take('(') && !reader_.take(')')) {
            do {
                if (reader_.word() != ".param") reader_.fail("a parameter is missing");
                const Variable variable = read_variable(reader_);
                at_line(text_, reader_.line(),
                        [&] { decoder.declare_parameter(variable.name, variable.n_bytes, variable.alignment); });
            } while (reader_.take(','));
            reader_.require(')');
        }
        while (!reader_.take('{')) {
            const std::string_view word = reader_.word();
            if (word == ".maxntid" || word == ".reqntid") {
                kernel.max_threads = static_cast<uint32_t>(reader_.number());
                while (reader_.take(',')) kernel.max_threads *= static_cast<uint32_t>(reader_.number());
            } else if (word == ".minnctapersm" || word == ".maxnreg") {
                reader_.number();
            } else {
                reader_.fail("the directive '" + std::string(word) + "' is not known");
            }
        }
        if (!dynamic_.name.empty()) decoder.declare_dynamic_shared(dynamic_.name, dynamic_.alignment);
        read_body(decoder);
        const uint32_t line = reader_.line();
        try {
            decoder.finish();
        } catch (const std::string& what) {
            fail_ptx(text_, decoder.failed_line() != 0 ? decoder.failed_line() : line, what);
        }
        return kernel;
    }

    void read_body(PtxDecoder& decoder) {
        for (int depth = 1; depth > 0;) {
            if (reader_.take('{')) {
                decoder.open_scope();
                ++depth;
            } else if (reader_.take('}')) {
                if (--depth > 0) decoder.close_scope();
            } else {
                read_statement(decoder);
            }
        }
    }

    void read_statement(PtxDecoder& decoder) {
        std::string guard;
        if (reader_.take('@')) {
            guard = reader_.take('!') ? "!" : "";
            guard += reader_.word();
        }
        reader_.peek();
        const uint32_t line = reader_.line();
        const std::string_view word = reader_.word();
        if (word.empty()) reader_.fail("an instruction is missing");
        at_line(text_, line, [&] {
            if (word == ".reg") {
                read_registers(decoder);
            } else if (word == ".shared") {
                const Variable variable = read_variable(reader_);
                reader_.require(';');
                decoder.declare_shared(variable.name, variable.n_bytes, variable.alignment);
            } else if (word == ".pragma") {
                reader_.until(';');
            } else if (word == ".loc" || word == ".file") {
                reader_.rest_of_line();
            } else if (word.front() == '.') {
                throw "the directive '" + std::string(word) + "' is not known";
            } else if (guard.empty() && reader_.take(':')) {
                decoder.label(word);
            } else {
                decoder.instruction(guard, word, reader_.until(';'), line);
            }
        });
    }

    void read_registers(PtxDecoder& decoder) {
        const std::string_view type = reader_.word();
        do {
            const std::string_view name = reader_.word();
            uint64_t n = 0;
            if (reader_.take('<')) {
                n = reader_.number();
                reader_.require('>');
            }
            decoder.declare_registers(type.substr(std::min<size_t>(1, type.size())), name, n);
        } while (reader_.take(','));
        reader_.require(';');
    }

    std::string_view text_;
    PtxReader reader_;
    Variable dynamic_;
};

}  // namespace

PtxProgram::PtxProgram(std::string text) : text_(std::move(text)) {
    const std::string bare = without_comments(text_);
    ModuleReader(bare).read(&target_, &kernels_);
}

std::unique_ptr<PtxProgram> PtxProgram::of_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw PtxError("cannot read " + path);
    return std::make_unique<PtxProgram>(std::string(std::istreambuf_iterator<char>(file), {}));
}

const PtxKernel* PtxProgram::kernel(std::string_view name) const {
    const auto found = kernels_.find(name);
    return found == kernels_.end() ? nullptr : &found->second;
}

std::string PtxProgram::line(uint32_t number) const {
    std::string_view rest = text_;
    for (uint32_t i = 1; i < number; ++i) rest.remove_prefix(std::min(rest.size(), rest.find('\n') + 1));
    return std::string(trimmed(rest.substr(0, rest.find('\n'))));
}

}  // namespace test
