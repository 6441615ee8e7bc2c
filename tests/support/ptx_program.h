// PTX, as nvcc makes it, decoded for a CPU that executes it warp by warp (ptx_grid.h). Everything of a text is decoded when it
// is loaded: an instruction, operand or directive that is not known here is a PtxError that names its line, nothing is skipped.
// Constants and %tid and the like become registers too, filled before a block runs, so that operands are of one kind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace test {

// What is wrong with a text.
class PtxError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct PtxWarp;
struct PtxInstruction;
// What an instruction does to the lanes that are active.
using PtxRun = void (*)(PtxWarp& warp, const PtxInstruction& instruction);

// A register: where its 32 lanes begin in a warp's file, and its number. Number 0 always has a value: constants, %tid and the
// like, and the place of results that nobody wants, at the file's beginning.
struct PtxRegister {
    uint32_t at = 0;
    uint32_t id = 0;
};

enum class PtxKind : uint8_t { plain, branch, end, block_barrier, warp_barrier, shuffle, product };
enum class PtxSpace : uint8_t { parameters, global, shared, generic };
enum class PtxSpecial : uint8_t {
    tid_x,
    tid_y,
    tid_z,
    ntid_x,
    ntid_y,
    ntid_z,
    ctaid_x,
    ctaid_y,
    ctaid_z,
    nctaid_x,
    nctaid_y,
    nctaid_z,
    laneid
};

struct PtxInstruction {
    PtxRun run = nullptr;
    PtxKind kind = PtxKind::plain;
    bool guarded = false;  // "@%p1", or where negated "@!%p1"
    bool negated = false;
    PtxRegister guard;
    // Of loads and stores; the address is operand 1.
    PtxSpace space = PtxSpace::global;
    uint8_t element_bytes = 0;
    uint8_t n_elements = 0;
    uint8_t address_bytes = 0;  // of its register
    // PtxKernel::vectors from here: results, then sources.
    uint32_t vector = 0;
    uint8_t n_vector_results = 0;
    uint8_t n_vector = 0;
    uint32_t target = 0;       // of a branch
    uint32_t line = 0;         // of the text, from 1
    int64_t displacement = 0;  // added to an address
    PtxRegister operand[4];    // the result, then sources
};

struct PtxConstant {
    PtxRegister to;
    uint8_t bytes = 0;
    uint64_t value = 0;
};

struct PtxSpecialUse {
    PtxRegister to;
    PtxSpecial what;
};

struct PtxKernel {
    std::string name;
    uint64_t number = 0;       // no other kernel of the process has it, of programs that are gone either
    uint32_t max_threads = 0;  // .maxntid; 0 where it says nothing
    uint32_t parameter_bytes = 0;
    uint32_t static_shared_bytes = 0;  // with what aligns the launch's own, which follow
    uint32_t file_bytes = 0;           // registers of a warp
    uint32_t n_registers = 0;
    uint32_t global_granule = 8;  // the smallest access to the device's memory, in bytes
    std::vector<PtxInstruction> code;
    std::vector<PtxRegister> vectors;
    std::vector<PtxConstant> constants;
    std::vector<PtxSpecialUse> specials;
};

// Addresses of other memory than the device's, where a generic address may mean any: no host has memory there.
inline constexpr uint64_t kSharedWindow = 0xfff0000000000000u;

class PtxProgram {
public:
    // Throws PtxError.
    explicit PtxProgram(std::string text);
    PtxProgram(const PtxProgram&) = delete;
    PtxProgram& operator=(const PtxProgram&) = delete;
    static std::unique_ptr<PtxProgram> of_file(const std::string& path);

    int target() const { return target_; }  // 80: sm_80
    const std::map<std::string, PtxKernel, std::less<>>& kernels() const { return kernels_; }
    // nullptr where there is none.
    const PtxKernel* kernel(std::string_view name) const;
    // The text of a line, without the space around it.
    std::string line(uint32_t number) const;

private:
    std::string text_;
    int target_ = 0;
    std::map<std::string, PtxKernel, std::less<>> kernels_;
};

}  // namespace test
