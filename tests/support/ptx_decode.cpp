// See ptx_decode.h.
#include "tests/support/ptx_decode.h"

#include <algorithm>

#include "tests/support/ptx_memory.h"
#include "tests/support/ptx_ops.h"
#include "tests/support/ptx_text.h"

namespace test {
namespace {

constexpr unsigned kFileLanes = 32;
constexpr unsigned kPredicateBytes = 1;
constexpr uint32_t kScratchBytes = kFileLanes * 8;  // where id 0 begins
constexpr std::pair<const char*, PtxSpecial> kSpecials[] = {
    {"%tid.x", PtxSpecial::tid_x},       {"%tid.y", PtxSpecial::tid_y},       {"%tid.z", PtxSpecial::tid_z},
    {"%ntid.x", PtxSpecial::ntid_x},     {"%ntid.y", PtxSpecial::ntid_y},     {"%ntid.z", PtxSpecial::ntid_z},
    {"%ctaid.x", PtxSpecial::ctaid_x},   {"%ctaid.y", PtxSpecial::ctaid_y},   {"%ctaid.z", PtxSpecial::ctaid_z},
    {"%nctaid.x", PtxSpecial::nctaid_x}, {"%nctaid.y", PtxSpecial::nctaid_y}, {"%nctaid.z", PtxSpecial::nctaid_z},
    {"%laneid", PtxSpecial::laneid}};

uint64_t aligned(uint64_t n, uint64_t alignment) { return (n + alignment - 1) / alignment * alignment; }

unsigned bytes_of_shape(char width) {
    switch (width) {
        case 'p': return kPredicateBytes;
        case 'h': return 2;
        case 'w': return 4;
        default: return 8;
    }
}

// 0: no type of registers.
unsigned bytes_of_type(std::string_view type) {
    if (type == "pred") return kPredicateBytes;
    if (type.empty() || std::string_view("busf").find(type.front()) == std::string_view::npos) return 0;
    const std::string_view bits = type.substr(1);
    return bits == "16" ? 2 : bits == "32" ? 4 : bits == "64" ? 8 : 0;
}

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

}  // namespace

PtxDecoder::PtxDecoder(PtxKernel& kernel) : kernel_(kernel) {
    kernel_.file_bytes = kScratchBytes;
    kernel_.n_registers = 1;
}

void PtxDecoder::declare_parameter(std::string_view name, uint64_t n_bytes, uint64_t alignment) {
    const uint64_t at = aligned(kernel_.parameter_bytes, alignment);
    if (!symbols_.emplace(name, at).second) throw quoted(name) + " is declared twice";
    kernel_.parameter_bytes = static_cast<uint32_t>(at + n_bytes);
}

void PtxDecoder::declare_shared(std::string_view name, uint64_t n_bytes, uint64_t alignment) {
    const uint64_t at = aligned(kernel_.static_shared_bytes, alignment);
    if (!symbols_.emplace(name, at).second) throw quoted(name) + " is declared twice";
    kernel_.static_shared_bytes = static_cast<uint32_t>(at + n_bytes);
}

void PtxDecoder::declare_dynamic_shared(std::string_view name, uint64_t alignment) {
    dynamic_shared_ = name;
    dynamic_alignment_ = alignment;
}

void PtxDecoder::declare_registers(std::string_view type, std::string_view prefix, uint64_t n) {
    const unsigned bytes = bytes_of_type(type);
    if (bytes == 0) throw "registers of type " + quoted(type) + " are not known";
    if (n > 1'000'000) throw std::string("more than a million registers");
    declared_.push_back({std::string(prefix), bytes, n > 0, std::vector<PtxRegister>(n > 0 ? n : 1)});
}

void PtxDecoder::close_scope() {
    declared_.resize(scopes_.back());
    scopes_.pop_back();
}

PtxRegister PtxDecoder::place(unsigned bytes, uint32_t id) {
    const PtxRegister made = {kernel_.file_bytes, id};
    kernel_.file_bytes += kFileLanes * bytes;
    return made;
}

bool PtxDecoder::find_register(std::string_view name, Operand* found) {
    size_t n_digits = 0;
    while (n_digits < name.size() && name[name.size() - 1 - n_digits] >= '0' &&
           name[name.size() - 1 - n_digits] <= '9') {
        ++n_digits;
    }
    const std::string_view prefix = name.substr(0, name.size() - n_digits);
    for (size_t d = declared_.size(); d-- > 0;) {
        Declared& declared = declared_[d];
        int64_t number = 0;
        if (declared.numbered) {
            if (declared.prefix != prefix || !read_number(name.substr(prefix.size()), &number)) continue;
            if (static_cast<size_t>(number) >= declared.registers.size()) continue;
        } else if (declared.prefix != name) {
            continue;
        }
        PtxRegister& at = declared.registers[static_cast<size_t>(number)];
        if (at.id == 0) at = place(declared.bytes, kernel_.n_registers++);
        *found = {at, declared.bytes};
        return true;
    }
    return false;
}

PtxDecoder::Operand PtxDecoder::result(std::string_view text, unsigned bytes) {
    if (text == "_") return {{}, bytes};
    Operand found;
    if (!find_register(text, &found)) throw quoted(text) + " is not a register";
    if (bytes != 0 && found.bytes != bytes) {
        throw quoted(text) + " has " + std::to_string(found.bytes * 8) + " bits, not " + std::to_string(bytes * 8);
    }
    return found;
}

PtxRegister PtxDecoder::constant(uint64_t value, unsigned bytes) {
    PtxRegister& at = constants_[{value, bytes}];
    if (at.at == 0) {
        at = place(bytes, 0);
        kernel_.constants.push_back({at, static_cast<uint8_t>(bytes), value});
    }
    return at;
}

PtxDecoder::Operand PtxDecoder::source(std::string_view text, unsigned bytes) {
    if (Operand found; find_register(text, &found)) return result(text, bytes);
    if (const auto* special = std::find_if(std::begin(kSpecials), std::end(kSpecials),
                                           [&](const auto& each) { return text == each.first; });
        special != std::end(kSpecials)) {
        if (bytes != 4) throw quoted(text) + " has 32 bits";
        PtxRegister& at = specials_[std::string(text)];
        if (at.at == 0) {
            at = place(4, 0);
            kernel_.specials.push_back({at, special->second});
        }
        return {at, 4};
    }
    if (bytes == 0) throw quoted(text) + " is not a register";
    if (!text.empty() && text == dynamic_shared_) {
        const PtxRegister at = place(bytes, 0);
        dynamic_uses_.push_back(kernel_.constants.size());
        kernel_.constants.push_back({at, static_cast<uint8_t>(bytes), 0});
        return {at, bytes};
    }
    if (const auto symbol = symbols_.find(text); symbol != symbols_.end())
        return {constant(symbol->second, bytes), bytes};
    uint64_t bits = 0;
    if (!read_constant(text, &bits))
        throw quoted(text) + " is neither a register nor a number nor a name that is declared";
    return {constant(bytes == kPredicateBytes ? bits & 1 : bits, bytes), bytes};
}

std::vector<std::string_view> PtxDecoder::elements(std::string_view text, size_t n) {
    if (n == 1 && (text.empty() || text.front() != '{')) return {text};
    if (text.size() < 2 || text.front() != '{' || text.back() != '}') throw quoted(text) + " is not a vector in braces";
    std::vector<std::string_view> parts = split_operands(text.substr(1, text.size() - 2));
    if (parts.size() != n) throw quoted(text) + " has not " + std::to_string(n) + " elements";
    return parts;
}

void PtxDecoder::label(std::string_view name) {
    if (!labels_.emplace(name, static_cast<uint32_t>(kernel_.code.size())).second) {
        throw "the label " + quoted(name) + " stands twice";
    }
}

void PtxDecoder::instruction(std::string_view guard, std::string_view name, std::string_view text, uint32_t line) {
    PtxInstruction i;
    i.line = line;
    i.vector = static_cast<uint32_t>(kernel_.vectors.size());
    if (!guard.empty()) {
        i.negated = guard.front() == '!';
        i.guarded = true;
        i.guard = result(i.negated ? guard.substr(1) : guard, kPredicateBytes).at;
    }
    const std::vector<std::string_view> operands = split_operands(text);
    if (name.substr(0, 3) == "ld." || name.substr(0, 3) == "st.") {
        access(i, name, operands);
    } else if (name.substr(0, 10) == "shfl.sync.") {
        shuffle(i, name, operands);
    } else if (name == "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32") {
        product(i, 16, 32, operands);
    } else if (name == "mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32") {
        product(i, 8, 16, operands);
    } else if (!control(i, name, operands) && !conversion(i, name, operands) && !packing(i, name, operands)) {
        arithmetic(i, name, operands);
    }
    i.n_vector = static_cast<uint8_t>(kernel_.vectors.size() - i.vector);
    kernel_.code.push_back(i);
}

void PtxDecoder::arithmetic(PtxInstruction& i, std::string_view name, const std::vector<std::string_view>& operands) {
    const PtxOp* const op = find_ptx_op(name);
    if (op == nullptr) throw "the instruction " + quoted(name) + " is not known";
    const std::string_view shape = op->shape;
    if (operands.size() != shape.size()) {
        throw quoted(name) + " has " + std::to_string(shape.size()) + " operands, not " +
            std::to_string(operands.size());
    }
    i.run = op->run;
    i.operand[0] = result(operands[0], bytes_of_shape(shape[0])).at;
    for (size_t o = 1; o < shape.size(); ++o) {
        const PtxRegister at = source(operands[o], bytes_of_shape(shape[o])).at;
        if (o < 4) {
            i.operand[o] = at;
        } else {
            kernel_.vectors.push_back(at);
        }
    }
}

bool PtxDecoder::conversion(PtxInstruction& i, std::string_view name, const std::vector<std::string_view>& operands) {
    if (name.substr(0, 4) != "cvt.") return false;
    if (operands.size() != 2) throw quoted(name) + " has 2 operands";
    const Operand from = source(operands[1], 0);
    unsigned result_bytes = 0;
    i.run = find_ptx_conversion(name, from.bytes, &result_bytes);
    if (i.run == nullptr) {
        throw "the instruction " + quoted(name) + " is not known for a source of " + std::to_string(8 * from.bytes) +
            " bits";
    }
    i.operand[0] = result(operands[0], result_bytes).at;
    i.operand[1] = from.at;
    return true;
}

// "mov.b64 %rd1, {%r1, %r2}" and the other way round.
bool PtxDecoder::packing(PtxInstruction& i, std::string_view name, const std::vector<std::string_view>& operands) {
    if ((name != "mov.b32" && name != "mov.b64") || operands.size() != 2) return false;
    const bool packs = operands[1].substr(0, 1) == "{";
    const bool unpacks = operands[0].substr(0, 1) == "{";
    if (!packs && !unpacks) return false;
    if (packs && unpacks) throw std::string("one of the operands is a register");
    const unsigned whole_bytes = name == "mov.b32" ? 4 : 8;
    const std::string_view vector = operands[packs ? 1 : 0];
    const size_t n = split_operands(vector.substr(1)).size();
    const auto part_bytes = static_cast<unsigned>(whole_bytes / std::max<size_t>(n, 1));
    i.run = packs ? ptx_pack(part_bytes, static_cast<unsigned>(n)) : ptx_unpack(part_bytes, static_cast<unsigned>(n));
    if (i.run == nullptr) throw "vectors like " + quoted(vector) + " are not known here";
    for (const std::string_view part : elements(vector, n)) {
        kernel_.vectors.push_back(packs ? source(part, part_bytes).at : result(part, part_bytes).at);
    }
    if (packs) {
        i.operand[0] = result(operands[0], whole_bytes).at;
    } else {
        i.operand[1] = source(operands[1], whole_bytes).at;
        i.n_vector_results = static_cast<uint8_t>(n);
    }
    return true;
}

void PtxDecoder::address(PtxInstruction& i, std::string_view text) {
    if (text.size() < 2 || text.front() != '[' || text.back() != ']')
        throw quoted(text) + " is not an address in brackets";
    text = trimmed(text.substr(1, text.size() - 2));
    if (const size_t plus = text.find('+'); plus != std::string_view::npos) {
        if (!read_number(trimmed(text.substr(plus + 1)), &i.displacement)) throw quoted(text) + " adds no number";
        text = trimmed(text.substr(0, plus));
    }
    Operand base;
    const bool in_register = find_register(text, &base);
    if (!in_register) base = source(text, 8);
    if (base.bytes < 4 || (base.bytes == 4 && i.space != PtxSpace::shared)) {
        throw quoted(text) + " has " + std::to_string(8 * base.bytes) + " bits, too few for an address";
    }
    i.operand[1] = base.at;
    i.address_bytes = static_cast<uint8_t>(base.bytes);
}

void PtxDecoder::access(PtxInstruction& i, std::string_view name, const std::vector<std::string_view>& operands) {
    const std::vector<std::string_view> words = split(name, '.');
    const bool loads = words[0] == "ld";
    size_t next = 1;
    i.space = PtxSpace::generic;
    if (words[next] == "param" && loads)
        i.space = PtxSpace::parameters, ++next;
    else if (words[next] == "global")
        i.space = PtxSpace::global, ++next;
    else if (words[next] == "shared")
        i.space = PtxSpace::shared, ++next;
    if (loads && i.space == PtxSpace::global && next < words.size() && words[next] == "nc") ++next;
    i.n_elements = 1;
    if (next < words.size() && (words[next] == "v2" || words[next] == "v4")) {
        i.n_elements = words[next] == "v2" ? 2 : 4;
        ++next;
    }
    const std::string_view type = next + 1 == words.size() ? words[next] : "";
    const unsigned bytes = type == "u8" || type == "s8" || type == "b8" ? 1 : bytes_of_type(type);
    if (bytes == 0 || type == "pred" || bytes * i.n_elements > 16)
        throw "the instruction " + quoted(name) + " is not known";
    if (operands.size() != 2) throw quoted(name) + " has 2 operands";
    i.element_bytes = static_cast<uint8_t>(bytes);
    unsigned register_bytes = 0;
    for (const std::string_view part : elements(operands[loads ? 0 : 1], i.n_elements)) {
        Operand at;
        if (loads) {
            at = result(part, part == "_" ? std::max(bytes, 2u) : 0);
        } else {  // a constant of the type, or a register that may be wider
            at = find_register(part, &at) ? at : source(part, std::max(bytes, 2u));
        }
        if (register_bytes == 0) register_bytes = at.bytes;
        if (at.bytes != register_bytes) throw std::string("the registers of a vector have one width");
        kernel_.vectors.push_back(at.at);
    }
    i.n_vector_results = loads ? i.n_elements : 0;
    i.run = loads ? ptx_load(bytes, register_bytes, type.front() == 's') : ptx_store(bytes, register_bytes);
    if (i.run == nullptr) throw quoted(name) + " with registers of " + std::to_string(8 * register_bytes) + " bits";
    address(i, operands[loads ? 1 : 0]);
    if (i.space == PtxSpace::global || i.space == PtxSpace::generic) {
        kernel_.global_granule = std::min<uint32_t>(kernel_.global_granule, bytes);
    }
}

void PtxDecoder::shuffle(PtxInstruction& i, std::string_view name, const std::vector<std::string_view>& operands) {
    const std::vector<std::string_view> words = split(name, '.');
    if (words.size() == 4 && words[3] == "b32") i.run = ptx_shuffle(words[2]);
    if (i.run == nullptr) throw "the instruction " + quoted(name) + " is not known";
    if (operands.size() != 5) throw quoted(name) + " has 5 operands";
    i.kind = PtxKind::shuffle;
    const std::vector<std::string_view> to = split(operands[0], '|');
    i.operand[0] = result(trimmed(to[0]), 4).at;
    kernel_.vectors.push_back(to.size() > 1 ? result(trimmed(to[1]), kPredicateBytes).at : PtxRegister{});
    i.n_vector_results = 1;
    for (size_t o = 1; o < 4; ++o) i.operand[o] = source(operands[o], 4).at;
    kernel_.vectors.push_back(source(operands[4], 4).at);
}

void PtxDecoder::product(PtxInstruction& i, unsigned rows, unsigned depth,
                         const std::vector<std::string_view>& operands) {
    if (operands.size() != 4) throw std::string("a product has 4 operands");
    i.kind = PtxKind::product;
    i.run = ptx_product(rows, depth);
    const size_t sizes[] = {rows / 4, rows / 8 * (depth / 16), depth / 16, rows / 4};
    i.n_vector_results = static_cast<uint8_t>(sizes[0]);
    for (size_t o = 0; o < 4; ++o) {
        for (const std::string_view part : elements(operands[o], sizes[o])) {
            kernel_.vectors.push_back(o == 0 ? result(part, 4).at : source(part, 4).at);
        }
    }
}

// Branches, ends and barriers.
bool PtxDecoder::control(PtxInstruction& i, std::string_view name, const std::vector<std::string_view>& operands) {
    const auto require = [&](size_t n) {
        if (operands.size() != n) throw quoted(name) + " has " + std::to_string(n) + " operands";
    };
    if (name == "bra" || name == "bra.uni") {
        require(1);
        i.kind = PtxKind::branch;
        branches_.emplace_back(kernel_.code.size(), operands[0]);
    } else if (name == "ret" || name == "exit") {
        require(0);
        i.kind = PtxKind::end;
    } else if (name == "bar.sync") {
        require(1);
        int64_t number = 0;
        if (!read_number(operands[0], &number) || number < 0 || number > 15) throw std::string("barriers are 0 to 15");
        i.kind = PtxKind::block_barrier;
    } else if (name == "bar.warp.sync") {
        require(1);
        i.kind = PtxKind::warp_barrier;
        kernel_.vectors.push_back(source(operands[0], 4).at);
    } else {
        return false;
    }
    return true;
}

void PtxDecoder::finish() {
    for (const auto& [at, name] : branches_) {
        const auto found = labels_.find(name);
        if (found == labels_.end()) {
            failed_line_ = kernel_.code[at].line;
            throw "there is no label " + quoted(name);
        }
        kernel_.code[at].target = found->second;
    }
    if (kernel_.code.empty() || kernel_.code.back().kind != PtxKind::end) {
        PtxInstruction end;  // as a brace that closes a kernel is
        end.kind = PtxKind::end;
        end.line = kernel_.code.empty() ? 1 : kernel_.code.back().line;
        kernel_.code.push_back(end);
    }
    if (!dynamic_uses_.empty()) {
        kernel_.static_shared_bytes = static_cast<uint32_t>(aligned(kernel_.static_shared_bytes, dynamic_alignment_));
        for (const size_t use : dynamic_uses_) kernel_.constants[use].value = kernel_.static_shared_bytes;
    }
}

}  // namespace test
