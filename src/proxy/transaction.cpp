#include "transaction.hpp"

#include <utility>

namespace weir::proxy {
namespace {

using core::Errc;
using core::Error;
using smtp::Reply;

/// How long replies that are due may be kept, so that one write carries them all.
constexpr core::Duration patience = std::chrono::milliseconds(20);

}  // namespace

Transaction::Transaction(UpstreamPool& pool, UpstreamPool::Lease lease, const core::Clock& clock, Impatience impatience)
    : pool_(pool),
      lease_(std::move(lease)),
      clock_(clock),
      impatience_(std::move(impatience)),
      extensions_(lease_->connection().session().extensions()),
      relay_(lease_->connection().relay().text) {}

void Transaction::mail(smtp::Slot slot, const smtp::MailRequest& request) {
    queued_.push_back({.slot = slot, .line = mail_command(request, extensions_), .is_mail = true});
}

void Transaction::rcpt(smtp::Slot slot, const smtp::RcptRequest& request) {
    queued_.push_back({.slot = slot, .line = rcpt_command(request, extensions_), .is_mail = false});
}

net::Task<std::vector<Transaction::Answered>> Transaction::settle() {
    std::vector<Answered> answers;
    std::size_t sent = 0;
    while (!failure_ && answers.size() < queued_.size()) {
        if (sent == answers.size()) sent = send_from(sent);
        auto reply = co_await read_reply(envelope_timeout);
        if (reply && std::exchange(reset_due_, false)) {
            if (reply->is_positive()) continue;
            reply = Errc::unexpected_reply;
        }
        // "421 4.4.2 idle timeout" in answer to the first command of a kept connection: it had died before.
        const bool lost = !reply || (reply->code == 421 && answers.empty() && accepted_lines_.empty());
        if (lost && may_replace()) {
            if (co_await replace_connection()) sent = answers.size();
            continue;
        }
        if (!reply) {
            fail(reply.error());
            break;
        }
        const Queued& asked = queued_[answers.size()];
        if (reply->code == 421) on_farewell();
        if (reply->is_positive() && may_replace()) accepted_lines_.push_back(asked.line);
        answers.push_back({.slot = asked.slot, .reply = std::move(*reply), .is_mail = asked.is_mail, .by_relay = true});
    }
    // Lost in the middle: the commands that got no answer from the relay get one from us.
    for (std::size_t i = answers.size(); i < queued_.size(); ++i) {
        answers.push_back(
            {.slot = queued_[i].slot, .reply = *failure_, .is_mail = queued_[i].is_mail, .by_relay = false});
    }
    queued_.clear();
    co_return answers;
}

/// Queues the lines from `first` on: all of them for a relay that pipelines, else one. Returns how far it got.
std::size_t Transaction::send_from(std::size_t first) {
    RelayConnection& connection = lease_->connection();
    if (std::exchange(connection.needs_reset, false)) {
        connection.queue("RSET\r\n");
        reset_due_ = true;
        if (!extensions_.pipelining) return first;
    }
    const std::size_t end = extensions_.pipelining ? queued_.size() : first + 1;
    for (std::size_t i = first; i < end; ++i) connection.queue(queued_[i].line);
    return end;
}

net::Task<Reply> Transaction::data() {
    if (failure_) co_return *failure_;
    lease_->connection().queue("DATA\r\n");
    auto reply = co_await read_reply(data_timeout);
    if (!reply && may_replace()) {
        if (!co_await replace_connection()) co_return *failure_;
        lease_->connection().queue("DATA\r\n");
        reply = co_await read_reply(data_timeout);
    }
    if (!reply) co_return fail(reply.error());
    if (reply->code == 354) {
        data_open_ = true;
        accepted_lines_.clear();
        ++lease_->connection().messages;
    } else if (reply->code == 421) {
        on_farewell();
    } else if (reply->code < 400) {
        reusable_ = false;  // it says what cannot be said here
    }
    co_return std::move(*reply);
}

net::Task<> Transaction::body(std::string_view bytes) {
    if (failure_) co_return;
    const auto before = clock_.now();
    const Error error = co_await lease_->connection().write_body(bytes, body_write_timeout);
    waited_ += clock_.now() - before;
    if (!error) co_return;
    // The relay may have said why before it hung up ("552 message too big", "421 shutting down").
    lease_->connection().expect_reply();
    auto reply = co_await lease_->connection().read_reply(patience);
    if (reply && reply->code >= 400) {
        if (reply->code == 421) on_farewell();
        drop(std::move(*reply));
    } else {
        fail(error);
    }
}

net::Task<Reply> Transaction::end() {
    if (failure_) co_return *failure_;
    lease_->connection().expect_reply();
    auto reply = co_await read_reply(end_of_body_timeout);
    data_open_ = false;
    if (!reply) {
        outcome_unknown_ = true;
        fail(reply.error());
        co_return Reply(451, "4.4.2 weir: delivery unknown, relay " + relay_ +
                                 " lost after the final dot: " + reply.error().message());
    }
    if (reply->code == 421) on_farewell();
    if (reply->code < 200 || (reply->code >= 300 && reply->code < 400)) reusable_ = false;
    co_return std::move(*reply);
}

void Transaction::drop(Reply why) {
    lease_.reset();
    failure_ = std::move(why);
}

void Transaction::cancel() {
    if (lease_) lease_->connection().cancel();
}

void Transaction::finish() {
    if (!lease_ || !reusable_ || data_open_) {
        lease_.reset();
        return;
    }
    lease_->give_back();
    lease_.reset();
}

void Transaction::abandon() {
    if (lease_) lease_->connection().needs_reset = true;
    finish();
}

net::Task<core::Result<Reply>> Transaction::read_reply(core::Duration timeout) {
    const auto before = clock_.now();
    auto reply = co_await lease_->connection().read_reply(patience);
    if (!reply && reply.error() == Errc::timed_out) {
        co_await impatience_();
        reply = co_await lease_->connection().read_reply(timeout - patience);
    }
    waited_ += clock_.now() - before;
    co_return reply;
}

/// Only a connection that was used before can have died without our doing, and only before the body.
bool Transaction::may_replace() const {
    return lease_ && lease_->is_reused() && !replaced_ && !data_open_ && reusable_;
}

/// A new connection, told what the old one had accepted. That must go as before, for its replies have been passed on.
net::Task<bool> Transaction::replace_connection() {
    replaced_ = true;
    reset_due_ = false;
    lease_.reset();
    co_await impatience_();
    auto lease = co_await pool_.acquire(/*fresh=*/true);
    if (!lease) {
        failure_ = pool_.refusal_for(lease.error());
        unreachable_ = true;
        co_return false;
    }
    lease_ = std::move(*lease);
    extensions_ = lease_->connection().session().extensions();
    relay_ = lease_->connection().relay().text;
    for (const std::string& line : accepted_lines_) {
        lease_->connection().queue(line);
        const auto reply = co_await read_reply(envelope_timeout);
        if (!reply || !reply->is_positive()) {
            fail(reply ? Error(Errc::unexpected_reply) : reply.error());
            co_return false;
        }
    }
    co_return true;
}

/// The reply goes to Postfix as it is: another relay of the same ISP would only be asked for what this one refused.
/// The next messages go there.
void Transaction::on_farewell() {
    reusable_ = false;
    pool_.on_farewell(lease_->connection().relay());
}

Reply Transaction::fail(const Error& error) {
    lease_.reset();
    failure_ = Reply(451, "4.4.2 weir: relay " + relay_ + " lost: " + error.message());
    return *failure_;
}

}  // namespace weir::proxy
