#include "support/watched_session.hpp"

#include <algorithm>
#include <variant>

#include "support/live_bytes.hpp"
#include "support/promise.hpp"

namespace weir::test {
namespace {

using smtp::Slot;
using About = Transcript::About;
using std::string_view;

// What a session may keep beside what one read brought and the answers that it repeats: a line, XFORWARD's words, a
// hundred open questions, replies that are due.
constexpr std::ptrdiff_t base_allowance = 256 * 1024;

constexpr string_view end_of_body = "\r\n.\r\n";

/// What the relay gets to see is one command, about the very address that was asked about.
void check_command(string_view line, string_view prefix, string_view path) {
    promise(line.ends_with("\r\n"), "a command ends with CRLF");
    line.remove_suffix(2);
    promise(line.find_first_of(string_view("\r\n\0", 3)) == string_view::npos, "a command is one line");
    smtp::PathArgument argument;
    const auto error = smtp::parse_path(smtp::parse_command(line).argument, prefix, argument);
    promise(error == smtp::PathError::none && argument.path == path, "the relay reads the address that Weir has read");
}

}  // namespace

/// Runs `call` on the session, and notes what it has taken or given back.
template <class Call>
auto WatchedSession::metered(Call call) {
    const std::ptrdiff_t before = live_bytes();
    if constexpr (std::is_void_v<decltype(call())>) {
        call();
        held_ += live_bytes() - before;
        promise(held_ <= allowance_, "memory is bounded");
    } else {
        auto result = call();
        held_ += live_bytes() - before;
        promise(held_ <= allowance_, "memory is bounded");
        return result;
    }
}

WatchedSession::WatchedSession(const smtp::ServerOptions& options) : session_(options), allowance_(base_allowance) {}

smtp::Action WatchedSession::next() {
    const smtp::Action action = metered([&] { return session_.next(); });
    promise(!closed_ || std::holds_alternative<smtp::Close>(action), "nothing follows Close");
    std::visit([&](const auto& what) { on(what); }, action);
    return action;
}

void WatchedSession::feed(string_view bytes) {
    transcript_.peer_sent(bytes);
    allowance_ = std::max(allowance_, base_allowance + 4 * static_cast<std::ptrdiff_t>(bytes.size()));
    metered([&] { session_.feed(bytes); });
}

void WatchedSession::fail(core::Error error) {
    if (end_ == Transcript::End::by_session) {
        end_ = error == core::Errc::timed_out ? Transcript::End::timed_out : Transcript::End::lost;
    }
    open_.clear();
    metered([&] { session_.fail(error); });
}

void WatchedSession::answer(Slot slot, smtp::Reply reply) {
    const auto found = std::find(open_.begin(), open_.end(), slot);
    if (found != open_.end()) {
        open_.erase(found);
        heard(slot, reply);
    }
    metered([&] { session_.answer(slot, smtp::Reply(reply)); });
}

/// What the driver has decided, by the codes that the session passes on as they are.
void WatchedSession::heard(Slot slot, const smtp::Reply& reply) {
    if (stage_ == Stage::mail && slot == mail_slot_) {
        mail_accepted_ = reply.is_positive();
        mail_refused_ = !mail_accepted_;
    } else if (stage_ == Stage::mail) {
        recipients_accepted_ += reply.is_positive() ? 1 : 0;
    } else if (stage_ == Stage::data && reply.code == 354) {
        stage_ = Stage::body;
        body_end_ = "\r\n";
        transcript_.body_began();
    } else {
        stage_ = Stage::none;
    }
}

std::string WatchedSession::unsent() {
    std::string replies = metered([&] { return session_.unsent(); });
    std::string ours = replies;
    const std::ptrdiff_t before = live_bytes();
    std::string().swap(replies);
    held_ += live_bytes() - before;
    transcript_.weir_said(ours);
    return ours;
}

void WatchedSession::tls_done() {
    promise(waits_for_tls_, "TLS begins when the session says so");
    waits_for_tls_ = false;
    session_.tls_done();
}

void WatchedSession::drain() {
    transcript_.draining();
    session_.drain();
}

void WatchedSession::open(Slot slot, About about, string_view path) {
    promise(slot > last_slot_, "slots count up");
    last_slot_ = slot;
    open_.push_back(slot);
    transcript_.asked(slot, about, path);
}

void WatchedSession::on(const smtp::Read& read) {
    promise(read.timeout > core::Duration::zero(), "nobody waits for ever");
    promise(open_.empty() && stage_ != Stage::data && stage_ != Stage::end, "nothing is read while an answer is due");
    promise(end_ == Transcript::End::by_session, "nothing is read from a connection that has failed");
    transcript_.audit_idle();
}

void WatchedSession::on(const smtp::Write& write) {
    promise(!write.bytes.empty(), "there is something to write");
    promise(open_.empty(), "what is asked is settled first");
    promise(end_ != Transcript::End::lost, "nothing is written to a connection that has failed");
    transcript_.weir_said(write.bytes);
}

void WatchedSession::on(const smtp::AskMail& ask) {
    const bool is_free =
        stage_ == Stage::none || stage_ == Stage::refused_body || (stage_ == Stage::mail && mail_refused_);
    promise(is_free && open_.empty(), "one message at a time");
    check_command(smtp::mail_command(ask.request, smtp::unknown_relay_extensions()), "FROM:", ask.request.path);
    stage_ = Stage::mail;
    mail_slot_ = ask.slot;
    mail_accepted_ = mail_refused_ = false;
    recipients_accepted_ = 0;
    open(ask.slot, About::mail, ask.request.path);
}

void WatchedSession::on(const smtp::AskRcpt& ask) {
    promise(stage_ == Stage::mail && !mail_refused_, "recipients belong to a sender that is not refused");
    promise(!ask.request.path.empty(), "a recipient has an address");
    check_command(smtp::rcpt_command(ask.request, smtp::unknown_relay_extensions()), "TO:", ask.request.path);
    open(ask.slot, About::rcpt, ask.request.path);
}

void WatchedSession::on(const smtp::Settle& /*settle*/) {
    promise(!open_.empty(), "there is something to settle");
}

void WatchedSession::on(const smtp::AskData& ask) {
    promise(stage_ == Stage::mail && mail_accepted_ && open_.empty(), "DATA comes after the sender's answer");
    promise(recipients_accepted_ > 0, "DATA is not asked for without a recipient");
    stage_ = Stage::data;
    open(ask.slot, About::data);
}

void WatchedSession::on(const smtp::Body& body) {
    promise(stage_ == Stage::body && !body.bytes.empty(), "a body is passed on after 354 and before its end");
    const std::string joined = body_end_ + std::string(body.bytes);
    for (std::size_t i = body_end_.size(); i < joined.size(); ++i) {
        promise(joined[i] != '\0' && (joined[i - 1] == '\r') == (joined[i] == '\n'), "what is passed on is clean");
    }
    promise(joined.back() != '\r', "a CR is held back until its LF has come");
    const auto end = joined.find(end_of_body);
    promise(end == std::string::npos || end + end_of_body.size() == joined.size(),
            "nothing is passed on behind the end");
    body_end_ = joined.substr(joined.size() - std::min(joined.size(), end_of_body.size()));
    transcript_.body_passed(body.bytes);
}

void WatchedSession::on(const smtp::BodyRefused& /*refused*/) {
    promise(stage_ == Stage::body && body_end_ != end_of_body, "a body is refused once, before its end");
    stage_ = Stage::refused_body;
    transcript_.body_refused();
}

void WatchedSession::on(const smtp::EndOfBody& end) {
    promise(stage_ == Stage::body && body_end_ == end_of_body, "only CRLF.CRLF ends a body");
    stage_ = Stage::end;
    open(end.slot, About::dot);
}

void WatchedSession::on(const smtp::Abandon& /*abandon*/) {
    // It may be about a MAIL that the session refused by itself, of which the driver knows nothing.
    const bool may_be = stage_ == Stage::none || stage_ == Stage::mail || stage_ == Stage::refused_body;
    promise(may_be || end_ != Transcript::End::by_session, "nothing is abandoned between DATA and the final reply");
    promise(open_.empty(), "what is asked is settled before it is abandoned");
    stage_ = Stage::none;
}

void WatchedSession::on(const smtp::StartTls& /*start_tls*/) {
    promise(open_.empty() && stage_ == Stage::none, "TLS does not begin in the middle of a message");
    promise(end_ == Transcript::End::by_session, "TLS does not begin on a connection that has failed");
    transcript_.audit_idle();  // its 220 has been said, and nothing came behind the command
    waits_for_tls_ = true;
}

void WatchedSession::on(const smtp::Close& /*close*/) {
    if (closed_) return;
    closed_ = true;
    promise(open_.empty(), "a session does not end while an answer is due");
    promise(stage_ == Stage::none || stage_ == Stage::refused_body,
            "a message that ends with its session is abandoned");
    transcript_.audit_end(end_);
}

}  // namespace weir::test
