#include "weir/sim/session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "collecting_observer.hpp"
#include "weir/sim/script.hpp"

namespace weir::sim {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::StartsWith;

const core::TimePoint t0 = core::TimePoint() + 1h;

/// A relay, one session with it, and what has been said and waited.
class Dialogue {
public:
    explicit Dialogue(const std::string& yaml = "{}")
        : settings_(load_text(yaml, "test.yaml")), model_(settings_.isp), now_(t0) {
        session_.emplace(Session::Shared{settings_, model_, observer}, core::parse_ip("192.0.2.1").value(), 1U);
    }

    /// All it says until it wants to read, has closed, or has said what it has to say before a wait.
    std::string hear() {
        std::string said;
        for (;;) {
            const Action action = session_->next(now_);
            if (const auto* write = std::get_if<Write>(&action)) {
                said += write->bytes;
            } else if (const auto* wait = std::get_if<Wait>(&action)) {
                waited = wait->time;
                now_ += wait->time;
                return said;
            } else {
                if (const auto* close = std::get_if<Close>(&action)) closed = *close;
                return said;
            }
        }
    }

    std::string say(std::string_view bytes) {
        session_->feed(bytes);
        return hear();
    }

    void time_out() { session_->timed_out(); }
    void hang_up() { session_.reset(); }

