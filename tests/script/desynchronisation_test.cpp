// Ten thousand dialogues of valid, broken and abandoned commands in any order, cut anyhow, answered anyhow. Each answer
// names its question; WatchedSession, which reads along by rules of its own, sees that every reply belongs to its
// command.

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>
#include <variant>

#include "support/watched_session.hpp"

namespace weir::test {
namespace {

using smtp::Slot;
using namespace std::string_literals;

const std::array phrases = {
    "EHLO a.example\r\n"s,
    "HELO a.example\r\n"s,
    "EHLO\r\n"s,
    "XFORWARD ADDR=192.0.2.7 IDENT=4jYR\r\n"s,
    "XFORWARD ADDR=nonsense\r\n"s,
    "MAIL FROM:<> BODY=8BITMIME\r\n"s,
    "MAIL FROM:<a@a.example> SIZE=99999999999999999999\r\n"s,
    "MAIL FROM:<a@a.example>\nRCPT TO:<b@b.example>\r\n"s,
    "RCPT TO:<>\r\n"s,
    "RCPT TO:<b@b.example> NOTIFY=\r\n"s,
    "DATA now\r\n"s,
    "RSET\r\n"s,
    "NOOP\r\n"s,
    "VRFY a\r\n"s,
    "HELP\r\n"s,
    "EXPN a\r\n"s,
    "\r\n"s,
    "WHAT\r\n"s,
    "STARTTLS\r\n"s,
    ".\r\n"s,
};

const std::array bodies = {
    "Subject: x\r\n\r\nhello\r\n.\r\n"s,
    ".\r\n"s,
    "..\r\n...\r\n.\r\n"s,
    "RSET\r\nMAIL FROM:<x@evil>\r\n.\r\n"s,
    "bare\nLF\r\n.\r\n"s,
    "x\r.\r\r\n.\r\n"s,
    "a\0b\r\n.\r\n"s,
    "x\r\n.\n\r\n.\r\n"s,
};

class Dialogue {
public:
    explicit Dialogue(std::uint32_t seed)
        : random_(seed), session_({.hostname = "weir.example", .offer = smtp::unknown_relay_extensions()}) {}

    void run() {
        for (auto n = 3 + pick(25); n > 0; --n) text_ += phrase();
        if (pick(3) == 0) text_ += "QUIT\r\n";
        while (!closed_) {
            const smtp::Action action = session_.next();
            std::visit([this](const auto& what) { on(what); }, action);
        }
    }

    [[nodiscard]] std::size_t answered() const { return session_.transcript().answered(); }
    [[nodiscard]] std::size_t messages() const { return messages_; }
    [[nodiscard]] std::size_t refused_bodies() const { return refused_bodies_; }
    [[nodiscard]] std::size_t recipients() const { return recipients_; }

private:
    std::size_t pick(std::size_t below) { return random_() % below; }

    /// Half of it is mail that could go, or nearly.
    std::string phrase() {
        const std::string n = std::to_string(++count_);
        switch (pick(9)) {
            case 0:
                return "MAIL FROM:<" + n + "@a.example>\r\n";
            case 1:
            case 2:
                return "RCPT TO:<" + n + "@b.example>\r\n";
            case 3:
            case 4:
                return message(n);
            case 5:
                return "DATA\r\n" + (pick(2) == 0 ? bodies.at(pick(bodies.size())) : ""s);
            default:
                return phrases.at(pick(phrases.size()));
        }
    }

    std::string message(const std::string& n) {
        std::string text = "MAIL FROM:<" + n + "@a.example>\r\n";
        for (auto i = 1 + pick(4); i > 0; --i) text += "RCPT TO:<" + n + '.' + std::to_string(i) + "@b.example>\r\n";
        return text + "DATA\r\n" + bodies.at(pick(bodies.size()));
    }

    void on(const smtp::Read& /*read*/) {
        if (text_.empty()) return session_.fail(core::Errc::closed_by_peer);
        // Postfix waits behind DATA and behind the dot; most others do not get that far.
        auto size = std::min(text_.find("DATA\r\n"), text_.size() - 6) + 6;
        if (text_.size() < 6) size = text_.size();
        if (pick(4) == 0) size = 1 + pick(text_.size());
        fed_ = text_.substr(0, size);
        session_.feed(fed_);
        text_.erase(0, size);
    }

    void on(const smtp::Write& /*write*/) {}
    void on(const smtp::AskMail& ask) { maybe_answer(ask.slot); }

    void on(const smtp::AskRcpt& ask) {
        ++recipients_;
        maybe_answer(ask.slot);
    }

    void on(const smtp::Settle& /*settle*/) {
        while (!session_.open_slots().empty()) {
            if (pick(4) == 0) (void)session_.unsent();
            answer(session_.open_slots().at(pick(session_.open_slots().size())), 250);
        }
    }

    void on(const smtp::AskData& ask) { answer(ask.slot, 354); }
    void on(const smtp::Body& /*body*/) {}
    void on(const smtp::BodyRefused& /*refused*/) { ++refused_bodies_; }

    void on(const smtp::EndOfBody& end) {
        ++messages_;
        answer(end.slot, 250);
    }

    void on(const smtp::Abandon& /*abandon*/) {}
    void on(const smtp::StartTls& /*start_tls*/) { session_.tls_done(); }
    void on(const smtp::Close& /*close*/) { closed_ = true; }

    void maybe_answer(Slot slot) {
        if (pick(2) == 0) answer(slot, 250);
    }

    /// The wanted code, or one time in five another.
    void answer(Slot slot, int wanted) {
        constexpr std::array others{421, 450, 451, 452, 550, 554, 354, 250, 220, 999};
        session_.answer(slot, Transcript::tagged(pick(5) == 0 ? others.at(pick(others.size())) : wanted, slot));
    }

    std::mt19937 random_;
    WatchedSession session_;
    std::string text_;
    std::string fed_;  ///< must outlive the body in it
    int count_ = 0;
    std::size_t messages_ = 0;
    std::size_t refused_bodies_ = 0;
    std::size_t recipients_ = 0;
    bool closed_ = false;
};

TEST(Desynchronisation, DoesNotHappenInTenThousandRandomDialogues) {
    std::size_t answered = 0;
    std::size_t messages = 0;
    std::size_t refused_bodies = 0;
    std::size_t recipients = 0;
    for (std::uint32_t seed = 0; seed < 10'000; ++seed) {
        Dialogue dialogue(seed);
        ASSERT_NO_THROW(dialogue.run()) << "seed " << seed;
        answered += dialogue.answered();
        messages += dialogue.messages();
        refused_bodies += dialogue.refused_bodies();
        recipients += dialogue.recipients();
    }
    EXPECT_GT(answered, 100'000U) << "the dialogues must get somewhere";
    EXPECT_GT(messages, 5'000U);
    EXPECT_GT(refused_bodies, 3'000U);
    EXPECT_GT(recipients, 20'000U);
}

}  // namespace
}  // namespace weir::test
