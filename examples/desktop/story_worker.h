// Writes texts on a thread of its own, so that a window never waits for the model. Knows no toolkit.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "bitnet.h"

class StoryWorker {
public:
    // What came since the last call of take.
    struct News {
        std::string text;    // whole UTF-8 characters
        std::string status;  // "" or what to show below the text: how the story ended, or an error
        bool running = false;
    };

    // wake is called on the worker's thread whenever there are news; it must return at once.
    // Throws std::runtime_error with the library's sentence.
    StoryWorker(bitnet_model* model, std::function<void()> wake);
    // Stops what runs and waits for it: within one layer's work.
    ~StoryWorker();
    StoryWorker(const StoryWorker&) = delete;
    StoryWorker& operator=(const StoryWorker&) = delete;

    // These return at once; call them on the window's thread. start ends the story that is being told.
    void start(const std::string& prompt);
    void stop();
    News take();

private:
    void run();
    void tell(const std::string& prompt, uint64_t story);
    void tell_news(const char* text, size_t n_bytes, const std::string& status, bool running);

    bitnet_context* context_ = nullptr;
    std::function<void()> wake_;
    std::mutex mutex_;
    std::condition_variable changed_;
    // Guarded by mutex_.
    News news_;
    std::string prompt_;
    bool has_prompt_ = false;
    bool quit_ = false;

    uint64_t n_started_ = 0;  // stories; the last one's number

    std::atomic<uint64_t> n_stopped_{0};  // stories up to this number are to end
    std::thread thread_;
};
