#include "support/smtp_script.hpp"

#include <algorithm>
#include <utility>

#include "support/promise.hpp"
#include "support/watched_session.hpp"

namespace weir::test {
namespace {

using core::Errc;
using smtp::Slot;
using std::string_view;

constexpr string_view greeting = "220 weir.example ESMTP Weir\r\n";

std::string without_line_end(std::string line) {
    return line.substr(0, line.size() - 2);
}

std::string printed(string_view bytes) {
    std::string out;
    for (const char c : bytes) {
        if (c == '\r') {
            out += "\\r";
        } else if (c == '\n') {
            out += "\\n";
        } else {
            out += c;
        }
    }
    return out;
}

[[noreturn]] void differ(string_view expected, string_view actual) {
    throw BrokenPromise("expected \"" + printed(expected) + "\", got \"" + printed(actual) + '"');
}

/// The length of the reply at the front of `bytes`; 0 when there is none.
std::size_t reply_length(string_view bytes) {
    std::size_t begin = 0;
    for (auto end = bytes.find("\r\n"); end != string_view::npos; end = bytes.find("\r\n", begin)) {
        const bool is_last = end >= begin + 4 && bytes[begin + 3] == ' ';
        begin = end + 2;
        if (is_last) return begin;
    }
    return 0;
}

/// How the bytes of the peer are cut: each of its turns whole, one of them in two, or all byte by byte.
struct Cut {
    std::size_t turn = std::string::npos;
    std::size_t at = 0;
    bool is_byte_by_byte = false;
};

/// Which read or write does not work, counted from 0.
struct Fault {
    std::size_t at = std::string::npos;
    Errc error = Errc::closed_by_peer;
};

}  // namespace

/// One run of a script.
class SmtpScript::Run {
public:
    Run(const SmtpScript& script, bool answers_late, Cut cut, Fault fault)
        : steps_(script.steps_), answers_late_(answers_late), cut_(cut), fault_(fault), session_(script.options_) {}

    /// Returns how many reads and writes there were.
    std::size_t go() {
        while (!done_) {
            const smtp::Action action = session_.next();
            std::visit([this](const auto& what) { on(what); }, action);
        }
        return io_;
    }

private:
    void on(const smtp::Read& /*read*/) {
        if (fails()) return;
        if (turn_.empty()) begin_turn();
        if (done_) return;
        std::size_t size = turn_.size();
        if (cut_.is_byte_by_byte) size = 1;
        if (turns_ - 1 == cut_.turn && cut_.at > 0 && cut_.at < turn_.size()) size = std::exchange(cut_.at, 0);
        session_.feed(turn_.substr(0, size));
        turn_.remove_prefix(size);
    }

    void on(const smtp::Write& write) {
        if (has_failed_) {
            promise(fault_.error == Errc::timed_out && !fails_in_write_, "nothing is said to a peer that is gone");
            promise(write.bytes.starts_with("421 4.4.2 "), "a silent peer is told goodbye");
            return;
        }
        said_ += write.bytes;
        fails_in_write_ = fails();
    }

    void on(const smtp::AskMail& ask) {
        std::string what = without_line_end(mail_command(ask.request, smtp::unknown_relay_extensions()));
        const smtp::Forwarded& forwarded = session_.forwarded();
        if (forwarded.seen) {
            what += " of " + (forwarded.address ? core::format_ip(*forwarded.address) : "-") + ' ' + forwarded.ident;
        }
        answer(ask.slot, what);
    }

    void on(const smtp::AskRcpt& ask) {
        answer(ask.slot, without_line_end(rcpt_command(ask.request, smtp::unknown_relay_extensions())));
    }

    void on(const smtp::Settle& /*settle*/) {
        promise(!late_.empty(), "there is something to settle");
        for (; !late_.empty(); late_.pop_back()) session_.answer(late_.back().first, late_.back().second);
    }

    void on(const smtp::AskData& ask) { session_.answer(ask.slot, *take("DATA").answer); }
    void on(const smtp::EndOfBody& end) { session_.answer(end.slot, *take(".").answer); }
    void on(const smtp::Body& body) { body_ += body.bytes; }
    void on(const smtp::BodyRefused& /*refused*/) { take("body refused"); }

    void on(const smtp::Abandon& /*abandon*/) {
        if (!has_failed_) take("abandoned");
    }

    void on(const smtp::StartTls& /*start_tls*/) {
        take("tls");
        session_.tls_done();
    }

    void on(const smtp::Close& /*close*/) {
        done_ = true;
        if (has_failed_) return;
        take("closed");
        catch_up();
    }

    void answer(Slot slot, const std::string& what) {
        const smtp::Reply& reply = *take(what).answer;
        if (answers_late_) {
            late_.emplace_back(slot, reply);
        } else {
            session_.answer(slot, reply);
        }
    }

    bool fails() {
        if (io_++ != fault_.at) return false;
        has_failed_ = true;
        session_.fail(fault_.error);
        return true;
    }

    /// The next event of the script, which must be this.
    const Event& take(const std::string& what) {
        finish_body();
        const Event* const event = next_event();
        if (event == nullptr) differ("no more", what);
        if (event->what != what) differ(event->what, what);
        return *event;
    }

    void finish_body() {
        if (body_.empty()) return;
        const std::string what = "body " + std::exchange(body_, {});
        take(what);
    }

