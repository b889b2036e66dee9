#include "support/transcript.hpp"

#include <algorithm>
#include <charconv>

#include "support/promise.hpp"

namespace weir::test {
namespace {

using smtp::Verb;
using std::string_view;

constexpr std::size_t longest_line = 8192;
constexpr string_view tag = "[slot ";

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_unprintable(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7f;
}

smtp::Slot slot_in(string_view text) {
    const auto at = text.find(tag);
    if (at == string_view::npos) return 0;
    smtp::Slot slot = 0;
    std::from_chars(text.data() + at + tag.size(), text.data() + text.size(), slot);
    return slot;
}

bool has_bare_control(string_view line) {
    return line.find_first_of(string_view("\r\n\0", 3)) != string_view::npos;
}

/// Where a body ends, behind its CRLF.CRLF.
std::size_t end_of_body(string_view bytes) {
    if (bytes.starts_with(".\r\n")) return 3;
    const auto at = bytes.find("\r\n.\r\n");
    return at == string_view::npos ? at : at + 5;
}

bool is_clean(string_view body) {
    for (std::size_t i = 0; i < body.size(); ++i) {
        const bool after_cr = i > 0 && body[i - 1] == '\r';
        if (body[i] == '\0' || after_cr != (body[i] == '\n')) return false;
    }
    return true;
}

/// The address in MAIL or RCPT; empty for other commands.
string_view path_of(const smtp::Command& command) {
    smtp::PathArgument argument;
    const bool is_mail = command.verb == Verb::mail;
    if (!is_mail && command.verb != Verb::rcpt) return {};
    const auto error = smtp::parse_path(command.argument, is_mail ? "FROM:" : "TO:", argument);
    promise(error == smtp::PathError::none, "nobody is asked about a command that cannot be read");
    return argument.path;
}

bool is_about(const smtp::Command& command, Transcript::About about) {
    switch (about) {
        case Transcript::About::mail:
            return command.verb == Verb::mail;
        case Transcript::About::rcpt:
            return command.verb == Verb::rcpt;
        case Transcript::About::data:
            return command.verb == Verb::data;
        case Transcript::About::dot:
            return false;
    }
    return false;
}

bool is_refusal(int code) {
    return code >= 400 && code < 600 && code != 421;
}

/// Whether a command of this kind may be answered so, by a session that neither drains nor has had enough.
bool may_answer(const smtp::Command& command, int code) {
    switch (command.verb) {
        case Verb::ehlo:
        case Verb::helo:
            return code == (command.argument.empty() ? 501 : 250);
        case Verb::mail:
        case Verb::rcpt:
            return (code >= 200 && code < 300) || is_refusal(code);
        case Verb::data:
            return command.argument.empty() ? code == 354 || is_refusal(code) : code == 501;
        case Verb::rset:
        case Verb::noop:
            return code == 250;
        case Verb::quit:
            return code == 221;
        case Verb::vrfy:
            return code == 252;
        case Verb::help:
            return code == 214;
        case Verb::xforward:
            return code == 250 || code == 501 || code == 503;
        case Verb::starttls:
            return code == 220 || code == 501 || code == 502 || code == 503 || code == 554;
        case Verb::expn:
        case Verb::auth:
        case Verb::bdat:
            return code == 502;
        case Verb::unknown:
            return code == 500;
    }
    return false;
}

}  // namespace

smtp::Reply Transcript::tagged(int code, smtp::Slot slot) {
    return {code, "2.0.0 " + std::string(tag) + std::to_string(slot) + ']'};
}

void Transcript::weir_said(string_view bytes) {
    said_ += bytes;
    for (auto end = said_.find("\r\n", heard_until_); end != std::string::npos;
         end = said_.find("\r\n", heard_until_)) {
        hear_line(string_view(said_).substr(heard_until_, end - heard_until_));
        heard_until_ = end + 2;
    }
    promise(heard_until_ == said_.size(), "a reply ends with CRLF");
    promise(!partial_, "a reply has a last line");
}

void Transcript::hear_line(string_view line) {
    promise(line.size() >= 4 && line[0] >= '2' && line[0] <= '5' && is_digit(line[1]) && is_digit(line[2]) &&
                (line[3] == ' ' || line[3] == '-'),
            "a line of a reply begins with its code");
    promise(std::none_of(line.begin(), line.end(), is_unprintable), "no control characters in replies");
    const int code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
    if (!partial_) partial_ = Heard{.code = code, .text = {}};
    promise(partial_->code == code, "a reply has one code");
    (partial_->text += line.substr(4)) += '\n';
    if (line[3] == '-') return;
    heard_.push_back(std::move(*partial_));
    partial_.reset();
}

void Transcript::asked(smtp::Slot slot, About about, string_view path) {
    if (about == About::mail) ++transactions_;
    questions_[slot] = {.about = about, .path = std::string(path), .transaction = transactions_};
}

Transcript::Heard Transcript::take_reply() {
    promise(!heard_.empty(), "every command gets a reply");
    Heard reply = std::move(heard_.front());
    heard_.pop_front();
    return reply;
}

/// One command or body, and its reply. False when there is none that is whole.
bool Transcript::audit_next() {
    if (in_body_) return audit_body();
    const auto end = rest().find("\r\n");
    if (end == string_view::npos) return false;
    const Heard reply = take_reply();
    const string_view line = rest().substr(0, end);
    audit_command(line, reply);
    audited_ += end + 2;
    ++answered_;
    in_body_ = reply.code == 354;
    return true;
}

bool Transcript::audit_body() {
    const auto end = end_of_body(rest());
    if (end == string_view::npos) return false;
    promise(!bodies_.empty(), "354 is said when the driver has said so");
    const string_view body = rest().substr(0, end);
    const Passed& passed = bodies_.front();
    const Heard reply = take_reply();
    promise((reply.code >= 200 && reply.code < 300) || is_refusal(reply.code), "a body is accepted or refused");
    if (is_clean(body)) {
        promise(!passed.refused && passed.bytes == body, "a clean body passes unchanged");
    } else {
        promise(passed.refused && reply.code == 550, "a body with a bare CR, LF or NUL is refused");
        promise(body.starts_with(passed.bytes) && is_clean(passed.bytes), "nothing is passed on but what is clean");
    }
    if (const smtp::Slot slot = slot_in(reply.text); slot != 0) {
        promise(slot > last_tag_ && questions_.at(slot).about == About::dot, "an answer belongs to its message");
        last_tag_ = slot;
    }
    sender_accepted_ = false;
    bodies_.pop_front();
    audited_ += end;
    ++answered_;
    in_body_ = false;
    return true;
}

void Transcript::audit_command(string_view line, const Heard& reply) {
    const smtp::Command command = smtp::parse_command(line);
    const bool had_enough = reply.code == 421 && reply.text == "4.7.0 too many errors\n";
    const bool restarts =
        draining_ && command.verb == Verb::rset && reply.code == 421 && reply.text.starts_with("4.3.2 ");
    const bool refused_data = command.verb == Verb::data && reply.code != 354;
    const bool followed = command.verb == Verb::starttls && reply.code == 554;
    if (had_enough || restarts || command.verb == Verb::quit || command.verb == Verb::bdat || refused_data ||
        followed) {
        leaving_ = true;
    }
    if (had_enough || restarts) return;
    if (line.size() > longest_line) {
        promise(reply.code == 500 || reply.code == 554, "too long a line is an error");
    } else if (smtp::is_foreign_protocol(line)) {
        promise(reply.code == 554, "another protocol is sent away");
        leaving_ = true;
    } else if (has_bare_control(line)) {
        promise(reply.code == 550, "a line with a bare CR, LF or NUL is refused");
    } else {
        promise(may_answer(command, reply.code), "the reply is of a kind that belongs to its command");
    }
    audit_tag(command, reply);
    audit_recipient(command, reply.code);
}

/// No recipient is accepted whose sender is not. In doubt the sender counts as accepted.
void Transcript::audit_recipient(const smtp::Command& command, int code) {
    const bool is_positive = code >= 200 && code < 300;
    if (command.verb == Verb::mail && is_positive) sender_accepted_ = true;
    const bool begins_anew = command.verb == Verb::ehlo || command.verb == Verb::helo || command.verb == Verb::rset ||
                             command.verb == Verb::starttls;
    if (begins_anew && is_positive) {
        sender_accepted_ = false;
    }
    promise(command.verb != Verb::rcpt || !is_positive || sender_accepted_, "a recipient needs a sender");
}

/// A tagged reply answers its own question; a refusal may also be repeated to what came behind it in its transaction.
void Transcript::audit_tag(const smtp::Command& command, const Heard& reply) {
    const smtp::Slot slot = slot_in(reply.text);
    if (slot == 0) return;
    const auto found = questions_.find(slot);
    promise(found != questions_.end(), "an answer belongs to a question");
    const Question& question = found->second;
    if (slot <= last_tag_) return audit_repeated(command, question, reply.code);
    promise(is_about(command, question.about), "an answer belongs to its command");
    promise(path_of(command) == question.path, "an answer belongs to its address");
    last_tag_ = slot;
    audited_transaction_ = question.transaction;
}

void Transcript::audit_repeated(const smtp::Command& command, const Question& question, int code) const {
    promise(is_refusal(code), "only a refusal is said twice");
    promise(command.verb == Verb::rcpt || command.verb == Verb::data, "only recipients and DATA share a refusal");
    promise(question.transaction == audited_transaction_, "a refusal is not taken along to the next message");
}

void Transcript::audit_idle() {
    if (!greeted_) promise(take_reply().code == 220, "a session begins with 220");
    greeted_ = true;
    while (audit_next()) continue;
    promise(heard_.empty(), "nothing is said that nobody asked for");
}

void Transcript::audit_end(End end) {
    if (end == End::lost && heard_.empty()) return;
    if (!greeted_) promise(take_reply().code == 220, "a session begins with 220");
    greeted_ = true;
    while (!heard_.empty() && audit_next()) continue;
    if (!heard_.empty()) {
        const Heard last = take_reply();
        const bool timed_out = end == End::timed_out && last.code == 421 && last.text.starts_with("4.4.2 ");
        const bool foreign = last.code == 554 && smtp::is_foreign_protocol(rest());
        promise(timed_out || (foreign && !in_body_), "the last word is an answer");
        promise(heard_.empty(), "nothing comes after the last word");
    } else if (end == End::by_session) {
        promise(leaving_ || (draining_ && rest().empty()), "a session does not end for no reason");
    }
}

}  // namespace weir::test
