#include "weir/sim/model.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "weir/sim/script.hpp"

namespace weir::sim {
namespace {

using namespace std::chrono_literals;

const core::TimePoint t0 = core::TimePoint() + 1h;
const core::IpAddress host = core::parse_ip("192.0.2.1").value();
const core::IpAddress other_host = core::parse_ip("192.0.2.2").value();

IspSettings script(const std::string& text) {
    return load_text(text, "test.yaml").isp;
}

int code_of(const Answer& answer) {
    return answer.reply ? answer.reply->code : answer.is_yes() ? 250 : 0;
}

/// One session, and what it takes to send a message over it.
class Session {
public:
    explicit Session(IspModel& model, const core::IpAddress& from = host) : model_(model), visit(from) {}
    ~Session() { model_.leave(visit); }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    Answer connect(core::TimePoint now) { return model_.connect(visit, now); }

    /// The code of the first refusal, or 250.
    int send(core::TimePoint now, const std::string& sender = "a@a.example", int recipients = 1) {
        if (const Answer answer = model_.mail(visit, sender, now); !answer.is_yes()) return code_of(answer);
        for (int i = 0; i < recipients; ++i) {
            const Answer answer = model_.rcpt(visit, "r" + std::to_string(i) + "@b.example", now);
            if (!answer.is_yes()) return model_.abandon(visit), code_of(answer);
        }
        if (const Answer answer = model_.data(visit, now); !answer.is_yes()) return code_of(answer);
        return code_of(model_.end(visit, now));
    }

private:
    IspModel& model_;

public:
    Visit visit;
};

int send_alone(IspModel& model, core::TimePoint now, const std::string& sender = "a@a.example",
               const core::IpAddress& from = host) {
    Session session(model, from);
    const Answer greeting = session.connect(now);
    return greeting.is_yes() ? session.send(now, sender) : code_of(greeting);
}

TEST(IspModel, WithNoRulesTakesEverything) {
    IspModel model(script("{}"));
    for (int i = 0; i < 1000; ++i) EXPECT_EQ(send_alone(model, t0), 250);
}

TEST(IspModel, SlidingWindowBoundsEveryWindow) {
    IspModel model(script("limits: [{messages: 3/min}]"));
    EXPECT_EQ(send_alone(model, t0), 250);
    EXPECT_EQ(send_alone(model, t0 + 30s), 250);
    EXPECT_EQ(send_alone(model, t0 + 40s), 250);
    EXPECT_EQ(send_alone(model, t0 + 59s), 451);
    EXPECT_EQ(send_alone(model, t0 + 60s), 250);
    EXPECT_EQ(send_alone(model, t0 + 89s), 451);
}

TEST(IspModel, FixedWindowsForgetAtTheirEnd) {
    IspModel model(script("limits: [{messages: 2/min, window: fixed}]"));
    EXPECT_EQ(send_alone(model, t0), 250);
    EXPECT_EQ(send_alone(model, t0 + 59s), 250);
    EXPECT_EQ(send_alone(model, t0 + 59s), 451);
    EXPECT_EQ(send_alone(model, t0 + 60s), 250);
}

TEST(IspModel, BucketGivesTheBurstAndThenTheRate) {
    IspModel model(script("limits: [{messages: 60/min burst 2, window: bucket}]"));
    EXPECT_EQ(send_alone(model, t0), 250);
    EXPECT_EQ(send_alone(model, t0), 250);
    EXPECT_EQ(send_alone(model, t0), 451);
    EXPECT_EQ(send_alone(model, t0 + 1s), 250);
    EXPECT_EQ(send_alone(model, t0 + 1s), 451);
    EXPECT_EQ(send_alone(model, t0 + 60s), 250);
    EXPECT_EQ(send_alone(model, t0 + 60s), 250);
    EXPECT_EQ(send_alone(model, t0 + 60s), 451);
}

TEST(IspModel, ParallelMessagesCannotOverdrawALimit) {
    IspModel model(script("limits: [{messages: 1/min}]"));
    Session first(model);
    Session second(model);
    ASSERT_TRUE(first.connect(t0).is_yes());
    ASSERT_TRUE(second.connect(t0).is_yes());
    EXPECT_TRUE(model.mail(first.visit, "a@a.example", t0).is_yes());
    EXPECT_EQ(code_of(model.mail(second.visit, "a@a.example", t0)), 451);
    static_cast<void>(model.rset(first.visit, t0));
    EXPECT_EQ(second.send(t0), 250) << "a message that came to nothing gives its place back";
}

TEST(IspModel, RecipientsAreCountedOneByOneAtRcpt) {
    IspModel model(script("limits: [{recipients: 5/min}]"));
    Session session(model);
    ASSERT_TRUE(session.connect(t0).is_yes());
    EXPECT_EQ(session.send(t0, "a@a.example", 4), 250);
    EXPECT_EQ(session.send(t0, "a@a.example", 2), 451);
    EXPECT_EQ(session.send(t0, "a@a.example", 1), 250);
}

TEST(IspModel, RecipientsCheckedAtTheDotAreCountedTogether) {
    IspModel model(script("limits: [{recipients: 5/s, style: ses}]"));
    Session session(model);
    ASSERT_TRUE(session.connect(t0).is_yes());
    EXPECT_EQ(session.send(t0, "a@a.example", 4), 250);
    EXPECT_EQ(session.send(t0, "a@a.example", 2), 454);
    EXPECT_EQ(session.send(t0, "a@a.example", 1), 250);
}

TEST(IspModel, LimitPerSenderLeavesOtherSendersAlone) {
    IspModel model(script("limits: [{messages: 1/min, per: sender}]"));
    EXPECT_EQ(send_alone(model, t0, "a@a.example"), 250);
    EXPECT_EQ(send_alone(model, t0, "A@a.example"), 451);
    EXPECT_EQ(send_alone(model, t0, "b@a.example"), 250);
}

TEST(IspModel, OneLimitRefusingChargesNoneOfThem) {
    IspModel model(script("limits: [{messages: 2/h}, {messages: 1/min, per: sender}]"));
    EXPECT_EQ(send_alone(model, t0, "a@a.example"), 250);
    EXPECT_EQ(send_alone(model, t0, "a@a.example"), 451);
    EXPECT_EQ(send_alone(model, t0, "b@a.example"), 250);
}

TEST(IspModel, LimitAtTheGreetingClosesTheDoor) {
    IspModel model(script("limits: [{messages: 1/min, style: comcast}]"));
    EXPECT_EQ(send_alone(model, t0), 250);
    Session session(model);
    const Answer answer = session.connect(t0);
    EXPECT_EQ(answer.reply->summary().substr(0, 27), "421 4.1.0 192.0.2.1 Throttl");
    EXPECT_EQ(answer.then, Answer::Then::close);
}

TEST(IspModel, NamesTheWaitWhereTheReplyAsksForIt) {
    IspModel model(script("limits: [{messages: 1/min, reply: \"451 4.7.1 try again in {wait} seconds\"}]"));
    EXPECT_EQ(send_alone(model, t0), 250);
    Session session(model);
    ASSERT_TRUE(session.connect(t0 + 18s).is_yes());
    EXPECT_EQ(model.mail(session.visit, "a@a.example", t0 + 18s).reply->lines.front(), "4.7.1 try again in 42 seconds");
}

TEST(IspModel, CountsConnectionsPerHost) {
    IspModel model(script("max_connections: 1"));
    Session first(model);
    EXPECT_TRUE(first.connect(t0).is_yes());
    {
        Session second(model);
        EXPECT_EQ(code_of(second.connect(t0)), 421);
    }
    Session third(model, other_host);
    EXPECT_TRUE(third.connect(t0).is_yes());
}

TEST(IspModel, ConnectionHasItsShareOfMessages) {
    IspModel model(script("{style: ses, max_messages_per_connection: 2}"));
    Session session(model);
    ASSERT_TRUE(session.connect(t0).is_yes());
    EXPECT_EQ(session.send(t0), 250);
    EXPECT_EQ(session.send(t0), 250);
    const Answer third = model.mail(session.visit, "a@a.example", t0);
    EXPECT_EQ(third.reply->summary(), "421 Maximum message count per session reached");
    EXPECT_EQ(third.then, Answer::Then::close);
}

TEST(IspModel, EnvelopeIsCutAtItsLength) {
    IspModel model(script("recipients_per_message: 2"));
    Session session(model);
    ASSERT_TRUE(session.connect(t0).is_yes());
    EXPECT_EQ(session.send(t0, "a@a.example", 3), 452);
    EXPECT_EQ(session.send(t0, "a@a.example", 2), 250);
}

constexpr auto story = R"(
reputation:
  messages: 3
  sender_domains: 2
  within: 60s
  block: {time: 30s, max: 120s, lengthen_by: 10s}
)";

TEST(IspModel, OneMessageTooManyStartsABlock) {
    IspModel model(script(story));
    Session open(model);
    ASSERT_TRUE(open.connect(t0).is_yes());
    for (int i = 0; i < 3; ++i) EXPECT_EQ(open.send(t0), 250);
    EXPECT_EQ(model.blocks(t0).now, 0U);
    EXPECT_EQ(open.send(t0), 451) << "on the open session, at MAIL";
    EXPECT_EQ(model.blocks(t0).now, 1U);
    EXPECT_EQ(send_alone(model, t0 + 1s), 421) << "at the greeting";
    EXPECT_EQ(send_alone(model, t0 + 1s, "a@a.example", other_host), 250) << "another host is not blocked";
}

TEST(IspModel, TooManySenderDomainsStartABlock) {
    IspModel model(script(story));
    EXPECT_EQ(send_alone(model, t0, "a@one.example"), 250);
    EXPECT_EQ(send_alone(model, t0 + 1s, "a@two.example"), 250);
    EXPECT_EQ(send_alone(model, t0 + 2s, "a@three.example"), 451);
}

TEST(IspModel, DomainsSeenLongAgoDoNotCount) {
    IspModel model(script(story));
    EXPECT_EQ(send_alone(model, t0, "a@one.example"), 250);
    EXPECT_EQ(send_alone(model, t0 + 1s, "a@two.example"), 250);
    EXPECT_EQ(send_alone(model, t0 + 60s, "a@three.example"), 250);
}

TEST(IspModel, BlockEndsByItselfWhenLeftAlone) {
    IspModel model(script(story));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(send_alone(model, t0), 250);
    EXPECT_EQ(send_alone(model, t0), 451);
    EXPECT_EQ(send_alone(model, t0 + 30s), 250);
    EXPECT_EQ(model.blocks(t0 + 40s).total, 30s);
    EXPECT_EQ(model.blocks(t0 + 40s).started, 1U);
}

TEST(IspModel, HammeringLengthensTheBlockUpToItsMaximum) {
    IspModel model(script(story));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(send_alone(model, t0), 250);
    EXPECT_EQ(send_alone(model, t0), 451);
    EXPECT_EQ(send_alone(model, t0 + 29s), 421);
    EXPECT_EQ(send_alone(model, t0 + 39s), 421) << "30 s had become 40 s";
    EXPECT_EQ(send_alone(model, t0 + 50s), 250) << "and then 50 s";

    IspModel hammered(script(story));
    for (int i = 0; i < 4; ++i) static_cast<void>(send_alone(hammered, t0));
    for (int i = 0; i < 1000; ++i) EXPECT_EQ(send_alone(hammered, t0 + 1s), 421);
    EXPECT_EQ(send_alone(hammered, t0 + 119s), 421);
    EXPECT_EQ(send_alone(hammered, t0 + 120s), 250);
}

TEST(IspModel, DoublingStopsAtTheMaximum) {
    IspModel model(script("reputation: {messages: 1, within: 1min, block: {time: 10s, max: 1h, lengthen_factor: 2}}"));
    EXPECT_EQ(send_alone(model, t0), 250);
    EXPECT_EQ(send_alone(model, t0), 451);
    EXPECT_EQ(send_alone(model, t0 + 9s), 421);
    EXPECT_EQ(send_alone(model, t0 + 20s), 250);
    EXPECT_EQ(send_alone(model, t0 + 20s), 451);
    for (int i = 0; i < 5000; ++i) EXPECT_EQ(send_alone(model, t0 + 21s), 421);
    EXPECT_EQ(send_alone(model, t0 + 20s + 1h), 250);
}

TEST(IspModel, ShareOfUnknownUsersStartsABlock) {
    IspModel model(script(R"(
unknown_users: {pattern: "^ghost"}
reputation: {unknown_users: 50%, min_recipients: 4, within: 1min, block: {time: 30s}}
)"));
    Session session(model);
    ASSERT_TRUE(session.connect(t0).is_yes());
    ASSERT_TRUE(model.mail(session.visit, "a@a.example", t0).is_yes());
    for (const char* ghost : {"ghost1@b.example", "ghost2@b.example", "ghost3@b.example"}) {
        EXPECT_EQ(code_of(model.rcpt(session.visit, ghost, t0)), 550);
    }
    EXPECT_EQ(model.blocks(t0).now, 0U) << "three recipients are too few to judge by";
    EXPECT_TRUE(model.rcpt(session.visit, "real@b.example", t0).is_yes());
    EXPECT_EQ(model.blocks(t0).now, 1U);
    static_cast<void>(model.rset(session.visit, t0));
    EXPECT_EQ(session.send(t0), 451);
}

TEST(IspModel, DoorThatStaysOpenLetsMailIn) {
    IspModel model(script("reputation: {messages: 1, within: 1min, block: {time: 30s, greeting: open}}"));
    EXPECT_EQ(send_alone(model, t0), 250);
    EXPECT_EQ(send_alone(model, t0), 451);
    Session session(model);
    EXPECT_TRUE(session.connect(t0).is_yes());
    EXPECT_EQ(session.send(t0), 451);
}

TEST(IspModel, GreylistingPassesTheTripleThatComesBackLater) {
    IspModel model(script("greylisting: {delay: 5m, lifetime: 1h}"));
    EXPECT_EQ(send_alone(model, t0), 451);
    EXPECT_EQ(send_alone(model, t0 + 299s), 451);
    EXPECT_EQ(send_alone(model, t0 + 300s), 250);
    EXPECT_EQ(send_alone(model, t0 + 310s), 250) << "it is known now";
    EXPECT_EQ(send_alone(model, t0 + 310s, "b@a.example"), 451) << "another triple is not";
    EXPECT_EQ(send_alone(model, t0 + 310s + 1h), 451) << "forgotten after its lifetime";
}

TEST(IspModel, UnknownUsersStayUnknown) {
    IspModel model(script(R"(unknown_users: {addresses: ["Gone@b.example"], fraction: 10%})"));
    Session session(model);
    ASSERT_TRUE(session.connect(t0).is_yes());
    ASSERT_TRUE(model.mail(session.visit, "a@a.example", t0).is_yes());
    EXPECT_EQ(code_of(model.rcpt(session.visit, "gone@B.example", t0)), 550);
    int unknown = 0;
    for (int i = 0; i < 10000; ++i) {
        const std::string address = "user" + std::to_string(i) + "@b.example";
        const int code = code_of(model.rcpt(session.visit, address, t0));
        EXPECT_EQ(code, code_of(model.rcpt(session.visit, address, t0))) << address;
        unknown += code == 550 ? 1 : 0;
    }
    EXPECT_NEAR(unknown, 1000, 120);
}

TEST(IspModel, FaultsComeEveryNthTimeOrTheFirstTimes) {
    IspModel model(script(R"(
faults:
  - {at: mail, reply: "451 4.3.0 every third", every: 3}
  - {at: data, reply: "451 4.3.0 first two", first: 2}
)"));
    Session session(model);
    ASSERT_TRUE(session.connect(t0).is_yes());
    std::vector<std::string> replies;
    for (int i = 0; i < 6; ++i) {
        const Answer mail = model.mail(session.visit, "a@a.example", t0);
        if (!mail.is_yes()) {
            replies.push_back(mail.reply->lines.front());
            continue;
        }
        const Answer data = model.data(session.visit, t0);
        replies.push_back(data.is_yes() ? "yes" : data.reply->lines.front());
    }
    EXPECT_EQ(replies, (std::vector<std::string>{"4.3.0 first two", "4.3.0 first two", "4.3.0 every third", "yes",
                                                 "yes", "4.3.0 every third"}));
}

std::string pattern_of_faults(std::uint64_t seed) {
    IspSettings settings = script("faults: [{at: mail, do: drop, probability: 20%}]");
    settings.seed = seed;
    IspModel model(settings);
    Session session(model);
    static_cast<void>(session.connect(t0));
    std::string pattern;
    for (int i = 0; i < 200; ++i) pattern += model.mail(session.visit, "a@a.example", t0).is_yes() ? '.' : 'X';
    return pattern;
}

TEST(IspModel, FaultsAreTheSameForTheSameSeed) {
    EXPECT_EQ(pattern_of_faults(1), pattern_of_faults(1));
    EXPECT_NE(pattern_of_faults(1), pattern_of_faults(2));
    const std::string pattern = pattern_of_faults(1);
    EXPECT_NEAR(static_cast<double>(std::count(pattern.begin(), pattern.end(), 'X')), 40.0, 16.0);
}

TEST(IspModel, FaultsSayWhatBecomesOfTheConnection) {
    IspModel model(script(R"(
faults:
  - {at: greeting, stall: 30s}
  - {at: mail, do: reset}
  - {at: rcpt, raw: "250-broken\r\n251 codes\r\n"}
  - {at: dot, do: drop}
  - {at: quit, reply: "421 4.3.2 going away"}
)"));
    Session session(model);
    const Answer greeting = session.connect(t0);
    EXPECT_TRUE(greeting.is_yes());
    EXPECT_EQ(greeting.delay, 30s);
    EXPECT_EQ(model.mail(session.visit, "a@a.example", t0).then, Answer::Then::reset);
    EXPECT_EQ(model.rcpt(session.visit, "b@b.example", t0).raw, "250-broken\r\n251 codes\r\n");
    const Answer end = model.end(session.visit, t0);
    EXPECT_EQ(end.then, Answer::Then::close);
    EXPECT_FALSE(end.reply);
    EXPECT_EQ(end.reason, Reason::fault);
    EXPECT_EQ(model.quit(session.visit, t0).then, Answer::Then::close);
}

TEST(IspModel, MessageThatTheDotRefusedIsNotCounted) {
    IspModel model(script(R"({limits: [{messages: 1/h}], faults: [{at: dot, reply: "451 4.3.0 no", first: 1}]})"));
    EXPECT_EQ(send_alone(model, t0), 451);
    EXPECT_EQ(send_alone(model, t0), 250);
    EXPECT_EQ(send_alone(model, t0), 451);
}

TEST(IspModel, LatencyIsPerStage) {
    IspModel model(script("latency: {greeting: 10ms, dot: 200ms}"));
    Session session(model);
    EXPECT_EQ(session.connect(t0).delay, 10ms);
    EXPECT_EQ(model.mail(session.visit, "a@a.example", t0).delay, 0ms);
    EXPECT_EQ(model.end(session.visit, t0).delay, 200ms);
}

}  // namespace
}  // namespace weir::sim