    const Event* next_event() {
        while (event_ < steps_.size()) {
            if (const auto* event = std::get_if<Event>(&steps_[event_++])) return event;
        }
        return nullptr;
    }

    /// All that the script has before the peer's next turn has been said and asked; then that turn.
    void begin_turn() {
        catch_up();
        while (step_ < steps_.size() && std::holds_alternative<Drain>(steps_[step_])) {
            ++step_;
            session_.drain();
        }
        if (step_ == steps_.size()) {
            done_ = true;
            return;
        }
        turn_ = std::get<Peer>(steps_[step_++]).bytes;
        ++turns_;
    }

    void catch_up() {
        for (; step_ < steps_.size(); ++step_) {
            if (const auto* said = std::get_if<Said>(&steps_[step_])) {
                hear(*said);
            } else if (const auto* event = std::get_if<Event>(&steps_[step_])) {
                if (!body_.empty()) finish_body();
                if (event_ <= step_) differ(event->what, "nothing");
            } else {
                break;
            }
        }
        if (heard_ != said_.size()) differ("", string_view(said_).substr(heard_));
    }

    void hear(const Said& expected) {
        const string_view rest = string_view(said_).substr(heard_);
        const std::size_t length = expected.bytes ? expected.bytes->size() : reply_length(rest);
        if (expected.bytes && !rest.starts_with(*expected.bytes)) differ(*expected.bytes, rest);
        promise(length > 0, "a reply is said");
        heard_ += length;
    }

    const std::vector<Step>& steps_;
    bool answers_late_;
    Cut cut_;
    Fault fault_;
    WatchedSession session_;
    std::size_t step_ = 0;   ///< of what is said and of the peer's turns
    std::size_t event_ = 0;  ///< behind the event that was last taken
    string_view turn_;
    std::size_t turns_ = 0;
    std::string said_;
    std::size_t heard_ = 0;  ///< how much of it the script has
    std::string body_;
    std::vector<std::pair<Slot, smtp::Reply>> late_;
    std::size_t io_ = 0;
    bool has_failed_ = false;
    bool fails_in_write_ = false;
    bool done_ = false;
};

SmtpScript::SmtpScript() {
    options_.hostname = "weir.example";
    options_.offer = smtp::unknown_relay_extensions();
}

SmtpScript& SmtpScript::peer(std::string bytes) {
    steps_.emplace_back(Peer{std::move(bytes)});
    return *this;
}

SmtpScript& SmtpScript::weir(std::string bytes) {
    steps_.emplace_back(Said{std::move(bytes)});
    return *this;
}

SmtpScript& SmtpScript::weir_any() {
    steps_.emplace_back(Said{});
    return *this;
}

SmtpScript& SmtpScript::asks(std::string command, smtp::Reply answer) {
    steps_.emplace_back(Event{.what = std::move(command), .answer = std::move(answer)});
    return *this;
}

SmtpScript& SmtpScript::of(const std::string& client, const std::string& ident) {
    std::get<Event>(steps_.back()).what += " of " + client + ' ' + ident;
    return *this;
}

SmtpScript& SmtpScript::body(std::string bytes) {
    steps_.emplace_back(Event{.what = "body " + std::move(bytes), .answer = {}});
    return *this;
}

SmtpScript& SmtpScript::body_refused() {
    steps_.emplace_back(Event{.what = "body refused", .answer = {}});
    return *this;
}

SmtpScript& SmtpScript::abandoned() {
    steps_.emplace_back(Event{.what = "abandoned", .answer = {}});
    return *this;
}

SmtpScript& SmtpScript::drain() {
    steps_.emplace_back(Drain{});
    return *this;
}

SmtpScript& SmtpScript::tls() {
    steps_.emplace_back(Event{.what = "tls", .answer = std::nullopt});
    return *this;
}

SmtpScript& SmtpScript::closed() {
    steps_.emplace_back(Event{.what = "closed", .answer = {}});
    return *this;
}

SmtpScript& SmtpScript::greeted() {
    return weir(std::string(greeting)).peer("EHLO a.example\r\n").weir_any();
}

void SmtpScript::run() const {
    Run(*this, /*answers_late=*/false, {}, {}).go();
    Run(*this, /*answers_late=*/true, {}, {}).go();
}

void SmtpScript::run_failing_at_every_step() const {
    const std::size_t steps = Run(*this, false, {}, {}).go();
    for (std::size_t step = 0; step < steps; ++step) {
        Run(*this, false, {}, {.at = step, .error = Errc::closed_by_peer}).go();
        Run(*this, false, {}, {.at = step, .error = Errc::timed_out}).go();
    }
}

void SmtpScript::run_in_every_split() const {
    Run(*this, false, {.is_byte_by_byte = true}, {}).go();
    std::size_t turn = 0;
    for (const Step& step : steps_) {
        const auto* const peer = std::get_if<Peer>(&step);
        if (peer == nullptr) continue;
        for (std::size_t at = 1; at < peer->bytes.size(); ++at) Run(*this, false, {.turn = turn, .at = at}, {}).go();
        ++turn;
    }
}

smtp::Reply yes() {
    return {250, "2.0.0 yes"};
}

smtp::Reply go_ahead() {
    return {354, "go ahead"};
}

smtp::Reply later() {
    return {451, "4.7.1 later"};
}

smtp::Reply no() {
    return {550, "5.1.1 no"};
}

}  // namespace weir::test
