// A window that tells stories: bitnet_desktop [-m MODEL.gguf] [--transcript FILE]
// FLTK draws, a StoryWorker writes. The window's thread only ever takes what is there, so it answers at once whatever
// the model does.
#include <FL/Fl.H>
#include <FL/Fl_Box.H>
#include <FL/Fl_Button.H>
#include <FL/Fl_Double_Window.H>
#include <FL/Fl_Input.H>
#include <FL/Fl_Text_Buffer.H>
#include <FL/Fl_Text_Display.H>

#include <cstdio>
#include <cstring>
#include <exception>
#include <string>

#include "bitnet.h"
#include "examples/stories/default_model.h"
#include "story_worker.h"

namespace {

class StoryWindow {
public:
    StoryWindow(bitnet_model* model, std::FILE* transcript)
        : transcript_(transcript), worker_(model, [this] { Fl::awake(show_news, this); }) {
        story_.buffer(&text_);
        story_.wrap_mode(Fl_Text_Display::WRAP_AT_BOUNDS, 0);
        story_.textsize(15);
        beginning_.value("Once upon a time");
        beginning_.when(FL_WHEN_ENTER_KEY_ALWAYS);
        beginning_.callback(on_tell, this);
        tell_.callback(on_tell, this);
        stop_.callback(on_stop, this);
        stop_.deactivate();
        status_.align(FL_ALIGN_LEFT | FL_ALIGN_INSIDE | FL_ALIGN_CLIP);
        window_.end();
        window_.resizable(&story_);
        window_.size_range(360, 240);
        beginning_.take_focus();
    }
    void show(char* program) {
        char* arguments[] = {program, nullptr};
        window_.show(1, arguments);
    }

private:
    static void on_tell(Fl_Widget*, void* self) { static_cast<StoryWindow*>(self)->tell(); }
    static void on_stop(Fl_Widget*, void* self) { static_cast<StoryWindow*>(self)->worker_.stop(); }
    static void show_news(void* self) { static_cast<StoryWindow*>(self)->show_news(); }

    void tell() {
        text_.text("");
        finished_ = false;
        status_.copy_label("");
        stop_.activate();
        worker_.start(beginning_.value());
    }
    void show_news() {
        const StoryWorker::News news = worker_.take();
        text_.append(news.text.c_str());
        story_.insert_position(text_.length());
        story_.show_insert_position();
        if (transcript_ != nullptr) std::fwrite(news.text.data(), 1, news.text.size(), transcript_);
        if (news.running || finished_) return;
        finished_ = true;
        stop_.deactivate();
        status_.copy_label(news.status.c_str());
        if (transcript_ != nullptr) {
            std::fprintf(transcript_, "\n[%s]\n", news.status.c_str());
            std::fflush(transcript_);
        }
    }

    std::FILE* transcript_;
    Fl_Double_Window window_{640, 420, "bitnet stories"};
    Fl_Text_Buffer text_;
    Fl_Text_Display story_{10, 10, 620, 320};
    Fl_Input beginning_{10, 340, 440, 30};
    Fl_Button tell_{460, 340, 80, 30, "Tell"};
    Fl_Button stop_{550, 340, 80, 30, "Stop"};
    Fl_Box status_{10, 380, 620, 30};
    bool finished_ = true;
    StoryWorker worker_;  // the last member: its thread ends before what it wakes is gone
};

int usage() {
    std::fputs("usage: bitnet_desktop [-m MODEL.gguf] [--transcript FILE]\n", stderr);
    return 2;
}

int run(bitnet_model* model, std::FILE* transcript, char* program) {
    try {
        StoryWindow window(model, transcript);
        window.show(program);
        return Fl::run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}

}  // namespace

int main(int argc, char** argv) {
    const char* path = nullptr;
    const char* transcript_path = nullptr;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc) return usage();
        if (std::strcmp(argv[i], "-m") == 0) {
            path = argv[i + 1];
        } else if (std::strcmp(argv[i], "--transcript") == 0) {
            transcript_path = argv[i + 1];
        } else {
            return usage();
        }
    }
    size_t size = 0;
    const void* bytes = default_model_bytes(&size);
    if (path == nullptr && bytes == nullptr) return usage();
    bitnet_model* model = nullptr;
    const bitnet_status status = path != nullptr ? bitnet_model_load(path, nullptr, &model)
                                                 : bitnet_model_load_from_memory(bytes, size, nullptr, &model);
    if (status != BITNET_OK) {
        std::fprintf(stderr, "loading: %s\n", bitnet_last_error());
        return 1;
    }
    std::FILE* transcript = nullptr;
    if (transcript_path != nullptr && (transcript = std::fopen(transcript_path, "wb")) == nullptr) {
        std::perror(transcript_path);
        bitnet_model_free(model);
        return 1;
    }
    Fl::lock();  // lets other threads call Fl::awake
    const int exit_code = run(model, transcript, argv[0]);
    if (transcript != nullptr) std::fclose(transcript);
    bitnet_model_free(model);
    return exit_code;
}
