// One kernel's statements become instructions: names become functions, registers places in a warp's file.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/ptx_program.h"

namespace test {

class PtxDecoder {
public:
    explicit PtxDecoder(PtxKernel& kernel);

    // What is wrong is thrown as a std::string.
    void declare_parameter(std::string_view name, uint64_t n_bytes, uint64_t alignment);
    void declare_shared(std::string_view name, uint64_t n_bytes, uint64_t alignment);
    // Behind all that the kernel declares itself.
    void declare_dynamic_shared(std::string_view name, uint64_t alignment);
    void declare_registers(std::string_view type, std::string_view prefix,
                           uint64_t n);  // n: 0 for one by its whole name
    void open_scope() { scopes_.push_back(declared_.size()); }
    void close_scope();
    void label(std::string_view name);
    // "@%p1 bra" and the operands.
    void instruction(std::string_view guard, std::string_view name, std::string_view operands, uint32_t line);
    // Labels and places of shared memory are known.
    void finish();
    // The line that finish() complained of; 0 where it is none.
    uint32_t failed_line() const { return failed_line_; }

private:
    struct Declared {
        std::string prefix;
        unsigned bytes = 0;
        bool numbered = false;
        std::vector<PtxRegister> registers;
    };
    struct Operand {
        PtxRegister at;
        unsigned bytes = 0;
    };

    PtxRegister place(unsigned bytes, uint32_t id);
    bool find_register(std::string_view name, Operand* found);
    Operand result(std::string_view text, unsigned bytes);  // bytes 0: of any width
    Operand source(std::string_view text, unsigned bytes);
    PtxRegister constant(uint64_t value, unsigned bytes);
    std::vector<std::string_view> elements(std::string_view text, size_t n);

    void arithmetic(PtxInstruction& i, std::string_view name, const std::vector<std::string_view>& operands);
    bool conversion(PtxInstruction& i, std::string_view name, const std::vector<std::string_view>& operands);
    bool packing(PtxInstruction& i, std::string_view name, const std::vector<std::string_view>& operands);
    void access(PtxInstruction& i, std::string_view name, const std::vector<std::string_view>& operands);
    void address(PtxInstruction& i, std::string_view text);
    void shuffle(PtxInstruction& i, std::string_view name, const std::vector<std::string_view>& operands);
    void product(PtxInstruction& i, unsigned rows, unsigned depth, const std::vector<std::string_view>& operands);
    bool control(PtxInstruction& i, std::string_view name, const std::vector<std::string_view>& operands);

    PtxKernel& kernel_;
    std::vector<Declared> declared_;
    std::vector<size_t> scopes_;
    std::map<std::string, uint64_t, std::less<>> symbols_;
    std::string dynamic_shared_;
    uint64_t dynamic_alignment_ = 1;
    std::vector<size_t> dynamic_uses_;  // constants that are its address
    std::map<std::pair<uint64_t, unsigned>, PtxRegister> constants_;
    std::map<std::string, PtxRegister, std::less<>> specials_;
    std::map<std::string, uint32_t, std::less<>> labels_;
    std::vector<std::pair<size_t, std::string>> branches_;
    uint32_t failed_line_ = 0;
};

}  // namespace test
