#include "weir/sim/session.hpp"

#include <charconv>
#include <utility>

#include "body_reader.hpp"

namespace weir::sim {
namespace {

constexpr std::size_t max_line = 4096;  // RFC 5321 4.5.3.1.4 asks for 512, and extensions add to that
constexpr core::Duration idle_timeout = std::chrono::minutes(5);  // RFC 5321 4.5.3.2.7

bool fits(std::string_view digits, std::uint64_t limit) {
    std::uint64_t size = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), size);
    return error == std::errc{} && end == digits.data() + digits.size() && size <= limit;
}

Outcome outcome_of(const Answer& answer) {
    if (answer.is_yes()) return Outcome::accepted;
    if (answer.reply && answer.reply->is_transient()) return Outcome::deferred;
    if (answer.reply && answer.reply->is_permanent()) return Outcome::rejected;
    return Outcome::dropped;
}

std::string summary_of(const Answer& answer) {
    if (answer.reply) return answer.reply->summary();
    return answer.raw.substr(0, answer.raw.find_first_of("\r\n"));
}

}  // namespace

Session::Session(const Shared& shared, const core::IpAddress& client, std::uint64_t connection)
    : shared_(shared), connection_(connection), client_(client), visit_(client) {
    shared_.observer.connected();
}

Session::~Session() {
    abort_transaction();
    if (state_ != State::new_born) shared_.model.leave(visit_);
    shared_.observer.disconnected();
}

Action Session::next(core::TimePoint now) {
    do {
        while (!steps_.empty()) {
            Step& step = steps_.front();
            const bool must_flush = step.wait > core::Duration::zero() && !out_.empty();
            if (must_flush) return Write{std::exchange(out_, {})};
            if (step.wait > core::Duration::zero()) return Wait{std::exchange(step.wait, {})};
            out_ += step.bytes;
            if (step.then != Answer::Then::go_on) {
                step.bytes.clear();
                if (!out_.empty()) return Write{std::exchange(out_, {})};
                state_ = State::ended;
                return Close{.reset = step.then == Answer::Then::reset};
            }
            steps_.pop_front();
        }
    } while (advance(now));
    if (!out_.empty()) return Write{std::exchange(out_, {})};
    return Read{idle_timeout};
}

void Session::timed_out() {
    push({.bytes = yes(421, "4.4.2", shared_.settings.isp.hostname + " Error: timeout exceeded"),
          .then = Answer::Then::close});
}

/// Does one thing; false when there is nothing to do before more has come.
bool Session::advance(core::TimePoint now) {
    switch (state_) {
        case State::new_born:
            return greet(now), true;
        case State::commands:
            return advance_command(now);
        case State::body:
            return advance_body(now);
        case State::ended:
            return false;
    }
    return false;
}

bool Session::advance_command(core::TimePoint now) {
    const std::string_view rest = std::string_view(input_).substr(taken_);
    const auto newline = rest.find('\n');
    if (newline == std::string_view::npos) {
        if (rest.size() > max_line) too_long_ = true;
        // What is left is the beginning of a line, or of one that is too long anyway.
        input_.erase(0, too_long_ ? input_.size() : taken_);
        taken_ = 0;
        return false;
    }
    const std::string_view line = rest.substr(0, newline);
    taken_ += newline + 1;
    if (std::exchange(too_long_, false) || line.size() > max_line) {
        mistake(Violation::line_too_long, 500, "5.5.2", "Error: line too long");
    } else if (line.empty() || line.back() != '\r' || line.find('\r') != line.size() - 1) {
        mistake(Violation::bare_newline, 500, "5.5.2", "Error: lines end with CR and LF");
    } else {
        run(line.substr(0, line.size() - 1), now);
    }
    return true;
}

bool Session::advance_body(core::TimePoint now) {
    const std::string_view rest = std::string_view(input_).substr(taken_);
    if (rest.empty()) return false;
    if (!std::exchange(body_begun_, true)) {
        const Answer answer = shared_.model.body(visit_, now);
        if (!answer.is_yes()) {
            end_transaction(answer, Stage::body);
            // Whatever the fault said: what follows is a body, and there is no one left to take it for commands.
            Answer last = answer;
            if (last.then == Answer::Then::go_on) last.then = Answer::Then::close;
            respond(last, {});
            return true;
        }
        if (answer.delay > core::Duration::zero()) return push({.wait = answer.delay}), true;
    }
    taken_ += body_->feed(rest);
    if (taken_ == input_.size()) {
        input_.clear();
        taken_ = 0;
    }
    if (!body_->done()) return false;
    on_dot(now);
    return true;
}

