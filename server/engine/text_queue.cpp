#include "server/engine/text_queue.h"

#include <algorithm>
#include <tuple>

namespace serve {

bool TextQueue::has_room(const std::string& tenant) const {
    if (n_texts_ < most_texts_) return true;
    const auto found = tenants_.find(tenant);
    return (found == tenants_.end() || found->second.n_texts == 0) && n_texts_ < 2 * most_texts_;
}

TextQueue::Line& TextQueue::line_of(Tenant& tenant, Priority priority) {
    return tenant.lines[std::min(static_cast<size_t>(priority), tenant.lines.size() - 1)];
}

void TextQueue::push(TextHandle text) {
    Tenant& tenant = tenants_[text->spec.tenant];
    line_of(tenant, text->spec.priority).texts.push_back(std::move(text));
    tenant.n_texts++;
    n_texts_++;
}

TextQueue::Place TextQueue::next(SteadyTime now) {
    Place best;
    // Higher level first, then the tenant that got less, then who waits longer.
    std::tuple<int64_t, double, SteadyTime::duration> best_rank;
    for (auto& [name, tenant] : tenants_) {
        for (size_t priority = 0; priority < tenant.lines.size(); priority++) {
            Line& line = tenant.lines[priority];
            if (line.texts.empty()) continue;
            // The line ages, not each text of it: else a long line would in time be as urgent as a whole.
            const auto waits = now - std::max(line.texts.front()->submitted, line.served);
            const int64_t aged = ageing_.count() > 0 ? waits / ageing_ : 0;
            const int64_t level = std::min<int64_t>(static_cast<int64_t>(priority) + std::max<int64_t>(aged, 0), 3);
            const double start = std::max(tenant.finish, virtual_now_);
            const std::tuple rank(level, -start, SteadyTime::duration(waits));
            if (best.line && rank <= best_rank) continue;
            best = {&tenant, &line, start};
            best_rank = rank;
        }
    }
    return best;
}

TextHandle TextQueue::pop(SteadyTime now) {
    const Place place = next(now);
    if (!place.line) return nullptr;
    TextHandle text = std::move(place.line->texts.front());
    place.line->texts.pop_front();
    served_before_ = place.line->served;
    finish_before_ = place.tenant->finish;
    virtual_before_ = virtual_now_;
    place.line->served = now;
    place.tenant->n_texts--;
    place.tenant->finish = place.start + static_cast<double>(text->cost());
    n_texts_--;
    virtual_now_ = place.start;
    forget_idle_tenants();
    return text;
}

void TextQueue::put_back(TextHandle text) {
    Tenant& tenant = tenants_[text->spec.tenant];  // it may have been forgotten meanwhile
    Line& line = line_of(tenant, text->spec.priority);
    line.texts.push_front(std::move(text));
    line.served = served_before_;
    tenant.finish = finish_before_;
    tenant.n_texts++;
    n_texts_++;
    virtual_now_ = virtual_before_;
}

std::vector<TextHandle> TextQueue::take_if(const std::function<bool(const EngineText&)>& leaves) {
    std::vector<TextHandle> taken;
    for (auto& [name, tenant] : tenants_) {
        for (Line& line : tenant.lines) {
            for (TextHandle& text : line.texts)
                if (leaves(*text)) taken.push_back(std::move(text));
            std::erase(line.texts, nullptr);
        }
        tenant.n_texts = 0;
        for (const Line& line : tenant.lines) tenant.n_texts += line.texts.size();
    }
    n_texts_ -= taken.size();
    if (!taken.empty()) forget_idle_tenants();
    return taken;
}

// A tenant whose account is even is like one that was never here. When nobody waits, nobody is held up by anyone.
void TextQueue::forget_idle_tenants() {
    if (n_texts_ == 0) {
        tenants_.clear();
        virtual_now_ = 0;
        return;
    }
    std::erase_if(tenants_,
                  [&](const auto& entry) { return entry.second.n_texts == 0 && entry.second.finish <= virtual_now_; });
}

}  // namespace serve
