#include "weir/smtp/server_session.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace weir::smtp {
namespace {

using std::string_view;

constexpr std::size_t max_line = 4096;      // XFORWARD lines of more than 1,000 characters are real
constexpr std::size_t max_pipelined = 100;  // replies outstanding at the relay: bounds what both sides buffer
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

bool one_of(string_view value, std::initializer_list<string_view> words) {
    return std::any_of(words.begin(), words.end(), [&](string_view word) { return equals_ignoring_case(value, word); });
}

/// RFC 3461 4.1: NEVER alone, or a list of the others.
bool is_notify(string_view value) {
    if (equals_ignoring_case(value, "NEVER")) return true;
    while (true) {
        const auto comma = value.find(',');
        if (!one_of(value.substr(0, comma), {"SUCCESS", "FAILURE", "DELAY"})) return false;
        if (comma == string_view::npos) return true;
        value.remove_prefix(comma + 1);
    }
}

/// RFC 3461 4.2: addr-type ";" xtext.
bool is_orcpt(string_view value) {
    const auto semicolon = value.find(';');
    return semicolon != string_view::npos && semicolon > 0 && value.size() <= 500 &&
           decode_xtext(value.substr(semicolon + 1)).has_value();
}

enum class Verdict : std::uint8_t { fine, bad, unknown };

Verdict read_size(string_view value, std::uint64_t& size) {
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), size);
    return error == std::errc{} && end == value.data() + value.size() && value.size() <= 20 ? Verdict::fine
                                                                                            : Verdict::bad;
}

Verdict read_mail_parameter(const Parameter& parameter, MailRequest& request) {
    if (parameter.is("SIZE")) return read_size(parameter.value, request.size);
    if (parameter.is("BODY")) {
        request.body = equals_ignoring_case(parameter.value, "7BIT") ? MailRequest::Body::seven_bit
                                                                     : MailRequest::Body::eight_bit_mime;
        return one_of(parameter.value, {"7BIT", "8BITMIME"}) ? Verdict::fine : Verdict::bad;
    }
    if (parameter.is("SMTPUTF8")) {
        request.smtputf8 = true;
        return parameter.value.empty() ? Verdict::fine : Verdict::bad;
    }
    if (parameter.is("RET")) {
        request.ret = parameter.value;
        return one_of(parameter.value, {"FULL", "HDRS"}) ? Verdict::fine : Verdict::bad;
    }
    if (parameter.is("ENVID")) {
        request.envid = parameter.value;
        const bool good = !parameter.value.empty() && parameter.value.size() <= 100 && decode_xtext(parameter.value);
        return good ? Verdict::fine : Verdict::bad;
    }
    return Verdict::unknown;
}

Verdict read_rcpt_parameter(const Parameter& parameter, RcptRequest& request) {
    if (parameter.is("NOTIFY")) {
        request.notify = parameter.value;
        return is_notify(parameter.value) ? Verdict::fine : Verdict::bad;
    }
    if (parameter.is("ORCPT")) {
        request.orcpt = parameter.value;
        return is_orcpt(parameter.value) ? Verdict::fine : Verdict::bad;
    }
    return Verdict::unknown;
}

template <class Request, class ReadOne>
std::optional<Reply> read_parameters(const std::vector<Parameter>& parameters, Request& request, ReadOne read_one) {
    for (const Parameter& parameter : parameters) {
        const Verdict verdict = read_one(parameter, request);
        if (verdict == Verdict::bad) return Reply(501, "5.5.4 bad value of " + std::string(parameter.keyword));
        if (verdict == Verdict::unknown) return Reply(555, "5.5.4 unknown parameter " + std::string(parameter.keyword));
    }
    return std::nullopt;
}

Reply path_complaint(PathError error, const char* syntax, const char* address_status) {
    if (error == PathError::bad_address) return {501, std::string(address_status) + " bad address syntax"};
    if (error == PathError::bad_parameter) return {501, "5.5.4 bad parameter"};
    return {501, std::string("5.5.4 syntax: ") + syntax};
}

}  // namespace

ServerSession::ServerSession(ServerOptions options) : options_(std::move(options)) {}

Action ServerSession::next() {
    compact();
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
    const bool may_leave = draining_ && after_message_ && unread().empty();
    if (phase_ == Phase::closing || phase_ == Phase::closed || may_leave) {
        phase_ = Phase::closed;
        return Close{};
    }
    if (unread().empty()) release_buffers();
    return Read{phase_ == Phase::body ? options_.data_timeout : options_.command_timeout};
}

/// An idle session keeps no large buffer.
void ServerSession::release_buffers() {
    input_at_ = 0;
    for (std::string* text : {&input_, &line_, &output_, &writing_, &joined_}) {
        text->clear();
        if (text->capacity() > keep_capacity) std::string().swap(*text);
    }
}