void Session::greet(core::TimePoint now) {
    state_ = State::commands;
    const Answer answer = shared_.model.connect(visit_, now);
    respond(answer, "220 " + shared_.settings.isp.hostname + " ESMTP weir-sim\r\n");
    if (answer.is_yes()) return;
    shared_.observer.connection_refused({connection_, client_, answer.reason, summary_of(answer)});
    // RFC 5321 3.1 lets a client stay after a 554 and QUIT in order; whoever refuses by our script hangs up instead.
    if (answer.then == Answer::Then::go_on) push({.then = Answer::Then::close});
}

void Session::run(std::string_view line, core::TimePoint now) {
    const smtp::Command command = smtp::parse_command(line);
    check_pipelining(command.verb);
    switch (command.verb) {
        case smtp::Verb::ehlo:
        case smtp::Verb::helo:
            return on_hello(command, now);
        case smtp::Verb::mail:
            return on_mail(command, now);
        case smtp::Verb::rcpt:
            return on_rcpt(command, now);
        case smtp::Verb::data:
            return on_data(command, now);
        case smtp::Verb::rset:
            return on_rset(now);
        case smtp::Verb::quit:
            return on_quit(now);
        case smtp::Verb::noop:
            return say(250, "2.0.0", "Ok");
        case smtp::Verb::vrfy:
            return say(252, "2.0.0", "Cannot verify, but will take it");
        default:
            return mistake(Violation::syntax, 502, "5.5.2", "Error: command not recognized");
    }
}

void Session::on_hello(const smtp::Command& command, core::TimePoint now) {
    const ExtensionSettings& offers = shared_.settings.extensions;
    const bool is_ehlo = command.verb == smtp::Verb::ehlo;
    if (is_ehlo && !offers.ehlo) return mistake(Violation::syntax, 502, "5.5.1", "Error: command not implemented");
    if (command.argument.empty()) return mistake(Violation::syntax, 501, "5.5.4", "Syntax: EHLO hostname");
    abort_transaction();
    const Answer answer = shared_.model.hello(visit_, now);
    greeted_ = greeted_ || answer.is_yes();
    helo_ = command.argument;
    std::vector<std::string> lines{shared_.settings.isp.hostname};
    if (is_ehlo) {
        if (offers.pipelining) lines.emplace_back("PIPELINING");
        if (offers.size) lines.push_back("SIZE " + std::to_string(offers.max_size));
        if (offers.enhanced_status_codes) lines.emplace_back("ENHANCEDSTATUSCODES");
        if (offers.eight_bit_mime) lines.emplace_back("8BITMIME");
        if (offers.dsn) lines.emplace_back("DSN");
        if (offers.smtputf8) lines.emplace_back("SMTPUTF8");
    }
    smtp::Reply reply(250, "");
    reply.lines = std::move(lines);
    respond(answer, reply.wire());
}

void Session::on_mail(const smtp::Command& command, core::TimePoint now) {
    if (!greeted_) return mistake(Violation::sequence, 503, "5.5.1", "Error: send HELO/EHLO first");
    if (transaction_) return mistake(Violation::sequence, 503, "5.5.1", "Error: nested MAIL command");
    smtp::PathArgument path;
    if (!take_path(command, true, path)) return;
    for (const smtp::Parameter& parameter : path.parameters) {
        if (parameter.is("SIZE") && !fits(parameter.value, shared_.settings.extensions.max_size)) {
            shared_.observer.refused(Reason::protocol);
            return say(552, "5.3.4", "Message size exceeds fixed limit");
        }
    }
    transaction_ = std::make_unique<Transaction>();
    transaction_->sender = path.path;
    const Answer answer = shared_.model.mail(visit_, path.path, now);
    if (!answer.is_yes()) end_transaction(answer, Stage::mail);
    respond(answer, yes(250, "2.1.0", "Ok"));
}

