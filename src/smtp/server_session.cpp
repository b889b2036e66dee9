#include "weir/smtp/server_session.hpp"

#include <algorithm>
#include <utility>

#include "request.hpp"

namespace weir::smtp {
namespace {

using std::string_view;

// Postfix takes a HELO of 2,000 bytes from a stranger, which xtext triples: no such line may hide who a message is
// from.
constexpr std::size_t max_line = 8192;
constexpr std::size_t max_pipelined = 100;  // replies outstanding at the relay: bounds what both sides buffer
constexpr std::size_t max_due = 64 * 1024;  // of replies: beyond it they are written before more commands are taken
constexpr std::size_t keep_capacity = 1024;

/// What Postfix may hear in place of `reply`: see the class comment.
Reply safe_for_postfix(Reply reply, bool wants_data) {
    if (reply.code == 421) reply.code = 451;
    const bool allowed = wants_data ? reply.code == 354 : reply.code >= 200 && reply.code < 300;
    if (allowed || (reply.code >= 400 && reply.code < 600)) return reply;
    return {451, "4.5.0 the relay answered " + reply.summary() + " where that is not allowed"};
}

Reply out_of_order(const char* what) {
    return {503, std::string("5.5.1 ") + what};
}

}  // namespace

ServerSession::ServerSession(ServerOptions options) : options_(std::move(options)) {}

Action ServerSession::next() {
    compact();
    writing_.clear();
    if (phase_ == Phase::greeting) {
        phase_ = Phase::command;
        say({220, options_.hostname + " ESMTP Weir"});
    }
    for (;;) {
        take_answers();
        if (std::exchange(abandon_due_, false)) return Abandon{};
        const Phase before = phase_;
        Outcome outcome;
        if (phase_ == Phase::command) outcome = take_command();
        if (phase_ == Phase::body) outcome = scan_body();
        if (outcome) return *outcome;
        if (phase_ == before && !abandon_due_) return wait();
    }
}

/// Nothing can be done with what has come so far: settle, write, close or read, whichever is due first.
Action ServerSession::wait() {
    if (!pending_.empty()) return Settle{};
    if (phase_ == Phase::end_of_body) return EndOfBody{open_slot(Pending::Kind::end)};
    if (!output_.empty() && phase_ != Phase::closed) {
        std::swap(writing_, output_);
        output_.clear();
        return Write{writing_};
    }
    if (phase_ == Phase::starttls) return StartTls{};
    const bool may_leave = draining_ && after_message_ && unread().empty();
    if (phase_ == Phase::closing || phase_ == Phase::closed || may_leave) {
        phase_ = Phase::closed;
        return Close{};
    }
    if (unread().empty()) release_buffers();
    const bool begins = std::exchange(request_due_, false);
    if (begins && phase_ == Phase::body) deadline_.begin_body(options_.data_timeout, options_.min_data_rate);
    if (begins && phase_ != Phase::body) deadline_.begin_command(options_.command_timeout);
    return Read{.timeout = deadline_.left(), .begins = begins};
}

/// An idle session keeps no large buffer.
void ServerSession::release_buffers() {
    input_at_ = 0;
    for (std::string* text : {&input_, &line_, &output_, &writing_, &joined_}) {
        text->clear();
        if (text->capacity() > keep_capacity) std::string().swap(*text);
    }
}

void ServerSession::feed(string_view bytes, core::Duration waited) {
    deadline_.spent(waited, bytes.size());
    if (phase_ == Phase::body && unread().empty()) {
        fed_body_ = bytes;
    } else {
        input_ += bytes;
    }
}

void ServerSession::fail(core::Error error) {
    abandon_due_ = mail_ != Mail::none;
    mail_ = Mail::none;
    pending_.clear();
    const bool was_reading = writing_.empty();  // a reply that was cut short is not followed by another
    if (error == core::Errc::timed_out && was_reading && phase_ < Phase::closing) {
        say_and_close({421, "4.4.2 " + options_.hostname + " timeout, closing connection"});
    } else {
        phase_ = Phase::closed;
    }
}

void ServerSession::answer(Slot slot, Reply reply) {
    const auto found = std::find_if(pending_.begin(), pending_.end(), [&](const Pending& p) { return p.slot == slot; });
    if (found == pending_.end()) return;  // the session has ended meanwhile
    found->reply = safe_for_postfix(std::move(reply), found->kind == Pending::Kind::data);
}

void ServerSession::tls_done() {
    is_encrypted_ = true;
    phase_ = Phase::command;
}

std::string ServerSession::unsent() {
    take_answers();
    writing_ = std::exchange(output_, {});
    return writing_;
}

/// Hands out the replies of the leading commands that have one: never out of order.
void ServerSession::take_answers() {
    std::size_t done = 0;
    while (done < pending_.size() && pending_[done].reply) {
        Pending& next = pending_[done];
        // A recipient whose sender was refused is not accepted, whatever a sloppy relay says to it.
        const bool is_orphan = next.kind == Pending::Kind::rcpt && mail_ == Mail::refused;
        if (is_orphan && next.reply->is_positive()) next.reply = refusal_of_recipient();
        on_answered(next);
        pending_[done].reply->append_wire(output_);
        ++done;
    }
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(done));
}