    CollectingObserver observer;
    std::optional<Close> closed;
    core::Duration waited{};

private:
    Settings settings_;
    IspModel model_;
    core::TimePoint now_;
    std::optional<Session> session_;
};

constexpr auto envelope = "MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\n";
constexpr auto envelope_taken = "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n";

/// Past greeting and EHLO.
void greet(Dialogue& dialogue) {
    EXPECT_EQ(dialogue.hear(), "220 relay.isp.example ESMTP weir-sim\r\n");
    EXPECT_THAT(dialogue.say("EHLO mail.example.org\r\n"), StartsWith("250-relay.isp.example\r\n250-PIPELINING\r\n"));
}

TEST(Session, TakesAMessageInAPipelinedGroup) {
    Dialogue dialogue;
    greet(dialogue);
    EXPECT_EQ(dialogue.say(envelope), envelope_taken);
    EXPECT_EQ(dialogue.say("Subject: hi\r\n\r\nHello\r\n.\r\nQUIT\r\n"),
              "250 2.0.0 Ok: queued as 1.1\r\n221 2.0.0 Bye\r\n");
    EXPECT_TRUE(dialogue.closed);
    ASSERT_EQ(dialogue.observer.transactions.size(), 1U);
    const Transaction& transaction = dialogue.observer.transactions.front();
    EXPECT_EQ(transaction.outcome, Outcome::accepted);
    EXPECT_EQ(transaction.sender, "a@a.example");
    EXPECT_EQ(transaction.helo, "mail.example.org");
    EXPECT_EQ(transaction.recipients.front().address, "b@b.example");
    EXPECT_EQ(transaction.body.subject, "hi");
    EXPECT_EQ(transaction.body.size, 22U);
    EXPECT_THAT(dialogue.observer.violations, IsEmpty());
}

TEST(Session, TakesTheSameByteByByte) {
    Dialogue dialogue;
    greet(dialogue);
    std::string said;
    for (const char byte : std::string(envelope)) said += dialogue.say({&byte, 1});
    EXPECT_EQ(said, envelope_taken);
    said.clear();
    for (const char byte : std::string("Hello\r\n.\r\n")) said += dialogue.say({&byte, 1});
    EXPECT_EQ(said, "250 2.0.0 Ok: queued as 1.1\r\n");
}

TEST(Session, AnswersEveryPipelinedCommandWhenMailIsRefused) {
    Dialogue dialogue(R"(faults: [{at: mail, reply: "451 4.3.0 not now"}])");
    greet(dialogue);
    EXPECT_EQ(dialogue.say(envelope),
              "451 4.3.0 not now\r\n503 5.5.1 Error: need MAIL command\r\n503 5.5.1 Error: need MAIL command\r\n");
    ASSERT_EQ(dialogue.observer.transactions.size(), 1U);
    EXPECT_EQ(dialogue.observer.transactions.front().outcome, Outcome::deferred);
    EXPECT_EQ(dialogue.observer.transactions.front().reply, "451 4.3.0 not now");
    EXPECT_FALSE(dialogue.closed);
}

TEST(Session, ClosesAfterA421) {
    Dialogue dialogue(R"(faults: [{at: rcpt, reply: "421 4.3.2 enough"}])");
    greet(dialogue);
    EXPECT_EQ(dialogue.say(envelope), "250 2.1.0 Ok\r\n421 4.3.2 enough\r\n");
    ASSERT_TRUE(dialogue.closed);
    EXPECT_FALSE(dialogue.closed->reset);
    EXPECT_EQ(dialogue.observer.transactions.size(), 1U);
}

TEST(Session, RefusedConnectionIsReportedAndClosed) {
    Dialogue dialogue("{max_connections: 1, faults: [{at: greeting, reply: \"554 5.7.1 go away\"}]}");
    EXPECT_EQ(dialogue.hear(), "554 5.7.1 go away\r\n");
    EXPECT_TRUE(dialogue.closed);
    ASSERT_EQ(dialogue.observer.refused_connections.size(), 1U);
    EXPECT_EQ(dialogue.observer.refused_connections.front().reply, "554 5.7.1 go away");
    EXPECT_EQ(dialogue.observer.refusals[Reason::fault], 1);
}

TEST(Session, DropsAfterTheDotWithoutAWord) {
    Dialogue dialogue("faults: [{at: dot, do: drop}]");
    greet(dialogue);
    static_cast<void>(dialogue.say(envelope));
    EXPECT_EQ(dialogue.say("Hello\r\n.\r\n"), "");
    EXPECT_TRUE(dialogue.closed);
    EXPECT_EQ(dialogue.observer.transactions.front().outcome, Outcome::dropped);
}

TEST(Session, ResetsAfterThe250) {
    Dialogue dialogue("faults: [{at: accepted, do: reset}]");
    greet(dialogue);
    static_cast<void>(dialogue.say(envelope));
    EXPECT_EQ(dialogue.say("Hello\r\n.\r\n"), "250 2.0.0 Ok: queued as 1.1\r\n");
    ASSERT_TRUE(dialogue.closed);
    EXPECT_TRUE(dialogue.closed->reset);
    EXPECT_EQ(dialogue.observer.transactions.front().outcome, Outcome::accepted);
}

TEST(Session, StallsWithoutLosingWhatWasPipelined) {
    Dialogue dialogue("faults: [{at: rcpt, stall: 30s}]");
    greet(dialogue);
    EXPECT_EQ(dialogue.say(envelope), "250 2.1.0 Ok\r\n");
    EXPECT_EQ(dialogue.waited, 30s);
    EXPECT_EQ(dialogue.hear(), "250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n");
}

TEST(Session, StopsReadingInTheMiddleOfABody) {
    Dialogue dialogue("faults: [{at: body, stall: 10s}]");
    greet(dialogue);
    static_cast<void>(dialogue.say(envelope));
    EXPECT_EQ(dialogue.say("Hello\r\n.\r\n"), "");
    EXPECT_EQ(dialogue.waited, 10s);
    EXPECT_EQ(dialogue.hear(), "250 2.0.0 Ok: queued as 1.1\r\n");
}

TEST(Session, SaysRawBytesAsTheyAre) {
    Dialogue dialogue(R"(faults: [{at: mail, raw: "250-one\n251 two\r\n"}])");
    greet(dialogue);
    EXPECT_EQ(dialogue.say("MAIL FROM:<a@a.example>\r\n"), "250-one\n251 two\r\n");
    EXPECT_EQ(dialogue.observer.transactions.front().outcome, Outcome::dropped);
}

TEST(Session, OffersWhatTheScriptSays) {
    Dialogue dialogue("{extensions: [size], max_size: 1k}");
    static_cast<void>(dialogue.hear());
    EXPECT_EQ(dialogue.say("EHLO a\r\n"), "250-relay.isp.example\r\n250 SIZE 1024\r\n");
    EXPECT_EQ(dialogue.say("MAIL FROM:<a@a.example> BODY=8BITMIME\r\n"), "555 Unsupported option: BODY\r\n");
    EXPECT_EQ(dialogue.say("MAIL FROM:<a@a.example> SIZE=1025\r\n"), "552 Message size exceeds fixed limit\r\n");
    EXPECT_EQ(dialogue.say("MAIL FROM:<a@a.example> SIZE=1024\r\n"), "250 Ok\r\n");
    EXPECT_EQ(dialogue.observer.violations[Violation::unoffered_parameter], 1);
}

TEST(Session, KnowsHeloOnly) {
    Dialogue dialogue("extensions: helo_only");
    static_cast<void>(dialogue.hear());
    EXPECT_EQ(dialogue.say("EHLO a\r\n"), "502 Error: command not implemented\r\n");
    EXPECT_EQ(dialogue.say("HELO a\r\n"), "250 relay.isp.example\r\n");
    EXPECT_EQ(dialogue.say("MAIL FROM:<>\r\n"), "250 Ok\r\n");
}

TEST(Session, RefusesABodyThatIsLongerThanItSaid) {
    Dialogue dialogue("max_size: 10");
    greet(dialogue);
    static_cast<void>(dialogue.say(envelope));
    EXPECT_EQ(dialogue.say("0123456789\r\n.\r\n"), "552 5.3.4 Message size exceeds fixed limit\r\n");
    EXPECT_EQ(dialogue.observer.transactions.front().outcome, Outcome::rejected);
}

TEST(Session, NoticesPipeliningThatWasNotOffered) {
    Dialogue dialogue("extensions: [size]");
    static_cast<void>(dialogue.hear());
    static_cast<void>(dialogue.say("EHLO a\r\n"));
    static_cast<void>(dialogue.say("MAIL FROM:<>\r\nRCPT TO:<b@b.example>\r\n"));
    EXPECT_EQ(dialogue.observer.violations[Violation::pipelining], 1);
}

TEST(Session, NoticesABodySentBeforeThe354) {
    Dialogue dialogue;
    greet(dialogue);
    static_cast<void>(dialogue.say(std::string(envelope) + "Hello\r\n.\r\n"));
    EXPECT_THAT(dialogue.observer.violations, ElementsAre(Pair(Violation::pipelining, 1)));
}

TEST(Session, NamesTheClientsMistakes) {
    Dialogue dialogue;
    static_cast<void>(dialogue.hear());
    EXPECT_EQ(dialogue.say("MAIL FROM:<a@a.example>\r\n"), "503 5.5.1 Error: send HELO/EHLO first\r\n");
    EXPECT_EQ(dialogue.say("EHLO\r\n"), "501 5.5.4 Syntax: EHLO hostname\r\n");
    EXPECT_EQ(dialogue.say("GET / HTTP/1.1\r\n"), "502 5.5.2 Error: command not recognized\r\n");
    EXPECT_EQ(dialogue.say("NOOP\n"), "500 5.5.2 Error: lines end with CR and LF\r\n");
    EXPECT_EQ(dialogue.say(std::string(5000, 'x')), "");
    EXPECT_EQ(dialogue.say("x\r\n"), "500 5.5.2 Error: line too long\r\n");
    EXPECT_EQ(dialogue.say("EHLO a\r\nMAIL FROM:<\xc3\xa9@a.example>\r\n").substr(0, 23), "250-relay.isp.example\r\n");
    EXPECT_EQ(dialogue.say("MAIL FROM:a@a.example>\r\n").substr(0, 3), "501");
    EXPECT_EQ(dialogue.say("MAIL FROM:<a@a.example>\r\nRCPT TO:<>\r\n"),
              "250 2.1.0 Ok\r\n501 5.1.3 Bad recipient address syntax\r\n");
    EXPECT_EQ(dialogue.say("DATA\r\n"), "554 5.5.1 Error: no valid recipients\r\n");
}

TEST(Session, ADropOfAnAcceptedMessageLosesItsReply) {
    Dialogue dialogue("faults: [{at: accepted, do: drop}]");
    greet(dialogue);
    static_cast<void>(dialogue.say(envelope));
    EXPECT_EQ(dialogue.say("Hello\r\n.\r\n"), "");
    EXPECT_TRUE(dialogue.closed);
    EXPECT_EQ(dialogue.observer.transactions.front().outcome, Outcome::accepted);
}

TEST(Session, ClientThatGoesAwayAbortsItsTransaction) {
    Dialogue dialogue("limits: [{messages: 1/h}]");
    greet(dialogue);
    static_cast<void>(dialogue.say(envelope));
    static_cast<void>(dialogue.say("Hello\r\n"));
    dialogue.hang_up();
    ASSERT_EQ(dialogue.observer.transactions.size(), 1U);
    EXPECT_EQ(dialogue.observer.transactions.front().outcome, Outcome::aborted);
    EXPECT_EQ(dialogue.observer.transactions.front().stage, Stage::data);
    EXPECT_EQ(dialogue.observer.connections, 0);
}

TEST(Session, ResetAfterOnlyRefusedRecipientsIsTheirOutcome) {
    Dialogue dialogue("unknown_users: {addresses: [b@b.example]}");
    greet(dialogue);
    EXPECT_EQ(dialogue.say(envelope),
              "250 2.1.0 Ok\r\n550 5.1.1 <b@b.example>: User unknown\r\n554 5.5.1 Error: no valid recipients\r\n");
    EXPECT_EQ(dialogue.say("RSET\r\n"), "250 2.0.0 Ok\r\n");
    EXPECT_EQ(dialogue.observer.transactions.front().outcome, Outcome::rejected);
}

TEST(Session, IdleClientIsToldAndClosed) {
    Dialogue dialogue;
    greet(dialogue);
    dialogue.time_out();
    EXPECT_THAT(dialogue.hear(), HasSubstr("421 4.4.2"));
    EXPECT_TRUE(dialogue.closed);
}

}  // namespace
}  // namespace weir::sim