void Session::on_rcpt(const smtp::Command& command, core::TimePoint now) {
    if (!transaction_) return mistake(Violation::sequence, 503, "5.5.1", "Error: need MAIL command");
    smtp::PathArgument path;
    if (!take_path(command, false, path)) return;
    if (path.path.empty()) return mistake(Violation::syntax, 501, "5.1.3", "Bad recipient address syntax");
    const Answer answer = shared_.model.rcpt(visit_, path.path, now);
    transaction_->stage = Stage::rcpt;
    transaction_->recipients.push_back(result(std::string(path.path), answer));
    if (answer.is_yes()) ++accepted_recipients_;
    if (answer.then != Answer::Then::go_on) end_transaction(answer, Stage::rcpt);
    respond(answer, yes(250, "2.1.5", "Ok"));
}

void Session::on_data(const smtp::Command& command, core::TimePoint now) {
    if (!transaction_) return mistake(Violation::sequence, 503, "5.5.1", "Error: need MAIL command");
    if (!command.argument.empty()) return mistake(Violation::syntax, 501, "5.5.4", "Syntax: DATA");
    // RFC 2920 3.1: with pipelining a client cannot know yet that all its recipients were refused. Not its mistake.
    if (accepted_recipients_ == 0) return say(554, "5.5.1", "Error: no valid recipients");
    const Answer answer = shared_.model.data(visit_, now);
    if (answer.is_yes()) {
        state_ = State::body;
        body_ = std::make_unique<BodyReader>();
        body_begun_ = false;
        transaction_->stage = Stage::data;
    } else {
        end_transaction(answer, Stage::data);
    }
    respond(answer, "354 End data with <CR><LF>.<CR><LF>\r\n");
}

void Session::on_dot(core::TimePoint now) {
    state_ = State::commands;
    transaction_->body = body_->facts();
    body_.reset();
    if (transaction_->body.bare_newlines > 0) shared_.observer.violated(Violation::bare_newline);
    if (transaction_->body.size > shared_.settings.extensions.max_size) {
        shared_.model.abandon(visit_);
        Answer too_big;
        too_big.reply.emplace(552, "5.3.4 Message size exceeds fixed limit");
        too_big.reason = Reason::protocol;
        end_transaction(too_big, Stage::dot);
        return respond(too_big, {});
    }
    const Answer answer = shared_.model.end(visit_, now);
    if (answer.is_yes()) {
        transaction_->id = std::to_string(connection_) + '.' + std::to_string(++messages_);
    }
    const std::string queued = yes(250, "2.0.0", "Ok: queued as " + transaction_->id);
    end_transaction(answer, Stage::dot);
    if (!answer.is_yes()) return respond(answer, queued);
    const Answer afterwards = shared_.model.accepted(visit_, now);
    // RFC 1047: the message is ours, and the client does not get to know.
    const bool is_lost = afterwards.then == Answer::Then::close && !afterwards.reply;
    if (!is_lost) respond(answer, queued);
    if (!afterwards.is_yes()) respond(afterwards, {});
}

void Session::on_rset(core::TimePoint now) {
    abort_transaction();
    respond(shared_.model.rset(visit_, now), yes(250, "2.0.0", "Ok"));
}

void Session::on_quit(core::TimePoint now) {
    abort_transaction();
    Answer answer = shared_.model.quit(visit_, now);
    respond(answer, yes(221, "2.0.0", "Bye"));
    if (answer.then == Answer::Then::go_on) push({.then = Answer::Then::close});
}

bool Session::take_path(const smtp::Command& command, bool is_mail, smtp::PathArgument& out) {
    switch (smtp::parse_path(command.argument, is_mail ? "FROM:" : "TO:", out)) {
        case smtp::PathError::none:
            break;
        case smtp::PathError::bad_address:
            mistake(Violation::syntax, 501, is_mail ? "5.1.7" : "5.1.3", "Bad address syntax");
            return false;
        case smtp::PathError::syntax:
        case smtp::PathError::bad_parameter:
            mistake(Violation::syntax, 501, "5.5.4", "Syntax error");
            return false;
    }
    for (const smtp::Parameter& parameter : out.parameters) {
        if (is_allowed(parameter, is_mail)) continue;
        mistake(Violation::unoffered_parameter, 555, "5.5.4", "Unsupported option: " + std::string(parameter.keyword));
        return false;
    }
    if (is_mail) smtputf8_ = out.has("SMTPUTF8");
    if (!smtputf8_ && !smtp::is_ascii(out.path)) {
        mistake(Violation::unoffered_parameter, 553, "5.6.7", "Must declare SMTPUTF8 to send unicode address");
        return false;
    }
    return true;
}