void ServerSession::on_answered(const Pending& pending) {
    const Reply& reply = *pending.reply;
    switch (pending.kind) {
        case Pending::Kind::plain:
            break;
        case Pending::Kind::mail:
            mail_ = reply.is_positive() ? Mail::accepted : Mail::refused;
            if (!reply.is_positive()) refusal_ = reply;
            break;
        case Pending::Kind::rcpt:
            if (reply.is_positive()) {
                ++accepted_recipients_;
            } else {
                remember_refusal(reply);
            }
            break;
        case Pending::Kind::data:
            if (reply.code == 354) {
                phase_ = Phase::body;
                body_refused_ = false;
                scanner_.reset();
            } else {
                end_transaction();
                close_if_more_came();
            }
            break;
        case Pending::Kind::end:
            phase_ = Phase::command;
            if (reply.is_positive()) errors_ = 0;
            end_transaction();
            after_message_ = true;
            break;
    }
}

/// A recipient that may be tried again outweighs one that may not: the answer to DATA must not bounce it. Why MAIL was
/// refused outweighs both.
void ServerSession::remember_refusal(const Reply& reply) {
    if (mail_ != Mail::refused && (!refusal_ || reply.is_transient())) refusal_ = reply;
}

ServerSession::Outcome ServerSession::take_command() {
    while (phase_ == Phase::command && !abandon_due_ && output_.size() < max_due) {
        if (!skipping_line_ && is_foreign_protocol(unread())) {
            if (!pending_.empty()) return Settle{};
            abandon();
            say_and_close({554, "5.5.1 this is SMTP"});
            break;
        }
        const auto end = unread().find("\r\n");
        if (end == string_view::npos) {
            if (unread().size() > max_line) skip_long_line();
            break;
        }
        const string_view line = unread().substr(0, end);
        const bool too_long = skipping_line_ || line.size() > max_line;
        // Only recipients may join what is under way at the relay; anything else needs its outcome first.
        const bool may_join = !too_long && parse_command(line).verb == Verb::rcpt && pending_.size() < max_pipelined;
        if (!pending_.empty() && !may_join) return Settle{};
        skipping_line_ = false;
        request_due_ = true;
        line_.assign(too_long ? string_view{} : line);
        input_at_ += end + 2;
        if (too_long) {
            complain({500, "5.5.2 line too long"});
        } else if (Outcome outcome = dispatch(parse_command(line_))) {
            return outcome;
        }
    }
    return std::nullopt;
}

void ServerSession::skip_long_line() {
    skipping_line_ = true;
    const bool ends_with_cr = input_.back() == '\r';
    input_.assign(ends_with_cr ? "\r" : "");
    input_at_ = 0;
}

ServerSession::Outcome ServerSession::dispatch(const Command& command) {
    if (line_.find_first_of(string_view("\r\n\0", 3)) != std::string::npos) return on_bare_control(command.verb);
    const bool first_after_message = std::exchange(after_message_, false);
    switch (command.verb) {
        case Verb::mail:
            return on_mail(command.argument);
        case Verb::rcpt:
            return on_rcpt(command.argument);
        case Verb::data:
            return on_data(command.argument);
        case Verb::ehlo:
            on_hello(command.argument, true);
            break;
        case Verb::helo:
            on_hello(command.argument, false);
            break;
        case Verb::xforward:
            on_xforward(command.argument);
            break;
        case Verb::rset:
            on_reset(first_after_message);
            break;
        case Verb::noop:
            say({250, "2.0.0 OK"});
            break;
        case Verb::vrfy:
            say({252, "2.1.5 send some mail, it will be tried"});
            break;
        case Verb::help:
            say({214, "2.0.0 see RFC 5321"});
            break;
        case Verb::quit:
            abandon();
            say_and_close({221, "2.0.0 bye"});
            break;
        case Verb::bdat:
            // CHUNKING is not offered, and what follows is not a command: it cannot be framed (RFC 3030).
            abandon();
            say_and_close({502, "5.5.1 BDAT is not offered"});
            break;
        case Verb::starttls:
            on_starttls(command.argument);
            break;
        case Verb::expn:
        case Verb::auth:
            complain({502, "5.5.1 not offered"});
            break;
        case Verb::unknown:
            complain({500, "5.5.2 command not recognised"});
            break;
    }
    return std::nullopt;
}

