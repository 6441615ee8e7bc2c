// Who is next: priorities, ageing, and fairness between tenants, on a clock of the test's own.
#include "server/engine/text_queue.h"

#include <string>

#include <doctest/doctest.h>

using namespace serve;
using namespace std::chrono_literals;

namespace {

const SteadyTime kStart{1h};

TextHandle make(const std::string& name, Priority priority, const std::string& tenant, SteadyTime when = kStart,
                int32_t cost = 10) {
    auto text = std::make_unique<EngineText>();
    text->job = std::make_shared<Job>();
    text->spec.request_id = name;
    text->spec.priority = priority;
    text->spec.tenant = tenant;
    text->submitted = when;
    text->max_new = cost;
    return text;
}

// The names in the order in which they leave.
std::string order(TextQueue& queue, SteadyTime now = kStart) {
    std::string names;
    while (const TextHandle text = queue.pop(now)) names += text->spec.request_id + " ";
    return names;
}

}  // namespace

TEST_CASE("the more urgent text is next, and within a priority the one that came first") {
    TextQueue queue(100, 5s);
    queue.push(make("low", Priority::kLow, ""));
    queue.push(make("normal1", Priority::kNormal, ""));
    queue.push(make("critical", Priority::kCritical, ""));
    queue.push(make("normal2", Priority::kNormal, ""));
    queue.push(make("high", Priority::kHigh, ""));
    CHECK(order(queue) == "critical high normal1 normal2 low ");
    CHECK(queue.pop(kStart) == nullptr);
}

TEST_CASE("one tenant's hundred texts do not hold up another one's") {
    TextQueue queue(1000, 1h);
    for (int i = 0; i < 100; i++) queue.push(make("a", Priority::kNormal, "alice"));
    for (int i = 0; i < 3; i++) CHECK(queue.pop(kStart)->spec.request_id == "a");
    queue.push(make("b1", Priority::kNormal, "bob"));
    queue.push(make("b2", Priority::kNormal, "bob"));
    std::string names;
    for (int i = 0; i < 4; i++) names += queue.pop(kStart)->spec.request_id + " ";
    CHECK(names == "b1 a b2 a ");
}

TEST_CASE("a tenant that asks for long texts gets fewer of them") {
    TextQueue queue(1000, 1h);
    for (int i = 0; i < 10; i++) queue.push(make("long", Priority::kNormal, "alice", kStart, 100));
    for (int i = 0; i < 40; i++) queue.push(make("short", Priority::kNormal, "bob", kStart, 20));
    int n_long = 0;
    for (int i = 0; i < 24; i++) n_long += queue.pop(kStart)->spec.request_id == "long" ? 1 : 0;
    CHECK(n_long == 4);
}

TEST_CASE("a line that waits ages: nothing starves behind more urgent texts") {
    TextQueue queue(1000, 5s);
    queue.push(make("low", Priority::kLow, "alice"));
    SteadyTime now = kStart;
    int n_before = 0;
    // One critical text a second, one place a second.
    for (;; n_before++) {
        REQUIRE(n_before < 100);
        queue.push(make("critical", Priority::kCritical, "bob", now));
        if (queue.pop(now)->spec.request_id == "low") break;
        now += 1s;
    }
    CHECK(n_before >= 14);
    CHECK(n_before <= 16);
}

TEST_CASE("a long line does not age as a whole: another tenant's fresh text still comes early") {
    TextQueue queue(1000, 5s);
    for (int i = 0; i < 100; i++) queue.push(make("a", Priority::kNormal, "alice"));
    SteadyTime now = kStart;
    for (int i = 0; i < 60; i++, now += 1s) queue.pop(now);  // a minute: every text that is left is a minute old
    queue.push(make("b", Priority::kNormal, "bob", now));
    CHECK(queue.pop(now)->spec.request_id == "b");
}

TEST_CASE("a full queue still has a place for a tenant of whom nothing waits") {
    TextQueue queue(3, 5s);
    for (int i = 0; i < 3; i++) {
        CHECK(queue.has_room("alice"));
        queue.push(make("a", Priority::kNormal, "alice"));
    }
    CHECK(!queue.has_room("alice"));
    for (const char* tenant : {"bob", "carol", "dave"}) {
        CHECK(queue.has_room(tenant));
        queue.push(make("x", Priority::kNormal, tenant));
        CHECK(!queue.has_room(tenant));
    }
    CHECK(!queue.has_room("eve"));  // twice the bound is the bound
}

TEST_CASE("a text that was put back is the next one again, and paid nothing") {
    TextQueue queue(100, 5s);
    queue.push(make("a1", Priority::kNormal, "alice", kStart, 1000));
    queue.push(make("b1", Priority::kNormal, "bob"));
    for (int i = 0; i < 5; i++) {
        TextHandle text = queue.pop(kStart);
        CHECK(text->spec.request_id == "a1");
        queue.put_back(std::move(text));
    }
    CHECK(queue.size() == 2);
    CHECK(order(queue) == "a1 b1 ");
    TextHandle last = make("c", Priority::kNormal, "carol");
    queue.push(std::move(last));
    queue.put_back(queue.pop(kStart));  // alone in the queue: it forgets everybody and remembers
    CHECK(order(queue) == "c ");
}

TEST_CASE("texts leave the queue from its middle, and it counts") {
    TextQueue queue(100, 5s);
    for (const char* name : {"a", "b", "c", "d"})
        queue.push(make(name, Priority::kNormal, name < std::string("c") ? "x" : "y"));
    const auto taken = queue.take_if(
        [](const EngineText& text) { return text.spec.request_id == "b" || text.spec.request_id == "c"; });
    CHECK(taken.size() == 2);
    CHECK(queue.size() == 2);
    CHECK(order(queue) == "a d ");
}