void ServerSession::feed(string_view bytes) {
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
    if (error == core::Errc::timed_out && phase_ != Phase::closing) {
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

std::string ServerSession::unsent() {
    take_answers();
    return std::exchange(output_, {});
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
            if (reply.is_positive()) ++accepted_recipients_;
            // A recipient that may be tried again outweighs one that may not: the answer to DATA must not bounce it.
            else if (mail_ != Mail::refused && (!refusal_ || reply.is_transient()))
                refusal_ = reply;
            break;
        case Pending::Kind::data:
            if (reply.code == 354) {
                phase_ = Phase::body;
                body_refused_ = false;
                scanner_.reset();
            } else {
                end_transaction();
            }
            break;
        case Pending::Kind::end:
            phase_ = Phase::command;
            end_transaction();
            after_message_ = true;
            break;
    }
}

ServerSession::Outcome ServerSession::take_command() {
    while (phase_ == Phase::command) {
        const auto end = unread().find("\r\n");
        if (end == string_view::npos) {
            if (unread().size() > max_line) skip_long_line();
            return std::nullopt;
        }
        const string_view line = unread().substr(0, end);
        const bool too_long = std::exchange(skipping_line_, false) || line.size() > max_line;
        const Command peeked = too_long ? Command{} : parse_command(line);
        // Only recipients may join what is under way at the relay; anything else needs its outcome first.
        if (!pending_.empty() && (peeked.verb != Verb::rcpt || pending_.size() >= max_pipelined)) {
            skipping_line_ = too_long;
            return Settle{};
        }
        line_.assign(line);
        input_at_ += end + 2;
        if (too_long) {
            complain({500, "5.5.2 line too long"});
        } else if (line_.find_first_of(string_view("\r\n\0", 3)) != std::string::npos) {
            complain({550, "5.5.2 bare <CR>, <LF> or <NUL> in a command"});
        } else if (Outcome outcome = dispatch(parse_command(line_))) {
            return outcome;
        }
        if (abandon_due_) return std::nullopt;
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
        case Verb::expn:
        case Verb::starttls:
        case Verb::auth:
            complain({502, "5.5.1 not offered"});
            break;
        case Verb::unknown:
            complain({500, "5.5.2 command not recognised"});
            break;
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
    reply.lines.emplace_back("XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE");
    reply.lines.emplace_back("ENHANCEDSTATUSCODES");
    say(std::move(reply));
}

void ServerSession::on_xforward(string_view argument) {
    if (mail_ == Mail::accepted) return complain(out_of_order("XFORWARD inside a transaction"));
    if (!parse_xforward(argument, forwarded_)) return complain({501, "5.5.4 bad XFORWARD attribute"});
    say({250, "2.0.0 OK"});
}

void ServerSession::on_reset(bool first_after_message) {
    abandon();
    if (draining_ && first_after_message) return say_and_close({421, "4.3.2 " + options_.hostname + " is restarting"});
    say({250, "2.0.0 OK"});
}

ServerSession::Outcome ServerSession::on_mail(string_view argument) {
    if (mail_ == Mail::accepted) return complain(out_of_order("nested MAIL")), std::nullopt;
    smtputf8_ = false;
    refusal_.reset();
    recipients_ = accepted_recipients_ = 0;
    PathArgument path;
    MailRequest request;
    const PathError error = parse_path(argument, "FROM:", path);
    if (error != PathError::none) return refuse_mail(path_complaint(error, "MAIL FROM:<address>", "5.1.7"));
    request.path = path.path;
    if (auto refused = read_parameters(path.parameters, request, read_mail_parameter)) return refuse_mail(*refused);
    if (!request.smtputf8 && !is_ascii(path.path)) return refuse_mail({553, "5.6.7 SMTPUTF8 is needed"});
    if (options_.offer.max_size > 0 && request.size > options_.offer.max_size) {
        return refuse_mail(
            {552, "5.3.4 the relay takes at most " + std::to_string(options_.offer.max_size) + " bytes"});
    }
    mail_ = Mail::asked;
    smtputf8_ = request.smtputf8;
    return AskMail{open_slot(Pending::Kind::mail), request};
}

/// The recipients pipelined behind it are then answered without each counting as an error.
ServerSession::Outcome ServerSession::refuse_mail(Reply reply) {
    mail_ = Mail::refused;
    refusal_ = reply;
    complain(std::move(reply));
    return std::nullopt;
}

ServerSession::Outcome ServerSession::on_rcpt(string_view argument) {
    if (mail_ == Mail::none) return complain(out_of_order("MAIL first")), std::nullopt;
    if (mail_ == Mail::refused) return say(refusal_of_recipient()), std::nullopt;
    PathArgument path;
    RcptRequest request;
    PathError error = parse_path(argument, "TO:", path);
    if (error == PathError::none && path.path.empty()) error = PathError::bad_address;
    // One bad address among many is not a broken client: it is answered, and not counted as an error.
    if (error != PathError::none) return say(path_complaint(error, "RCPT TO:<address>", "5.1.3")), std::nullopt;
    request.path = path.path;
    if (auto refused = read_parameters(path.parameters, request, read_rcpt_parameter))
        return say(*refused), std::nullopt;
    if (!smtputf8_ && !is_ascii(path.path)) return say({553, "5.6.7 SMTPUTF8 is needed"}), std::nullopt;
    if (recipients_ == options_.max_recipients) return say({452, "4.5.3 too many recipients"}), std::nullopt;
    ++recipients_;
    return AskRcpt{open_slot(Pending::Kind::rcpt), request};
}

/// Postfix has pipelined recipients behind a MAIL that was refused: it ignores these replies, but must get each.
Reply ServerSession::refusal_of_recipient() const {
    if (refusal_ && refusal_->is_transient()) return *refusal_;
    return out_of_order("the sender was refused");
}

ServerSession::Outcome ServerSession::on_data(string_view argument) {
    if (!argument.empty()) return complain({501, "5.5.4 DATA takes no argument"}), std::nullopt;
    if (mail_ == Mail::none) return complain(out_of_order("MAIL first")), std::nullopt;
    if (mail_ == Mail::accepted && accepted_recipients_ > 0) return AskData{open_slot(Pending::Kind::data)};
    if (refusal_ && refusal_->is_transient()) return say(*refusal_), std::nullopt;
    if (refusal_) return say({554, "5.5.1 no valid recipients"}), std::nullopt;
    return complain(out_of_order("RCPT first")), std::nullopt;
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

void ServerSession::complain(Reply reply) {
    if (++errors_ > options_.max_errors) {
        abandon();
        return say_and_close({421, "4.7.0 too many errors"});
    }
    say(std::move(reply));
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