/// A line that the relay might read as two: none of it is passed on.
ServerSession::Outcome ServerSession::on_bare_control(Verb verb) {
    Reply reply(550, "5.5.2 bare <CR>, <LF> or <NUL> in a command");
    if (verb == Verb::mail && mail_ != Mail::accepted) {
        refuse_mail(std::move(reply));
    } else if (verb == Verb::rcpt && mail_ != Mail::none) {
        refuse_recipient(std::move(reply));
    } else {
        complain(std::move(reply));
    }
    return std::nullopt;
}

void ServerSession::on_hello(string_view argument, bool extended) {
    if (argument.empty()) return complain({501, "5.5.4 a host name is missing"});
    abandon();
    if (!extended) return say({250, options_.hostname});
    Reply reply(250, options_.hostname);
    reply.lines.emplace_back("PIPELINING");
    if (options_.offer.size) {
        const std::uint64_t size = options_.offer.max_size;
        reply.lines.push_back(size > 0 ? "SIZE " + std::to_string(size) : "SIZE");
    }
    if (options_.offer.eight_bit_mime) reply.lines.emplace_back("8BITMIME");
    if (options_.offer.smtputf8) reply.lines.emplace_back("SMTPUTF8");
    if (options_.offer.dsn) reply.lines.emplace_back("DSN");
    if (options_.starttls && !is_encrypted_) reply.lines.emplace_back("STARTTLS");
    reply.lines.emplace_back("XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE");
    reply.lines.emplace_back("ENHANCEDSTATUSCODES");
    say(std::move(reply));
}

void ServerSession::on_xforward(string_view argument) {
    if (mail_ == Mail::accepted) return say(out_of_order("XFORWARD inside a transaction"));
    // After a refused MAIL this is about the next message, which must not inherit the last one's client.
    if (mail_ == Mail::refused) abandon();
    if (!parse_xforward(argument, forwarded_)) return say({501, "5.5.4 bad XFORWARD attribute"});
    say({250, "2.0.0 OK"});
}

void ServerSession::on_reset(bool first_after_message) {
    abandon();
    if (draining_ && first_after_message && unread().empty()) {
        return say_and_close({421, "4.3.2 " + options_.hostname + " is restarting"});
    }
    say({250, "2.0.0 OK"});
}

void ServerSession::on_starttls(string_view argument) {
    if (!options_.starttls) return complain({502, "5.5.1 not offered"});
    if (is_encrypted_) return complain(out_of_order("TLS is active already"));
    if (!argument.empty()) return complain({501, "5.5.4 STARTTLS takes no argument"});
    abandon();
    if (!unread().empty()) {
        // Command injection (CVE-2011-0411): what came behind STARTTLS in clear text is not the client's word.
        return say_and_close({554, "5.5.0 nothing may follow STARTTLS"});
    }
    say({220, "2.0.0 ready to start TLS"});
    phase_ = Phase::starttls;
}

ServerSession::Outcome ServerSession::on_mail(string_view argument) {
    if (mail_ == Mail::accepted) return say(out_of_order("nested MAIL")), std::nullopt;
    smtputf8_ = false;
    refusal_.reset();
    recipients_ = accepted_recipients_ = 0;
    MailRequest request;
    if (auto refusal = parse_mail(argument, request)) return refuse_mail(*refusal), std::nullopt;
    if (options_.offer.max_size > 0 && request.size > options_.offer.max_size) {
        refuse_mail({552, "5.3.4 the relay takes at most " + std::to_string(options_.offer.max_size) + " bytes"});
        return std::nullopt;
    }
    mail_ = Mail::asked;
    smtputf8_ = request.smtputf8;
    return AskMail{open_slot(Pending::Kind::mail), request};
}

void ServerSession::refuse_mail(Reply reply) {
    mail_ = Mail::refused;
    refusal_ = reply;
    say(std::move(reply));
}

ServerSession::Outcome ServerSession::on_rcpt(string_view argument) {
    if (mail_ == Mail::none) return say(out_of_order("MAIL first")), std::nullopt;
    if (mail_ == Mail::refused) return say(refusal_of_recipient()), std::nullopt;
    RcptRequest request;
    if (auto refusal = parse_rcpt(argument, smtputf8_, request)) return refuse_recipient(*refusal), std::nullopt;
    if (recipients_ == options_.max_recipients) {
        refuse_recipient({452, "4.5.3 too many recipients"});
        return std::nullopt;
    }
    ++recipients_;
    return AskRcpt{open_slot(Pending::Kind::rcpt), request};
}