bool Session::is_allowed(const smtp::Parameter& parameter, bool is_mail) const {
    const ExtensionSettings& offers = shared_.settings.extensions;
    if (!is_mail) return offers.dsn && (parameter.is("NOTIFY") || parameter.is("ORCPT"));
    return (offers.size && parameter.is("SIZE")) || (offers.eight_bit_mime && parameter.is("BODY")) ||
           (offers.smtputf8 && parameter.is("SMTPUTF8")) ||
           (offers.dsn && (parameter.is("RET") || parameter.is("ENVID")));
}

void Session::say(int code, std::string_view enhanced, std::string_view text) {
    push({.bytes = yes(code, enhanced, text)});
}

void Session::mistake(Violation violation, int code, std::string_view enhanced, std::string_view text) {
    shared_.observer.violated(violation);
    say(code, enhanced, text);
}

void Session::respond(const Answer& answer, std::string_view yes_reply) {
    if (!answer.is_yes()) shared_.observer.refused(answer.reason);
    Step step{.wait = answer.delay, .bytes = answer.raw, .then = answer.then};
    if (answer.reply) {
        answer.reply->append_wire(step.bytes);
    } else if (answer.is_yes()) {
        step.bytes = yes_reply;
    }
    push(std::move(step));
}

void Session::push(Step step) {
    const bool is_plain = step.wait == core::Duration::zero() && step.then == Answer::Then::go_on;
    if (is_plain && steps_.empty()) {
        out_ += step.bytes;
    } else {
        steps_.push_back(std::move(step));
    }
}

std::string Session::yes(int code, std::string_view enhanced, std::string_view text) const {
    std::string reply = std::to_string(code) + ' ';
    if (shared_.settings.extensions.enhanced_status_codes) reply.append(enhanced) += ' ';
    return reply.append(text) += "\r\n";
}

/// RFC 2920 3.1: EHLO, DATA, VRFY, EXPN, QUIT and NOOP end a group; what they answer changes what may follow.
void Session::check_pipelining(smtp::Verb verb) {
    if (taken_ == input_.size()) return;
    const bool may_go_on = verb == smtp::Verb::mail || verb == smtp::Verb::rcpt || verb == smtp::Verb::rset;
    if (!may_go_on || !shared_.settings.extensions.pipelining) shared_.observer.violated(Violation::pipelining);
}

Transaction::Recipient Session::result(std::string address, const Answer& answer) {
    if (answer.is_yes()) return {std::move(address), 250, "250 2.1.5 Ok"};
    return {std::move(address), answer.reply ? answer.reply->code : 0, summary_of(answer)};
}

void Session::end_transaction(const Answer& answer, Stage stage) {
    transaction_->outcome = outcome_of(answer);
    transaction_->reason = answer.reason;
    transaction_->stage = stage;
    transaction_->reply = summary_of(answer);
    if (answer.is_yes()) transaction_->reply = "250 2.0.0 Ok: queued as " + transaction_->id;
    report_transaction();
}

void Session::abort_transaction() {
    if (!transaction_) return;
    shared_.model.abandon(visit_);
    // A client that gives up because nobody was taken has been refused, and has not run away.
    if (accepted_recipients_ == 0 && !transaction_->recipients.empty()) {
        const Transaction::Recipient& last = transaction_->recipients.back();
        if (last.code >= 400) transaction_->outcome = last.code < 500 ? Outcome::deferred : Outcome::rejected;
        transaction_->reply = last.reply;
    }
    report_transaction();
}

void Session::report_transaction() {
    transaction_->connection = connection_;
    transaction_->client = client_;
    transaction_->helo = helo_;
    shared_.observer.transaction_ended(*transaction_);
    transaction_.reset();
    accepted_recipients_ = 0;
}

std::string_view to_string(Outcome outcome) {
    switch (outcome) {
        case Outcome::accepted:
            return "accepted";
        case Outcome::deferred:
            return "deferred";
        case Outcome::rejected:
            return "rejected";
        case Outcome::dropped:
            return "dropped";
        case Outcome::aborted:
            return "aborted";
    }
    return "unknown";
}

std::string_view to_string(Violation violation) {
    switch (violation) {
        case Violation::syntax:
            return "syntax";
        case Violation::sequence:
            return "sequence";
        case Violation::line_too_long:
            return "line_too_long";
        case Violation::bare_newline:
            return "bare_newline";
        case Violation::pipelining:
            return "pipelining";
        case Violation::unoffered_parameter:
            return "unoffered_parameter";
    }
    return "unknown";
}

}  // namespace weir::sim
