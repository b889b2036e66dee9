// A whole session with Postfix, in which the input chooses what the client sends, how it is cut, what the driver
// answers and when, and what breaks. What must hold is in support/watched_session.hpp.

#include <algorithm>
#include <array>
#include <string>
#include <variant>

#include "fuzz/fuzz.hpp"
#include "support/watched_session.hpp"

namespace weir::fuzz {
namespace {

using core::Errc;
using smtp::Reply;
using smtp::Slot;
using std::string_view;

smtp::ServerOptions options(Choices& choices) {
    const std::uint8_t choice = choices.next();
    smtp::ServerOptions options;
    options.hostname = "weir.example";
    options.offer = smtp::unknown_relay_extensions();
    if (choice & 1U) options.offer.max_size = 1000;
    if (choice & 2U) options.max_recipients = 2;
    if (choice & 4U) options.max_errors = 2;
    if (choice & 8U) options.starttls = true;
    return options;
}

/// Carries out what the session says, as proxy::SessionDriver does, but for the answers.
class Driver {
public:
    Driver(string_view text, Choices choices) : text_(text), choices_(choices), session_(options(choices_)) {}

    void run() {
        while (!closed_) {
            const smtp::Action action = session_.next();
            // Fed bytes need to stay only until something other than Body comes.
            if (!std::holds_alternative<smtp::Body>(action)) std::fill(buffer_.begin(), buffer_.end(), '\0');
            std::visit([this](const auto& what) { on(what); }, action);
        }
        session_.feed("NOOP\r\n");
        promise(std::holds_alternative<smtp::Close>(session_.next()), "nothing follows Close");
    }

private:
    void on(const smtp::Read& /*read*/) {
        const std::uint8_t choice = choices_.next();
        if (text_.empty() || choice == 255)
            return session_.fail(choice % 2 == 0 ? Errc::closed_by_peer : Errc::timed_out);
        if (choice == 254) session_.drain();
        const std::size_t size = choice == 0 ? text_.size() : choice < 128 ? choice : 64 * (choice - 127U);
        buffer_.assign(text_.substr(0, size));
        text_.remove_prefix(std::min(size, text_.size()));
        session_.feed(buffer_);
    }

    void on(const smtp::Write& /*write*/) {
        if (choices_.next() == 255) session_.fail(Errc::closed_by_peer);
    }

    void on(const smtp::AskMail& ask) { answer_or_wait(ask.slot); }
    void on(const smtp::AskRcpt& ask) { answer_or_wait(ask.slot); }

    void on(const smtp::Settle& /*settle*/) {
        hand_out_replies();
        while (!session_.open_slots().empty()) {
            const std::uint8_t choice = choices_.next();
            const auto& open = session_.open_slots();
            answer(choice % 4 == 3 ? open.back() : open.front(), choice / 4);
            if (choice % 4 == 2) hand_out_replies();
        }
    }

    void on(const smtp::AskData& ask) {
        hand_out_replies();
        const std::uint8_t choice = choices_.next();
        session_.answer(ask.slot, choice == 0 ? test::Transcript::tagged(354, ask.slot) : reply(ask.slot, choice));
    }

    void on(const smtp::Body& /*body*/) {}
    void on(const smtp::BodyRefused& /*refused*/) {}
    void on(const smtp::Abandon& /*abandon*/) {}
    void on(const smtp::Close& /*close*/) { closed_ = true; }

    void on(const smtp::StartTls& /*start_tls*/) {
        if (choices_.next() % 4 == 3) return session_.fail(Errc::tls_failed);
        session_.tls_done();
    }

    void on(const smtp::EndOfBody& end) {
        hand_out_replies();
        answer(end.slot, choices_.next());
    }

    void answer_or_wait(Slot slot) {
        const std::uint8_t choice = choices_.next();
        if (choice % 4 == 1) return;
        if (choice % 4 == 2) hand_out_replies();
        answer(slot, choice / 4);
    }

    void hand_out_replies() {
        if (choices_.next() % 2 == 0) return;
        if (!session_.unsent().empty() && choices_.next() == 255) session_.fail(Errc::timed_out);
    }

    void answer(Slot slot, std::uint8_t choice) { session_.answer(slot, reply(slot, choice)); }

    /// Mostly yes; else anything that a relay, or a driver that has lost its head, may come up with.
    [[nodiscard]] static Reply reply(Slot slot, unsigned choice) {
        constexpr std::array codes{250, 250, 251, 354, 421, 450, 451, 452, 550, 552, 554, 200,  220, 299, 300, 334,
                                   399, 400, 599, 0,   1,   100, 199, 600, 999, -1,  25,  2500, 250, 451, 550, 450};
        Reply reply = test::Transcript::tagged(codes[choice % codes.size()], slot);
        if (choice % 64 >= 60) reply.lines.push_back("two\r\n250 lines\0\x1b[31m");
        if (choice % 64 == 59) reply.lines[0] += std::string(1000, 'x');
        if (choice % 64 == 58) reply.lines.clear();
        return reply;
    }

    string_view text_;
    Choices choices_;
    test::WatchedSession session_;
    std::string buffer_;
    bool closed_ = false;
};

}  // namespace
}  // namespace weir::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace weir::fuzz;
    const auto [text, choices] = TextAndChoices::split(as_text(data, size));
    Driver(text, choices).run();
    return 0;
}
