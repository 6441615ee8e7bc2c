// A game at 60 frames a second whose characters tell stories: bitnet_game_loop [-m MODEL.gguf] [options]
// The model works on the game's own thread, in at most 2 ms of each frame. At the end a table says what that cost.
//
//     while (running) {                     examples/game-loop/README.md explains the numbers
//         the game's own work, 4 to 8 ms
//         writer.advance(clock, budget)     never more than what the frame has left
//         wait for the display
//     }
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "bitnet.h"
#include "examples/stories/default_model.h"
#include "frame_writer.h"
#include "game_clock.h"

namespace {

struct Options {
    const char* model = nullptr;  // NULL: the one built in
    uint64_t frames = 600;
    uint64_t fps = 60;
    uint64_t budget_us = 2000;
    uint64_t work_us = 6000;    // of the game itself, on average
    uint64_t reserve_us = 500;  // of a frame, that the model never touches
    uint64_t piece_us = 0;      // 0: real time
    uint64_t seed = 1;
    bool quiet = false;
};

constexpr char kUsage[] =
    "usage: bitnet_game_loop [-m MODEL.gguf] [--frames N] [--fps N] [--budget-us N] [--work-us N] [--reserve-us N]\n"
    "                        [--seed N] [--virtual PIECE_US] [--quiet]\n"
    "  --budget-us    for the model in each frame; 0: the game without it\n"
    "  --virtual N    no clock and no waiting: a piece of the model's work counts as N microseconds\n"
    "  --quiet        the table alone, without the stories\n";

bool parse(int argc, char** argv, Options& options) {
    const struct {
        const char* name;
        uint64_t* value;
        uint64_t least, most;
    } numbers[] = {{"--frames", &options.frames, 1, 10'000'000},
                   {"--fps", &options.fps, 1, 1000},
                   {"--budget-us", &options.budget_us, 0, 1'000'000},
                   {"--work-us", &options.work_us, 0, 1'000'000},
                   {"--reserve-us", &options.reserve_us, 0, 1'000'000},
                   {"--virtual", &options.piece_us, 1, 1'000'000},
                   {"--seed", &options.seed, 0, UINT64_MAX}};
    for (int i = 1; i < argc; i++) {
        if (std::strcmp(argv[i], "--quiet") == 0) {
            options.quiet = true;
            continue;
        }
        if (i + 1 == argc) return false;
        const char* value = argv[i + 1];
        if (std::strcmp(argv[i], "-m") == 0) {
            options.model = value;
        } else {
            const auto* number = std::find_if(std::begin(numbers), std::end(numbers),
                                              [&](const auto& one) { return std::strcmp(argv[i], one.name) == 0; });
            char* end = nullptr;
            if (number == std::end(numbers) || *value < '0' || *value > '9') return false;
            *number->value = std::strtoull(value, &end, 10);
            if (*end != '\0' || *number->value < number->least || *number->value > number->most) return false;
        }
        i++;
    }
    return true;
}

// The game's own work: a swarm that flies for so many microseconds. It changes from frame to frame by a third.
class Swarm {
public:
    void fly(GameClock& clock, uint64_t frame, uint64_t mean_us) {
        const uint64_t us = mean_us * (4 + frame * 7 % 5) / 6;
        if (clock.is_virtual()) return clock.pass(us);
        for (const uint64_t until = clock.now_us() + us; clock.now_us() < until;) {
            for (Bird& bird : birds_) {
                bird.angle += 0.01f * std::sin(bird.x - bird.y);
                bird.x += 0.1f * std::cos(bird.angle);
                bird.y += 0.1f * std::sin(bird.angle);
            }
        }
    }

private:
    struct Bird {
        float x = 0, y = 0, angle = 0;
    };
    std::vector<Bird> birds_ = std::vector<Bird>(100);
};

struct Measured {
    std::vector<uint64_t> frame_us, model_us;  // from the frame's beginning to its end, and the model's part
    uint64_t missed = 0, tokens = 0, stories = 0;
};

Measured play(bitnet_model* model, const Options& options) {
    const char* const prompts[] = {"Once upon a time", "The little dragon", "One day, a girl named Lily"};
    bitnet_sampler_params sampler = bitnet_sampler_default_params();
    sampler.has_seed = 1;
    sampler.seed = options.seed;
    FrameWriter writer(model, sampler);
    Swarm swarm;
    Measured measured;
    measured.frame_us.reserve(options.frames);
    measured.model_us.reserve(options.frames);

    GameClock clock(options.piece_us);
    const auto shown_at = [&](uint64_t tick) { return tick * 1'000'000 / options.fps; };
    uint64_t tick = 0;  // the display's; a missed frame is shown one later, or more
    for (uint64_t frame = 0; frame < options.frames; frame++) {
        const uint64_t began = clock.now_us();
        const uint64_t deadline = shown_at(tick + 1);
        swarm.fly(clock, frame, options.work_us);

        const uint64_t model_began = clock.now_us();
        const uint64_t taken = model_began + options.reserve_us;
        const uint64_t budget = std::min(options.budget_us, deadline > taken ? deadline - taken : 0);
        if (budget > 0) {
            if (writer.ended()) {
                const char* prompt = prompts[measured.stories++ % std::size(prompts)];
                writer.begin(prompt);
                if (!options.quiet) std::printf("%s%s", measured.stories > 1 ? "\n\n" : "", prompt);
            }
            const std::string text = writer.advance(clock, budget);
            if (!options.quiet) std::fwrite(text.data(), 1, text.size(), stdout);
        }
        const uint64_t now = clock.now_us();
        measured.model_us.push_back(now - model_began);
        measured.frame_us.push_back(now - began);
        measured.missed += now > deadline;
        for (tick++; shown_at(tick) < now; tick++) {
        }
        clock.sleep_until(shown_at(tick));
    }
    measured.tokens = writer.n_tokens();
    if (!options.quiet) std::printf("\n\n");
    return measured;
}

// The smallest value that a share of all is not above.
double percentile_ms(std::vector<uint64_t> values, double share) {
    const size_t rank = static_cast<size_t>(std::ceil(share * static_cast<double>(values.size())));
    const auto at = values.begin() + static_cast<std::ptrdiff_t>(std::max<size_t>(rank, 1) - 1);
    std::nth_element(values.begin(), at, values.end());
    return static_cast<double>(*at) / 1000;
}

void print_table(const Measured& measured) {
    std::printf("frames            %8zu\n", measured.frame_us.size());
    std::printf("missed            %8llu\n", static_cast<unsigned long long>(measured.missed));
    std::printf("worst frame       %11.2f ms\n", percentile_ms(measured.frame_us, 1));
    std::printf("model, half of it %11.2f ms\n", percentile_ms(measured.model_us, 0.5));
    std::printf("model, 99 %%       %11.2f ms\n", percentile_ms(measured.model_us, 0.99));
    std::printf("model, worst      %11.2f ms\n", percentile_ms(measured.model_us, 1));
    std::printf("tokens written    %8llu\n", static_cast<unsigned long long>(measured.tokens));
    std::printf("stories begun     %8llu\n", static_cast<unsigned long long>(measured.stories));
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    if (!parse(argc, argv, options)) {
        std::fputs(kUsage, stderr);
        return 2;
    }
    size_t size = 0;
    const void* bytes = default_model_bytes(&size);
    if (options.model == nullptr && bytes == nullptr) {
        std::fputs("no model is built in: give one with -m\n", stderr);
        return 2;
    }
    bitnet_model* model = nullptr;
    const bitnet_status status = options.model != nullptr ? bitnet_model_load(options.model, nullptr, &model)
                                                          : bitnet_model_load_from_memory(bytes, size, nullptr, &model);
    if (status != BITNET_OK) {
        std::fprintf(stderr, "loading: %s\n", bitnet_last_error());
        return 1;
    }
    int exit_code = 0;
    try {
        print_table(play(model, options));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        exit_code = 1;
    }
    bitnet_model_free(model);
    return exit_code;
}
