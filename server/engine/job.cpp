// A bounded queue would let a slow reader stop the engine; here what is unread is bounded by the text's own length.
#include "server/engine/job.h"

#include <utility>

namespace serve {

std::optional<Step> Job::wait(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, timeout, [&] { return !steps_.empty() || ended_; });
    if (!steps_.empty()) {
        Step step = std::move(steps_.front());
        steps_.pop_front();
        return step;
    }
    if (error_) throw *error_;
    if (!ended_) return std::nullopt;
    Step last;
    last.finish = finish_;
    return last;
}

void Job::cancel() { cancelled_.store(true, std::memory_order_relaxed); }

bool Job::is_cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

Usage Job::usage() const {
    const std::lock_guard lock(mutex_);
    return usage_;
}

void Job::set_on_end(std::function<void(const Usage&)> on_end) {
    std::unique_lock lock(mutex_);
    if (!ended_) {
        on_end_ = std::move(on_end);
        return;
    }
    const Usage usage = usage_;
    lock.unlock();
    on_end(usage);
}

// Whoever counts is told before the end can be seen, so that a client that asks for the counters next finds its text there.
void Job::end(const std::function<void()>& publish, const Usage& usage) {
    std::unique_lock lock(mutex_);
    while (on_end_) {
        const std::function<void(const Usage&)> on_end = std::exchange(on_end_, nullptr);
        lock.unlock();
        on_end(usage);
        lock.lock();
    }
    usage_ = usage;
    ended_ = true;
    publish();
    changed_.notify_all();
}

void Job::push(Step step, const Usage& usage) {
    {
        const std::lock_guard lock(mutex_);
        if (ended_) return;
        usage_ = usage;
        if (step.finish == BITNET_FINISH_NONE) {
            steps_.push_back(std::move(step));
            changed_.notify_all();
            return;
        }
    }
    end(
        [&] {
            finish_ = step.finish;
            steps_.push_back(std::move(step));
        },
        usage);
}

void Job::fail(ApiError error, const Usage& usage) {
    {
        const std::lock_guard lock(mutex_);
        if (ended_) return;
    }
    end([&] { error_ = std::move(error); }, usage);
}

void follow(Job& job, const std::function<bool()>& client_gone, const std::function<bool(const Step&)>& on_step,
            const std::function<bool()>& idle) {
    using namespace std::chrono_literals;
    try {
        auto last_sign = std::chrono::steady_clock::now();
        while (true) {
            const std::optional<Step> step = job.wait(50ms);
            if (step) {
                last_sign = std::chrono::steady_clock::now();
                const bool go_on = on_step(*step);
                if (step->finish != BITNET_FINISH_NONE) return;
                if (!go_on) break;
            } else if (std::chrono::steady_clock::now() - last_sign > 1s) {
                last_sign = std::chrono::steady_clock::now();
                if (!idle()) break;
            }
            if (client_gone()) break;
        }
    } catch (...) {
        job.cancel();
        throw;
    }
    job.cancel();
}

}  // namespace serve
