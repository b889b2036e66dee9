// The two stories that the built-in limits are made for, in virtual time: the neighbour of design.md, who must be
// stopped, and the small office, which must not notice that there is a limit.

#include <algorithm>
#include <array>
#include <random>

#include "unit/policy/engine_fixture.hpp"

namespace weir::policy {
namespace {

using namespace std::chrono_literals;
using core::Duration;
using core::TimePoint;

struct Message {
    TimePoint due;
    TimePoint born;
    Origin origin;
    std::string sender;
    unsigned recipients = 1;
};

// postfix.md 3.5: a message that is held comes back at these ages, and then every 4000 s.
TimePoint next_try(const Message& message) {
    constexpr std::array<Duration, 5> ages{0s, 300s, 600s, 1200s, 2400s};
    const Duration age = message.due - message.born;
    const auto later = std::upper_bound(ages.begin(), ages.end(), age);
    return later != ages.end() ? message.born + *later : message.due + 4000s;
}

class Story : public EngineTest {
protected:
    Engine engine{with(default_limits()), 1, 2};

    /// One attempt, as Postfix makes it: recipients that are refused are left for the next.
    bool attempt(Message& message) {
        Ticket ticket;
        if (mail(engine, ticket, message.origin, message.sender, message.due).hold) return false;
        unsigned admitted = 0;
        for (unsigned i = 0; i < message.recipients; ++i) {
            admitted += engine.admit_recipient(ticket, "r@there.example", message.due).hold ? 0U : 1U;
        }
        if (admitted == 0) {
            engine.refund(ticket, message.due);
            return false;
        }
        engine.commit(ticket, message.due);
        message.recipients -= admitted;
        return true;
    }

    /// Runs the queue until `end`; returns when each message, or part of one, reached the relay.
    std::vector<TimePoint> run(std::vector<Message> queue, TimePoint end) {
        const auto later = [](const Message& a, const Message& b) { return a.due > b.due; };
        std::make_heap(queue.begin(), queue.end(), later);
        std::vector<TimePoint> passed;
        while (!queue.empty() && queue.front().due < end) {
            std::pop_heap(queue.begin(), queue.end(), later);
            Message message = std::move(queue.back());
            queue.pop_back();
            if (attempt(message)) passed.push_back(message.due);
            if (message.recipients == 0) continue;
            message.due = next_try(message);
            queue.push_back(std::move(message));
            std::push_heap(queue.begin(), queue.end(), later);
        }
        return passed;
    }

    static std::vector<Message> flood(unsigned seed) {
        std::mt19937 random(seed);
        std::vector<Message> queue;
        for (int i = 0; i < 2'000; ++i) {
            const TimePoint born = t0 + i * 10ms;
            queue.push_back({.due = born,
                             .born = born,
                             .origin = client("198.51.100.7", "Q" + std::to_string(i)),
                             .sender = "x@made-up-" + std::to_string(random() % 400) + ".example",
                             .recipients = static_cast<unsigned>(7 + random() % 11)});
        }
        return queue;
    }
};

TEST_F(Story, TheNeighboursFloodStopsAfterAHandfulOfMessages) {
    const auto passed = run(flood(1), t0 + 1h);
    const auto early = std::count_if(passed.begin(), passed.end(), [](TimePoint at) { return at < t0 + 5min; });
    RecordProperty("passed_in_5_minutes", static_cast<int>(early));
    RecordProperty("passed_in_1_hour", static_cast<int>(passed.size()));
    EXPECT_LE(early, 20);
    EXPECT_LE(passed.size(), 30U);
}

TEST_F(Story, TheFloodStopsThoughItComesFromManyAddressesOfOneNetwork) {
    int passed = 0;
    for (int i = 0; i < 2'000; ++i) {
        const std::string domain = "x@made-up-" + std::to_string(i % 400) + ".example";
        const Origin origin = client("2001:db8:1:2::" + std::to_string(i % 1'000));
        passed += send(engine, origin, domain, t0 + i * 10ms) ? 1 : 0;
    }
    EXPECT_LE(passed, 20);
}

TEST_F(Story, TheFloodHoldsBackNobodyElse) {
    (void)run(flood(2), t0 + 1min);
    for (int i = 0; i < 20; ++i) {
        EXPECT_TRUE(send(engine, client("198.51.100.8"), "me@office.example", t0 + 1min)) << i;
    }
    EXPECT_TRUE(send(engine, {}, "postmaster@isp.example", t0 + 1min));
}

// Three computers, three domains, 40 messages an hour each with up to three recipients; and once a newsletter to
// 120, which Postfix splits into 50, 50 and 20.
TEST_F(Story, TheSmallOfficeNeverNotices) {
    std::mt19937 random(3);
    const std::array domains{"office.example", "shop.example", "personal.example"};
    std::vector<Message> queue;
    for (int i = 0; i < 3 * 8 * 40; ++i) {
        const TimePoint born = t0 + Duration(8h) / (3 * 8 * 40) * i + Duration(random() % 30'000'000'000ULL);
        const std::string address = "192.0.2." + std::to_string(10 + i % 3);
        queue.push_back({.due = born,
                         .born = born,
                         .origin = client(address, "Q" + std::to_string(i)),
                         .sender = std::string("user@") + domains[random() % domains.size()],
                         .recipients = static_cast<unsigned>(1 + random() % 3)});
    }
    for (const unsigned part : {50U, 50U, 20U}) {
        const Origin origin = client("192.0.2.10", "NEWSLETTER");
        queue.push_back(
            {.due = t0 + 4h, .born = t0 + 4h, .origin = origin, .sender = "news@shop.example", .recipients = part});
    }
    const std::size_t messages = queue.size();
    EXPECT_EQ(run(std::move(queue), t0 + 9h).size(), messages) << "each at its first attempt, and whole";
    for (const auto& status : engine.status(t0 + 9h)) EXPECT_EQ(status.held, 0U) << status.name;
}

}  // namespace
}  // namespace weir::policy
