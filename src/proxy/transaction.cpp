#include "transaction.hpp"

#include <algorithm>
#include <utility>

namespace weir::proxy {
namespace {

using core::Errc;
using core::Error;
using smtp::Reply;

/// How long replies that are due may be kept, so that one write carries them all.
constexpr core::Duration patience = std::chrono::milliseconds(20);

Reply not_allowed(const Reply& reply) {
    return {451, "4.5.0 weir: the relay answered " + reply.summary() + " where that is not allowed"};
}

}  // namespace

Transaction::Transaction(UpstreamPool& pool, UpstreamPool::Lease lease, const RelayTimeouts& timeouts,
                         const core::Clock& clock, core::TimePoint asked, Impatience impatience)
    : pool_(pool),
      lease_(std::move(lease)),
      timeouts_(timeouts),
      clock_(clock),
      impatience_(std::move(impatience)),
      extensions_(lease_->connection().session().extensions()),
      relay_(lease_->connection().relay().text),
      waiting_since_(asked) {}

void Transaction::mail(smtp::Slot slot, const smtp::MailRequest& request) {
    queued_.push_back({.slot = slot, .line = mail_command(request, extensions_), .is_mail = true});
}

void Transaction::rcpt(smtp::Slot slot, const smtp::RcptRequest& request) {
    if (queued_.empty()) waiting_since_ = clock_.now();
    queued_.push_back({.slot = slot, .line = rcpt_command(request, extensions_), .is_mail = false});
}

net::Task<> Transaction::settle(OnAnswer on_answer) {
    std::vector<Answered> ready;
    std::size_t answered = 0;
    std::size_t sent = 0;
    const std::function<void()> hand_over = [&] {
        for (const Answered& answer : std::exchange(ready, {})) on_answer(answer);
    };
    while (!failure_ && answered < queued_.size()) {
        if (sent == answered) sent = send_from(sent);
        const core::TimePoint deadline = waiting_since_ + timeouts_.envelope;
        const bool resetting = reset_due_;
        auto reply = co_await read_reply(resetting ? reset_deadline() : deadline, &hand_over);
        if (resetting && reply) {
            reset_due_ = false;
            if (reply->is_positive()) continue;
            reply = Errc::unexpected_reply;
        }
        // "421 4.4.2 idle timeout" in answer to the first command of a kept connection: it had died before. A relay
        // that is silent is not dead, and has used up the time in which another could be asked.
        const bool silent = !resetting && !reply && reply.error() == Errc::timed_out;
        const bool lost = !reply || (reply->code == 421 && answered == 0 && accepted_lines_.empty());
        if (lost && !silent && may_replace()) {
            if (co_await replace_connection(deadline)) sent = answered;
            continue;
        }
        if (!reply) {
            fail(reply.error());
            break;
        }
        if (reply->code >= 300 && reply->code < 400) {
            // It has lost count of what it was asked: nothing that follows can be trusted.
            drop(not_allowed(*reply));
            break;
        }
        waiting_since_ = clock_.now();
        const Queued& asked = queued_[answered++];
        if (reply->code == 421) on_farewell();
        if (reply->is_positive() && may_replace()) accepted_lines_.push_back(asked.line);
        ready.push_back({.slot = asked.slot, .reply = std::move(*reply), .is_mail = asked.is_mail, .by_relay = true});
    }
    if (!failure_ && lease_->connection().session().error()) {
        // There came more replies than commands had gone: nobody can tell which of them belongs to which.
        fail(lease_->connection().session().error());
        answered -= ready.size();
        ready.clear();
    }
    hand_over();
    // Lost in the middle: the commands that got no answer from the relay get one from us.
    for (; answered < queued_.size(); ++answered) {
        const Queued& asked = queued_[answered];
        on_answer({.slot = asked.slot, .reply = *failure_, .is_mail = asked.is_mail, .by_relay = false});
    }
    queued_.clear();
}

/// Queues the lines from `first` on: all of them for a relay that pipelines, else one. Returns how far it got.
std::size_t Transaction::send_from(std::size_t first) {
    RelayConnection& connection = lease_->connection();
    if (std::exchange(connection.needs_reset, false)) {
        connection.queue("RSET\r\n");
        reset_due_ = true;
        reset_sent_ = clock_.now();
        if (!extensions_.pipelining) return first;
    }
    const std::size_t end = extensions_.pipelining ? queued_.size() : first + 1;
    for (std::size_t i = first; i < end; ++i) connection.queue(queued_[i].line);
    return end;
}

net::Task<Reply> Transaction::data() {
    if (failure_) co_return *failure_;
    const core::TimePoint deadline = clock_.now() + timeouts_.data;
    lease_->connection().queue("DATA\r\n");
    auto reply = co_await read_reply(deadline);
    if (!reply && reply.error() != Errc::timed_out && may_replace()) {
        if (!co_await replace_connection(deadline)) co_return *failure_;
        lease_->connection().queue("DATA\r\n");
        reply = co_await read_reply(deadline);
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
    RelayConnection& connection = lease_->connection();
    // A relay that speaks, or hangs up, before it has the final dot has not judged the message. A "250" that was there
    // already must never be taken for the answer to the dot.
    if (!connection.is_fit_for_reuse()) co_return co_await hear_what_nobody_asked_for();
    const auto before = clock_.now();
    const Error error = co_await connection.write_body(bytes, timeouts_.body);
    waited_ += clock_.now() - before;
    if (!error) co_return;
    if (error == Errc::timed_out) {
        fail(error);
    } else {
        co_await hear_what_nobody_asked_for();
    }
}

/// The relay has given up on a body that is still on its way, and may say why: "552 too big", "421 shutting down".
net::Task<> Transaction::hear_what_nobody_asked_for() {
    RelayConnection& connection = lease_->connection();
    connection.expect_reply();
    auto reply = co_await connection.read_reply(patience);
    if (reply && reply->code >= 400) {
        if (reply->code == 421) on_farewell();
        drop(std::move(*reply));
    } else {
        fail(reply ? Error(Errc::unexpected_reply) : reply.error());
    }
}

net::Task<Reply> Transaction::end() {
    if (failure_) co_return *failure_;
    lease_->connection().expect_reply();
    auto reply = co_await read_reply(clock_.now() + timeouts_.end_of_body);
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

net::Task<core::Result<Reply>> Transaction::read_reply(core::TimePoint deadline,
                                                       const std::function<void()>* before_waiting) {
    RelayConnection& connection = lease_->connection();
    const auto before = clock_.now();
    // Not within the shorter wait: what is written by half must be written to its end, or never go on.
    if (const Error error = co_await connection.flush(deadline - before)) co_return error;
    auto reply = co_await connection.read_reply(std::min(patience, deadline - clock_.now()));
    if (!reply && reply.error() == Errc::timed_out) {
        if (before_waiting != nullptr) (*before_waiting)();
        co_await impatience_();
        reply = co_await connection.read_reply(deadline - clock_.now());
    }
    waited_ += clock_.now() - before;
    co_return reply;
}

/// RSET is Weir's own doing: only so much of Postfix's patience may be spent on it.
core::TimePoint Transaction::reset_deadline() const {
    constexpr core::Duration longest = std::chrono::seconds(15);
    return std::min(reset_sent_ + std::min(longest, timeouts_.envelope / 4), waiting_since_ + timeouts_.envelope);
}

/// Only a connection that was used before can have died without our doing, and only before the body.
bool Transaction::may_replace() const {
    return lease_ && lease_->is_reused() && !replaced_ && !data_open_ && reusable_;
}

/// A new connection, told what the old one had accepted. That must go as before, for its replies have been passed on.
net::Task<bool> Transaction::replace_connection(core::TimePoint deadline) {
    replaced_ = true;
    reset_due_ = false;
    lease_.reset();
    co_await impatience_();
    auto lease = co_await pool_.acquire(/*fresh=*/true, deadline);
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
        const auto reply = co_await read_reply(deadline);
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
