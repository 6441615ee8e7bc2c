#include "src/load/vec_check.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "src/base/log.h"

namespace bitnet {
namespace {

constexpr int64_t kCells = 37;  // of attention: whole registers and a rest
constexpr int64_t kQueries = 3;
constexpr int64_t kTokens[] = {1, 7};  // few queries, and so many that they share a buffer of cells
constexpr int64_t kMostTokens = 7;

// Numbers in -4..4 with the bits of splitmix64: the same in every run.
std::vector<float> numbers(int64_t n, uint64_t state) {
    std::vector<float> values(static_cast<size_t>(n));
    for (float& value : values) {
        uint64_t z = (state += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        value = static_cast<float>(static_cast<int64_t>(z >> 40) - (int64_t{1} << 23)) / float{1 << 21};
    }
    return values;
}

// Everything that the functions of a set give, one after the other.
class Outputs {
public:
    explicit Outputs(const kern::VecKernels& vec) : vec_(vec) {}

    void rows(int64_t n, const NormWeight& norm, float eps) {
        const std::vector<float> a = numbers(n, 1), b = numbers(n, 2);
        std::vector<float> out(a.size());
        add(vec_.abs_max(a.data(), n));
        std::vector<int8_t> codes(a.size());
        int32_t sum = 0;
        add(vec_.quantize_i8(a.data(), n, codes.data(), &sum));
        add_bytes(codes.data(), codes.size());
        add_bytes(&sum, sizeof sum);
        const bool has_norm = norm.size() == a.size();
        vec_.rms_norm(a.data(), has_norm ? norm.data() : b.data(), eps, n, out.data());
        add(out);
        vec_.rms_norm(a.data(), nullptr, eps, n, out.data());
        add(out);
        out = a;
        vec_.softmax(out.data(), n);
        add(out);
        vec_.relu2_mul(a.data(), b.data(), out.data(), n);
        add(out);
        vec_.silu_mul(a.data(), b.data(), out.data(), n);
        add(out);
        vec_.gelu_mul(a.data(), b.data(), out.data(), n);
        add(out);
        vec_.add(a.data(), b.data(), out.data(), n);
        add(out);
        vec_.scale(a.data(), 0.3f, out.data(), n);
        add(out);
        add(vec_.dot(a.data(), b.data(), n));
        std::vector<uint16_t> halves(a.size());
        vec_.f32_to_f16(a.data(), halves.data(), n);
        add_bytes(halves.data(), halves.size() * sizeof(uint16_t));
        vec_.f16_to_f32(halves.data(), out.data(), n);
        add(out);
    }

    void heads(int64_t head_dim, int64_t n_rot) {
        const std::vector<float> angles = numbers(n_rot, 3);
        std::vector<float> head = numbers(head_dim, 4);
        vec_.rope_halves(head.data(), angles.data(), n_rot);
        vec_.rope_pairs(head.data(), angles.data(), n_rot);
        add(head);
        constexpr int64_t kDepth = 9, kWidth = 32;
        const std::vector<float> w = numbers(4 * kDepth, 7), x = numbers(kDepth * kWidth, 8);
        std::vector<float> products(4 * kWidth);
        vec_.product4(w.data(), x.data(), kWidth, kDepth, kWidth, products.data(), kWidth);
        add(products);
    }

    // Cells as a cache of this type keeps them, and attention over them. A context chooses the type later.
    void attention(int64_t head_dim, kern::KvType type) {
        const std::vector<float> q = numbers(kMostTokens * kQueries * head_dim, 5);
        const std::vector<float> kv = numbers(2 * kCells * head_dim, 6);
        const int64_t cell_bytes = kern::kv_head_bytes(type, head_dim);
        std::vector<uint16_t> rows(static_cast<size_t>((2 * kCells * cell_bytes + 1) / 2));  // aligned for F16
        auto* bytes = reinterpret_cast<uint8_t*>(rows.data());
        for (int64_t i = 0; i < 2 * kCells; ++i) {
            vec_.f32_to_kv(type, kv.data() + i * head_dim, head_dim, bytes + i * cell_bytes);
        }
        add_bytes(bytes, static_cast<size_t>(2 * kCells * cell_bytes));
        std::vector<int32_t> cells;
        for (int32_t i = 0; i < kCells; ++i) cells.push_back(i * 2 % static_cast<int32_t>(kCells));
        constexpr int64_t kScores = (kCells + 15) / 16 * 16;
        std::vector<float> scores(static_cast<size_t>(kMostTokens * kQueries * kScores)), out(q.size());
        kern::AttendArgs args{};
        args.q = q.data();
        args.q_stride = args.out_stride = args.head_dim = head_dim;
        args.q_token_stride = args.out_token_stride = kQueries * head_dim;
        args.n_q = kQueries;
        args.k = bytes;
        args.v = bytes + kCells * cell_bytes;
        args.k_stride = args.v_stride = cell_bytes;
        args.k_type = args.v_type = type;
        args.cells = cells.data();
        args.scale = 0.25f;
        args.scores = scores.data();
        args.scores_stride = kScores;
        args.out = out.data();
        for (const int64_t n_tokens : kTokens) {
            args.n_tokens = n_tokens;
            args.n_cells = kCells - n_tokens + 1;
            vec_.attend(args);
            add(out);
        }
    }

    const std::vector<uint8_t>& bytes() const noexcept { return bytes_; }

private:
    void add_bytes(const void* p, size_t n) {
        const uint8_t* begin = static_cast<const uint8_t*>(p);
        bytes_.insert(bytes_.end(), begin, begin + n);
    }
    void add(float value) { add_bytes(&value, sizeof value); }
    void add(const std::vector<float>& values) { add_bytes(values.data(), values.size() * sizeof(float)); }

    const kern::VecKernels& vec_;
    std::vector<uint8_t> bytes_;
};

std::vector<uint8_t> outputs(const kern::VecKernels& vec, const Model& model) {
    const Hparams& h = model.hparams;
    Outputs out(vec);
    out.rows(h.n_embd, model.weights.output_norm, h.rms_norm_eps);
    out.rows(h.n_ff + 1, {}, h.rms_norm_eps);  // no whole registers
    out.heads(h.head_dim, h.n_rot);
    out.attention(h.head_dim, kern::KvType::f16);
    if (kern::can_quantize_head(h.head_dim)) {
        out.attention(h.head_dim, kern::KvType::q8_0);
        out.attention(h.head_dim, kern::KvType::q4_0);
    }
    return out.bytes();
}

}  // namespace

void check_vec_kernels(Model& model) {
    const size_t n = kern::vec_kernels_count();
    const kern::VecKernels& scalar = kern::vec_kernels_at(n - 1);
    size_t next = 0;
    for (size_t i = 0; i < n; ++i) {
        if (&kern::vec_kernels_at(i) == model.kernels.vec) next = i + 1;  // whatever comes before was not wanted
    }
    if (model.kernels.vec == &scalar) return;
    const std::vector<uint8_t> right = outputs(scalar, model);
    while (model.kernels.vec != &scalar && outputs(*model.kernels.vec, model) != right) {
        const kern::VecKernels* wrong = model.kernels.vec;
        while (!kern::runs_here(kern::vec_kernels_at(next).needs)) ++next;  // the scalar ones need nothing
        model.kernels.vec = &kern::vec_kernels_at(next++);
        ++model.n_kernel_fallbacks;
        model.kernel_problem = std::string("kernels ") + wrong->name + " give other results than " + scalar.name +
                               "; " + model.kernels.vec->name + " take their place; please report it";
        log_message(BITNET_LOG_WARNING, model.kernel_problem);
    }
}

}  // namespace bitnet
