#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "upstream_pool.hpp"
#include "weir/net/task.hpp"
#include "weir/smtp/server_session.hpp"

namespace weir::proxy {

/// The relay's side of one message, from the admitted MAIL to the reply after the final dot.
///
/// The driver queues the envelope with mail() and rcpt() and has it answered in one go by settle(); then data(),
/// body() and end(). Whatever goes wrong at the relay becomes a 451 here, never silence. A connection of the pool
/// that turns out to be dead before the body has begun is replaced once: nobody outside notices.
///
/// Cancel:  destroying it closes the relay connection, unless finish() gave it back.
/// Threads: one worker's.
class Transaction {
public:
    /// What a driver does while the relay lets it wait: hand out replies that are due.
    using Impatience = std::function<net::Task<>()>;

    struct Answered {
        smtp::Slot slot;
        smtp::Reply reply;
        bool is_mail;
        bool by_relay;  ///< false: the relay was lost, the answer is Weir's
    };

    /// `asked` is when MAIL came: Postfix has been waiting for its reply since.
    Transaction(UpstreamPool& pool, UpstreamPool::Lease lease, const RelayTimeouts& timeouts, const core::Clock& clock,
                core::TimePoint asked, Impatience impatience);

    [[nodiscard]] const smtp::Extensions& extensions() const { return extensions_; }
    [[nodiscard]] const std::string& relay() const { return relay_; }

    void mail(smtp::Slot slot, const smtp::MailRequest& request);
    void rcpt(smtp::Slot slot, const smtp::RcptRequest& request);

    using OnAnswer = std::function<void(const Answered&)>;

    /// Sends what was queued and waits for the reply to each, in order. What there is is handed over before the relay
    /// is waited for: Postfix's own patience is per reply.
    net::Task<> settle(OnAnswer on_answer);

    /// DATA. 354, or why not.
    net::Task<smtp::Reply> data();

    /// Sends a piece of the body on. Once the relay is lost, pieces go nowhere and end() says why.
    net::Task<> body(std::string_view bytes);

    /// Waits for the relay's verdict on the whole message, of which the final dot has been sent.
    net::Task<smtp::Reply> end();

    /// The body must not be accepted: the connection goes, without a final dot.
    void drop(smtp::Reply why);

    /// Makes a pending wait for the relay fail.
    void cancel();

    /// The message is over: the connection goes back to the pool if it can be used again.
    void finish();

    /// No message came of it (RSET, a probe, all recipients refused): as finish(), with RSET before the next MAIL.
    void abandon();

    /// The relay went away after it had the final dot: nobody knows whether it has the message.
    [[nodiscard]] bool is_outcome_unknown() const { return outcome_unknown_; }

    /// The relay has been lost; every further answer is this one.
    [[nodiscard]] const std::optional<smtp::Reply>& failure() const { return failure_; }

    /// The pool's connection had died, and there was no other to be had.
    [[nodiscard]] bool is_unreachable() const { return unreachable_; }

    /// So much of the time was spent waiting for the relay.
    [[nodiscard]] core::Duration waited() const { return waited_; }

private:
    struct Queued {
        smtp::Slot slot;
        std::string line;
        bool is_mail;
    };

    net::Task<core::Result<smtp::Reply>> read_reply(core::TimePoint deadline,
                                                    const std::function<void()>* before_waiting = nullptr);
    std::size_t send_from(std::size_t first);
    net::Task<bool> replace_connection(core::TimePoint deadline);
    net::Task<> hear_what_nobody_asked_for();
    [[nodiscard]] bool may_replace() const;
    void on_farewell();
    [[nodiscard]] core::TimePoint reset_deadline() const;
    smtp::Reply fail(const core::Error& error);

    UpstreamPool& pool_;
    std::optional<UpstreamPool::Lease> lease_;
    RelayTimeouts timeouts_;
    const core::Clock& clock_;
    Impatience impatience_;
    smtp::Extensions extensions_;
    std::string relay_;
    std::vector<Queued> queued_;
    std::vector<std::string> accepted_lines_;  ///< to say again on another connection; kept only while that may happen
    std::optional<smtp::Reply> failure_;
    core::TimePoint waiting_since_;  ///< when Postfix began to wait for the reply that is due next
    core::Duration waited_{};
    bool replaced_ = false;
    bool reset_due_ = false;  ///< the next reply is RSET's
    core::TimePoint reset_sent_{};
    bool data_open_ = false;
    bool reusable_ = true;
    bool outcome_unknown_ = false;
    bool unreachable_ = false;
};

}  // namespace weir::proxy