void ServerSession::refuse_recipient(Reply reply) {
    remember_refusal(reply);
    say(std::move(reply));
}

/// Postfix has pipelined recipients behind a MAIL that was refused: it ignores these replies, but must get each.
Reply ServerSession::refusal_of_recipient() const {
    if (refusal_ && refusal_->is_transient()) return *refusal_;
    return out_of_order("the sender was refused");
}

ServerSession::Outcome ServerSession::on_data(string_view argument) {
    const bool is_possible = argument.empty() && mail_ == Mail::accepted && accepted_recipients_ > 0;
    if (is_possible) return AskData{open_slot(Pending::Kind::data)};
    if (!argument.empty()) {
        say({501, "5.5.4 DATA takes no argument"});
    } else if (mail_ == Mail::none) {
        say(out_of_order("MAIL first"));
    } else if (!refusal_) {
        say(out_of_order("RCPT first"));
    } else if (refusal_->is_transient()) {
        say(*refusal_);
    } else {
        say({554, "5.5.1 no valid recipients"});
    }
    close_if_more_came();
    return std::nullopt;
}

/// DATA was refused. It is the last command of a group (RFC 2920 3.1): what came behind it may be a message that did
/// not wait for its 354, and must not be read as commands.
void ServerSession::close_if_more_came() {
    if (unread().empty()) return;
    abandon();
    phase_ = Phase::closing;
}

ServerSession::Outcome ServerSession::scan_body() {
    const bool fed = unread().empty();
    const string_view bytes = fed ? fed_body_ : unread();
    if (bytes.empty()) return std::nullopt;
    const BodyScanner::Step step = scanner_.scan(bytes);
    string_view pass = step.pass;
    if (step.carried_cr) pass = joined_.assign(1, '\r').append(step.pass);
    if (fed) {
        // Whatever is left after the end of the message, or of its clean part, must outlive the driver's buffer.
        input_.assign(bytes.substr(step.used));
        input_at_ = 0;
        fed_body_ = {};
    } else {
        input_at_ += step.used;
    }
    if (step.violated) body_refused_ = true;
    if (step.ended) {
        request_due_ = true;
        phase_ = body_refused_ ? Phase::command : Phase::end_of_body;
        if (body_refused_) {
            end_transaction();
            say({550, "5.5.2 bare <CR>, <LF> or <NUL> in the message"});
        }
    }
    if (step.violated) return BodyRefused{};
    if (pass.empty() || body_refused_) return std::nullopt;
    return Body{pass};
}

void ServerSession::say(Reply reply) {
    if (pending_.empty()) return reply.append_wire(output_);
    pending_.push_back({.slot = ++last_slot_, .kind = Pending::Kind::plain, .reply = std::move(reply)});
}

/// For what no mail server says. A sender or recipient that is refused does not count: strangers choose them, and must
/// not be able to make us hang up on Postfix.
void ServerSession::complain(Reply reply) {
    if (++errors_ <= options_.max_errors) return say(std::move(reply));
    abandon();
    // Every command that has come gets its answer: one without makes Postfix suspend the relay.
    const Reply bye(421, "4.7.0 too many errors");
    for (auto end = unread().find("\r\n"); end != string_view::npos; end = unread().find("\r\n")) {
        input_at_ += end + 2;
        say(bye);
    }
    say_and_close(bye);
}

void ServerSession::say_and_close(Reply reply) {
    say(std::move(reply));
    phase_ = Phase::closing;
}

void ServerSession::abandon() {
    abandon_due_ = mail_ != Mail::none;
    end_transaction();
}

/// Back to where a session stands after EHLO. XFORWARD's word goes with the message that it was given for.
void ServerSession::end_transaction() {
    mail_ = Mail::none;
    smtputf8_ = false;
    refusal_.reset();
    recipients_ = accepted_recipients_ = 0;
    forwarded_ = Forwarded();
}

Slot ServerSession::open_slot(Pending::Kind kind) {
    pending_.push_back({.slot = ++last_slot_, .kind = kind, .reply = std::nullopt});
    return last_slot_;
}

/// Drops what has been read and dealt with; views given out by the last next() end here.
void ServerSession::compact() {
    if (input_at_ == input_.size()) {
        input_.clear();
        input_at_ = 0;
    } else if (input_at_ > max_line) {
        input_.erase(0, input_at_);
        input_at_ = 0;
    }
}

}  // namespace weir::smtp
