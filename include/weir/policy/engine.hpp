#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "weir/core/time.hpp"
#include "weir/policy/settings.hpp"
#include "weir/policy/ticket.hpp"

namespace weir::policy {

/// Who a message comes from, as far as Postfix told us (XFORWARD), else the connection's peer.
struct Origin {
    std::optional<core::IpAddress> client;  ///< none: handed in by sendmail(1), the client called `local`
    std::string login;                      ///< SASL login; empty when unknown
    std::string ident;                      ///< queue ID of first reception (XFORWARD IDENT); empty when unknown
};

/// What is known of a message at MAIL.
struct Envelope {
    Origin origin;
    std::string_view sender;  ///< the reverse-path without <>; empty is the null sender
    std::uint64_t size = 0;   ///< bytes, as declared by SIZE=; 0 when unknown
    std::string_view lane;
};

/// Why something may not go now, in values; reply_text() makes the words of it.
struct Hold {
    std::string limit;  ///< name of the limit
    std::string key;    ///< "client 203.0.113.9", "client 203.0.113.9, sender_domain example.org"
    Quantity quantity = Quantity::messages;
    std::string rate;              ///< "60/min"
    std::string burst;             ///< "5M"; only where the cost is above it and can never pass
    core::Duration retry_after{};  ///< Duration::max(): a cost above the burst, it can never pass
    std::uint32_t ref = 0;         ///< ties the reply, the log line and `weir explain` together

    /// `weir: client 203.0.113.9 is over "client" (60/min messages); next slot in 42 s; ref=4F2A9C`
    [[nodiscard]] std::string reply_text() const;
};

/// Decides, message by message, what may go to the relay now.
///
/// All limits that apply are charged together or not at all (design.md 3). A limit in observe mode is
/// charged where it can be and never refuses; what it would have refused is reported in `observed`.
///
/// Time:    steady time, given by the caller; a `now` in the past is treated as no time having gone by.
/// Errors:  none. Being over a limit is an answer, not a failure.
/// Threads: synchronised by one mutex: workers share one engine, so a bound holds over all of them.
class Engine {
public:
    explicit Engine(Settings settings, std::uint64_t hash_seed_low, std::uint64_t hash_seed_high);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    struct Answer {
        std::optional<Hold> hold;    ///< set: refuse with 451 and this text
        std::vector<Hold> observed;  ///< what limits in observe mode would have refused
    };

    /// At MAIL: charges messages, declared bytes and new sender domains, and looks whether one recipient would pass.
    /// Admitted: `ticket` holds the charges.
    [[nodiscard]] Answer admit_message(const Envelope& envelope, core::TimePoint now, Ticket& ticket);

    /// At RCPT: charges one recipient. A refused recipient leaves the ticket as it was.
    [[nodiscard]] Answer admit_recipient(Ticket& ticket, std::string_view recipient, core::TimePoint now);

    /// Gives back what the last admitted recipient was charged (the relay refused it).
    void refund_recipient(Ticket& ticket, std::size_t index, core::TimePoint now);

    /// As the body streams by, when it grows beyond what was charged: charges `extra` bytes more.
    [[nodiscard]] Answer admit_bytes(Ticket& ticket, std::uint64_t extra, core::TimePoint now);

    /// DATA is about to be sent: from here on the message counts. Transactions into which Postfix splits one message
    /// of many recipients (same IDENT, sender and client) are one message: the second one's charge is given back here.
    void commit(Ticket& ticket, core::TimePoint now);

    /// It never reached the relay (probe, refused by the relay, relay away): everything is given back.
    void refund(Ticket& ticket, core::TimePoint now);

    /// New settings; buckets of limits whose name and `per` are unchanged keep their counts.
    void reconfigure(Settings settings);

    struct LimitStatus {
        std::string name;
        Mode mode = Mode::enforce;
        std::size_t tracked_keys = 0;
        std::uint64_t held = 0;
        /// For limits `per: relay`, the messages that would pass right now.
        std::optional<std::uint64_t> remaining;
    };
    [[nodiscard]] std::vector<LimitStatus> status(core::TimePoint now) const;

    struct TopOrigin {
        std::string origin;
        std::uint64_t messages = 0;
    };
    /// The clients that sent most (Space-Saving, Metwally 2005), at most 20.
    [[nodiscard]] std::vector<TopOrigin> top_origins() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::policy
