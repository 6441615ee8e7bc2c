// The thread of story_worker.h: one bitnet_generation at a time, step by step.
#include "story_worker.h"

#include <stdexcept>
#include <utility>

StoryWorker::StoryWorker(bitnet_model* model, std::function<void()> wake) : wake_(std::move(wake)) {
    if (bitnet_context_create(model, nullptr, &context_) != BITNET_OK) throw std::runtime_error(bitnet_last_error());
    thread_ = std::thread([this] { run(); });
}

StoryWorker::~StoryWorker() {
    {
        const std::lock_guard lock(mutex_);
        quit_ = true;
        n_stopped_ = n_started_;
    }
    changed_.notify_one();
    bitnet_context_cancel(context_);  // the one call for any thread
    thread_.join();
    bitnet_context_free(context_);
}

void StoryWorker::start(const std::string& prompt) {
    {
        const std::lock_guard lock(mutex_);
        prompt_ = prompt;
        has_prompt_ = true;
        n_stopped_ = n_started_++;  // what is being told now
        news_ = {};
        news_.running = true;
    }
    changed_.notify_one();
}

// No bitnet_context_cancel here: it would end the next story where this one has just ended by itself. A token is short.
void StoryWorker::stop() {
    const std::lock_guard lock(mutex_);
    n_stopped_ = n_started_;
}

StoryWorker::News StoryWorker::take() {
    const std::lock_guard lock(mutex_);
    News news = news_;
    news_.text.clear();
    return news;
}

void StoryWorker::run() {
    for (;;) {
        std::string prompt;
        uint64_t story = 0;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return has_prompt_ || quit_; });
            if (quit_) return;
            prompt = std::move(prompt_);
            has_prompt_ = false;
            story = n_started_;
        }
        tell(prompt, story);
    }
}

void StoryWorker::tell(const std::string& prompt, uint64_t story) {
    bitnet_generation_params params = bitnet_generation_default_params();
    params.max_new_tokens = -1;  // until the model ends the story or the context is full
    bitnet_generation* generation = nullptr;
    bitnet_status status = bitnet_generation_create(context_, 0, prompt.data(), prompt.size(), &params, &generation);
    tell_news(prompt.data(), prompt.size(), "", true);
    bitnet_generation_step step = {};
    step.struct_size = sizeof step;
    while (status == BITNET_OK && step.finish_reason == BITNET_FINISH_NONE && n_stopped_ < story) {
        status = bitnet_generation_next(generation, &step);
        if (status == BITNET_OK) tell_news(step.text, step.n_bytes, "", true);
    }
    std::string end = "The end.";
    if (status != BITNET_OK) {
        end = bitnet_last_error();
    } else if (step.finish_reason == BITNET_FINISH_NONE || step.finish_reason == BITNET_FINISH_CANCELLED) {
        end = "Stopped.";
    } else if (step.finish_reason != BITNET_FINISH_END) {
        end = "The story is as long as the model can see.";
    }
    bitnet_generation_free(generation);
    tell_news("", 0, end, false);
}

void StoryWorker::tell_news(const char* text, size_t n_bytes, const std::string& status, bool running) {
    {
        const std::lock_guard lock(mutex_);
        if (has_prompt_) return;  // another story was asked for; this one is over
        news_.text.append(text, n_bytes);
        news_.status = status;
        news_.running = running;
    }
    wake_();
}
