#include "session_driver.hpp"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <utility>
#include <variant>

#include "reply_meaning.hpp"

namespace weir::proxy {
namespace {

using core::Errc;
using core::Error;
using smtp::Reply;
using telemetry::Outcome;

constexpr core::Duration reply_timeout = std::chrono::seconds(60);

Outcome outcome_of(const Reply& reply) {
    if (reply.is_positive()) return Outcome::relayed;
    return reply.is_permanent() ? Outcome::relay_reject : Outcome::relay_tempfail;
}

smtp::ServerOptions server_options(const Settings& settings, const RelayDirectory& relays, bool starttls) {
    smtp::ServerOptions options;
    options.hostname = settings.hostname;
    options.starttls = starttls;
    options.offer = relays.offer();
    options.command_timeout = settings.sessions.command_timeout;
    options.data_timeout = settings.sessions.body_timeout;
    options.min_data_rate = settings.sessions.min_body_rate;
    return options;
}

}  // namespace

SessionDriver::SessionDriver(Worker& worker, net::Connection connection, const core::IpAddress& peer, std::string lane,
                             std::shared_ptr<const net::TlsServer> tls)
    : worker_(worker),
      parts_(worker.shared().parts),
      settings_(worker.settings()),
      connection_(std::move(connection)),
      peer_(peer),
      lane_(std::move(lane)),
      tls_(std::move(tls)),
      id_(++worker.shared().last_session),
      session_(server_options(*settings_, worker.shared().relays, tls_ != nullptr)) {}

net::Task<> SessionDriver::run() {
    while (!closed_) {
        const smtp::Action action = session_.next();
        // The reply to a final dot goes out before anything is counted or logged: what lies between the relay's 250
        // and Postfix's is the window in which a crash makes a duplicate (RFC 1047).
        if (verdict_ && !std::holds_alternative<smtp::Write>(action)) account();
        const auto carry_out = [this](const auto& what) { return on(what); };
        co_await std::visit(carry_out, action);
    }
    if (verdict_) account();
}

void SessionDriver::drain() {
    draining_ = true;
    session_.drain();
    if (reading_) connection_.cancel();
}

void SessionDriver::end_if_idle_since(core::TimePoint limit) {
    if (!reading_ || message_ || request_due_since_ > limit) return;
    idle_too_long_ = true;
    connection_.cancel();
}

void SessionDriver::abort() {
    if (awaiting_verdict_) return;
    aborted_ = true;
    connection_.cancel();
    if (message_ && message_->transaction) message_->transaction->cancel();
}

net::Task<> SessionDriver::on(const smtp::Read& read) {
    const auto before = parts_.clock.now();
    if (read.begins) request_due_since_ = before;
    reading_ = true;
    const auto bytes = co_await connection_.read_some(read.timeout);
    reading_ = false;
    const auto waited = parts_.clock.now() - before;
    if (message_) message_->waited_for_client += waited;
    if (bytes) {
        session_.feed({bytes->data(), bytes->size()}, waited);
    } else if (idle_too_long_) {
        session_.fail(Errc::timed_out);
    } else if (bytes.error() == boost::asio::error::operation_aborted && draining_ && !aborted_) {
        co_return;  // woken up to see whether this is a good moment to leave
    } else {
        session_.fail(bytes.error());
    }
}

net::Task<> SessionDriver::on(const smtp::Write& write) {
    if (const Error error = co_await connection_.write_all(write.bytes, reply_timeout)) session_.fail(error);
}

/// Replies that are due, while the relay keeps us waiting for the others.
net::Task<> SessionDriver::hand_out_replies() {
    const std::string replies = session_.unsent();
    if (replies.empty()) co_return;
    if (const Error error = co_await connection_.write_all(replies, reply_timeout)) session_.fail(error);
}

net::Task<> SessionDriver::on(const smtp::AskMail& ask) {
    begin_message(ask.request);
    const policy::Envelope envelope{
        .origin = message_->origin, .sender = ask.request.path, .size = ask.request.size, .lane = lane_};
    const auto answer = parts_.engine.admit_message(envelope, message_->started, message_->ticket);
    report_observed(answer.observed);
    if (answer.hold) {
        refuse(ask.slot, hold_reply(*answer.hold), Outcome::held, "limit");
        co_return;
    }
    if (co_await take_connection(ask)) message_->transaction->mail(ask.slot, ask.request);
}

/// A relay connection for the message, or the reason why there is none, answered.
net::Task<bool> SessionDriver::take_connection(const smtp::AskMail& ask) {
    auto lease = worker_.pool().try_acquire_idle();
    if (!lease) {
        co_await hand_out_replies();
        const core::TimePoint deadline = message_->started + settings_->upstream.timeouts.envelope;
        auto acquired = co_await worker_.pool().acquire(/*fresh=*/false, deadline);
        if (!acquired) {
            parts_.metrics.held(telemetry::HeldReason::relay_unreachable, {});
            refuse(ask.slot, worker_.pool().refusal_for(acquired.error()), Outcome::held, "relay_unreachable");
            co_return false;
        }
        lease = std::move(*acquired);
    }
    const auto missing = smtp::missing_extension(ask.request, lease->connection().session().extensions());
    if (!missing.empty()) {
        // Postfix asks for what an earlier EHLO offered: at the next attempt it hears the true offer and converts the
        // message, or bounces it with its own words.
        lease->give_back();
        refuse(ask.slot, Reply(451, "4.6.3 weir: the relay does not offer " + std::string(missing)), Outcome::held,
               "relay_extension");
        co_return false;
    }
    const auto impatience = [this] { return hand_out_replies(); };
    message_->transaction.emplace(worker_.pool(), std::move(*lease), settings_->upstream.timeouts, parts_.clock,
                                  message_->started, impatience);
    co_return true;
}

net::Task<> SessionDriver::on(const smtp::AskRcpt& ask) {
    Message& message = *message_;
    if (message.first_recipient.empty()) message.first_recipient = ask.request.path;
    const auto cap = settings_->upstream.contract.recipients_per_message;
    if (cap && message.recipients_charged >= *cap) {
        ++message.recipients_held;
        session_.answer(ask.slot,
                        Reply(452, "4.5.3 weir: the relay takes " + std::to_string(*cap) + " recipients a message"));
        co_return;
    }
    const auto answer = parts_.engine.admit_recipient(message.ticket, ask.request.path, parts_.clock.now());
    report_observed(answer.observed);
    if (answer.hold) {
        ++message.recipients_held;
        message.recipient_refusal = hold_reply(*answer.hold);
        session_.answer(ask.slot, *message.recipient_refusal);
        co_return;
    }
    message.charged_recipients.emplace_back(ask.slot, message.recipients_charged++);
    message.transaction->rcpt(ask.slot, ask.request);
}

net::Task<> SessionDriver::on(const smtp::Settle&) {
    std::optional<Reply> refusal;
    const Transaction::OnAnswer on_answer = [&](const Transaction::Answered& answered) {
        if (answered.is_mail && !answered.reply.is_positive()) refusal = answered.reply;
        on_answered(answered);
    };
    co_await message_->transaction->settle(on_answer);
    Message& message = *message_;
    message.charged_recipients.clear();
    if (!refusal) co_return;
    message.transaction->abandon();
    if (message.transaction->is_unreachable()) {
        parts_.metrics.held(telemetry::HeldReason::relay_unreachable, {});
        message.reason = "relay_unreachable";
        conclude(Outcome::held, refusal->summary());
    } else {
        conclude(outcome_of(*refusal), refusal->summary());
    }
}

/// MAIL or a recipient has its answer.
void SessionDriver::on_answered(const Transaction::Answered& answered) {
    Message& message = *message_;
    if (answered.by_relay) count_reply(answered.reply, answered.is_mail ? policy::Stage::mail : policy::Stage::rcpt);
    const auto charged = std::find_if(message.charged_recipients.begin(), message.charged_recipients.end(),
                                      [&](const auto& entry) { return entry.first == answered.slot; });
    if (charged != message.charged_recipients.end()) {
        if (answered.reply.is_positive()) {
            ++message.recipients_accepted;
        } else {
            ++message.recipients_refused;
            message.recipient_refusal = answered.reply;
            parts_.engine.refund_recipient(message.ticket, charged->second, parts_.clock.now());
        }
    }
    session_.answer(answered.slot, answered.reply);
}

net::Task<> SessionDriver::on(const smtp::AskData& ask) {
    Reply reply = co_await message_->transaction->data();
    const bool is_lost = message_->transaction->failure().has_value();
    if (!is_lost) count_reply(reply, policy::Stage::data);
    if (reply.code == 354) {
        parts_.engine.commit(message_->ticket, parts_.clock.now());
        message_->committed = true;
    } else {
        message_->transaction->abandon();
        conclude(reply.is_permanent() ? Outcome::relay_reject : Outcome::relay_tempfail, reply.summary());
    }
    session_.answer(ask.slot, std::move(reply));
}

net::Task<> SessionDriver::on(const smtp::Body& body) {
    Message& message = *message_;
    message.bytes += body.bytes.size();
    message.queue_id.feed(body.bytes);
    if (message.bytes > message.bytes_charged && !message.transaction->failure()) {
        // SIZE= was absent or too small: what goes beyond it is charged as it streams by.
        const auto answer =
            parts_.engine.admit_bytes(message.ticket, message.bytes - message.bytes_charged, parts_.clock.now());
        report_observed(answer.observed);
        message.bytes_charged = message.bytes;
        if (answer.hold) {
            message.transaction->drop(hold_reply(*answer.hold));
            message.held_in_body = true;
            co_return;
        }
    }
    co_await message.transaction->body(body.bytes);
}

net::Task<> SessionDriver::on(const smtp::BodyRefused&) {
    parts_.metrics.protocol_error("bare_line_end");
    message_->transaction->drop(Reply(451, "4.5.0 refused"));
    message_->reason = "bare_line_end";
    conclude(Outcome::relay_reject, "550 5.5.2 bare <CR>, <LF> or <NUL> in the message");
    co_return;
}

net::Task<> SessionDriver::on(const smtp::EndOfBody& end) {
    awaiting_verdict_ = true;
    Reply reply = co_await message_->transaction->end();
    awaiting_verdict_ = false;
    if (!message_->transaction->failure()) message_->relays_verdict = reply;
    conclude(message_->held_in_body ? Outcome::held : outcome_of(reply),
             reply.code == 421 ? Reply(451, reply.lines.front()).summary() : reply.summary());
    session_.answer(end.slot, std::move(reply));
}

net::Task<> SessionDriver::on(const smtp::Abandon&) {
    if (!message_) co_return;
    if (message_->committed) {
        message_->transaction.reset();  // in mid-body: without a final dot the relay throws it away
    } else if (message_->transaction) {
        message_->transaction->abandon();
    }
    if (message_->recipients_accepted == 0 && message_->recipient_refusal) {
        // No recipient was left: it is the message that was refused, not Postfix that went away.
        conclude(message_->recipients_held > 0 ? Outcome::held : outcome_of(*message_->recipient_refusal),
                 message_->recipient_refusal->summary());
    } else {
        conclude(Outcome::aborted, {});
    }
}

net::Task<> SessionDriver::on(const smtp::StartTls&) {
    constexpr core::Duration timeout = std::chrono::seconds(60);
    const Error error = co_await connection_.accept_tls(*tls_, timeout);
    if (!error) co_return session_.tls_done();
    parts_.metrics.protocol_error("tls");
    parts_.log.event_limited(telemetry::Level::warning, "tls client",
                             "no TLS with " + core::format_ip(peer_) + ": " + connection_.tls_problem());
    session_.fail(Errc::tls_failed);
}

net::Task<> SessionDriver::on(const smtp::Close&) {
    closed_ = true;
    connection_.close();
    co_return;
}

void SessionDriver::begin_message(const smtp::MailRequest& request) {
    if (verdict_) account();
    message_ = std::make_unique<Message>();
    message_->started = parts_.clock.now();
    message_->sender = request.path;
    message_->bytes_charged = request.size;
    message_->origin = origin();
    const auto client = message_->origin.client;
    message_->client = client ? core::format_ip(*client) : "local";
    if (!session_.forwarded().seen && !worker_.shared().warned_of_missing_xforward.exchange(true)) {
        parts_.log.event(telemetry::Level::warning, "a message came without XFORWARD: every client counts as " +
                                                        message_->client +
                                                        "; set smtp_send_xforward_command = yes in Postfix's main.cf");
    }
}

/// The client that XFORWARD names. Mail handed in by sendmail(1) has none and says SOURCE=LOCAL; without any XFORWARD
/// the peer itself is all we know.
policy::Origin SessionDriver::origin() const {
    const smtp::Forwarded& forwarded = session_.forwarded();
    policy::Origin origin;
    origin.ident = forwarded.ident;
    origin.client = forwarded.address;
    const bool is_local = forwarded.source == smtp::Forwarded::Source::local;
    if (!origin.client && !is_local) origin.client = peer_;
    return origin;
}

Reply SessionDriver::hold_reply(const policy::Hold& hold) {
    parts_.metrics.held(telemetry::HeldReason::limit, hold.limit);
    message_->reason = "limit";
    message_->limit = hold.limit;
    message_->ref = hold.ref;
    return {451, "4.7.1 " + hold.reply_text()};
}

void SessionDriver::report_observed(const std::vector<policy::Hold>& observed) {
    for (const policy::Hold& hold : observed) {
        parts_.log.event_limited(telemetry::Level::info, "observe " + hold.limit,
                                 "observe: would hold: " + hold.reply_text());
    }
}

/// The message ends here, by our own decision.
void SessionDriver::refuse(smtp::Slot slot, Reply reply, Outcome outcome, std::string_view reason) {
    message_->reason = reason;
    conclude(outcome, reply.summary());
    session_.answer(slot, std::move(reply));
}

void SessionDriver::conclude(Outcome outcome, std::string reply) {
    verdict_.emplace(outcome, std::move(reply));
}

/// Counts and logs the message, gives back what it was charged in vain, and the relay connection.
void SessionDriver::account() {
    const auto [outcome, reply] = *std::exchange(verdict_, std::nullopt);
    Message& message = *message_;
    const auto now = parts_.clock.now();
    if (message.relays_verdict) count_reply(*message.relays_verdict, policy::Stage::data);
    if (!message.committed) parts_.engine.refund(message.ticket, now);
    core::Duration waited = message.waited_for_client;
    std::string relay;
    if (message.transaction) {
        waited += message.transaction->waited();
        relay = message.transaction->relay();
        if (message.transaction->is_outcome_unknown()) parts_.metrics.outcome_unknown();
        message.transaction->finish();
    }
    const core::Duration total = now - message.started;
    parts_.metrics.transaction_ended(lane_, outcome, total, total - waited);
    if (message.recipients_accepted > 0) parts_.metrics.recipients_ended(lane_, outcome, message.recipients_accepted);
    if (message.recipients_refused > 0)
        parts_.metrics.recipients_ended(lane_, Outcome::relay_reject, message.recipients_refused);
    if (message.recipients_held > 0) parts_.metrics.recipients_ended(lane_, Outcome::held, message.recipients_held);
    parts_.log.transaction({.session = id_,
                            .lane = lane_,
                            .client = message.client,
                            .login = {},
                            .queue_id = message.queue_id.queue_id(),
                            .ident = message.origin.ident,
                            .sender = message.sender,
                            .recipients_accepted = message.recipients_accepted,
                            .recipients_refused = message.recipients_refused + message.recipients_held,
                            .first_recipient = message.first_recipient,
                            .bytes = message.bytes,
                            .outcome = outcome,
                            .reason = message.reason,
                            .limit = message.limit,
                            .ref = message.ref,
                            .relay = relay,
                            .reply = reply,
                            .duration = total});
    message_.reset();
}

void SessionDriver::count_reply(const Reply& reply, policy::Stage stage) {
    parts_.metrics.relay_replied(message_->transaction->relay(), class_of(*settings_->classifier, reply, stage));
}

}  // namespace weir::proxy
