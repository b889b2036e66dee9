#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/core/ip.hpp"
#include "weir/core/time.hpp"
#include "weir/sim/settings.hpp"
#include "weir/smtp/reply.hpp"

namespace weir::sim {

/// Why the ISP did not simply say yes.
enum class Reason : std::uint8_t {
    none,
    connections,
    messages_per_connection,
    recipients_per_message,
    limit,
    reputation,
    greylisting,
    unknown_user,
    fault,
    protocol,  ///< the client's mistake: syntax, sequence, size; found by the session, not by the model
};

[[nodiscard]] std::string_view to_string(Reason reason);

/// What the ISP does at one stage.
struct Answer {
    enum class Then : std::uint8_t {
        go_on,
        close,  ///< after what there is to say
        reset,  ///< the same, with an RST
    };

    core::Duration delay{};            ///< first of all
    std::optional<smtp::Reply> reply;  ///< said instead of the stage's usual positive reply
    std::string raw;                   ///< said instead, as it is; not a reply at all
    Then then = Then::go_on;
    Reason reason = Reason::none;

    /// The session says yes and goes on.
    [[nodiscard]] bool is_yes() const { return !reply && raw.empty() && then == Then::go_on; }
};

class AllowanceWindow;
struct HostState;

/// One session's place in the model, to be kept with the session. Only IspModel looks inside.
class Visit {
public:
    explicit Visit(const core::IpAddress& host) : host_(host) {}

private:
    friend class IspModel;

    struct Charge {
        AllowanceWindow* window;
        std::uint64_t amount;
    };

    core::IpAddress host_;
    HostState* state_ = nullptr;
    std::uint32_t messages_ = 0;  ///< accepted at MAIL on this connection
    std::uint64_t recipients_ = 0;
    std::string sender_;
    std::vector<Charge> charges_;  ///< places held until the dot
};

/// An ISP's relay as its customers know it: limits, reputation, greylisting, unknown users and bad days.
///
/// Every function is one stage of a session, to be called in the order of Stage. What a limit counts is the message
/// that is accepted; one in progress holds its place, so that parallel sessions cannot overdraw, and gives it back
/// when it comes to nothing.
///
/// Time:    steady time, given by the caller, never going back.
/// Memory:  grows with the hosts, senders and triples seen within their windows: a tool for tests, not a fortress.
/// Threads: not synchronised; one owner.
class IspModel {
public:
    explicit IspModel(IspSettings settings);
    ~IspModel();
    IspModel(const IspModel&) = delete;
    IspModel& operator=(const IspModel&) = delete;

    /// A new connection: Stage::connect and Stage::greeting in one. Whatever the answer, leave() ends the visit.
    [[nodiscard]] Answer connect(Visit& visit, core::TimePoint now);
    void leave(Visit& visit);

    [[nodiscard]] Answer hello(Visit& visit, core::TimePoint now);
    [[nodiscard]] Answer mail(Visit& visit, std::string_view sender, core::TimePoint now);
    [[nodiscard]] Answer rcpt(Visit& visit, std::string_view recipient, core::TimePoint now);
    [[nodiscard]] Answer data(Visit& visit, core::TimePoint now);
    [[nodiscard]] Answer body(Visit& visit, core::TimePoint now);
    /// The final dot. A yes counts the message, and ends the transaction as a no does.
    [[nodiscard]] Answer end(Visit& visit, core::TimePoint now);
    /// After the 250 has been said: what may still go wrong.
    [[nodiscard]] Answer accepted(Visit& visit, core::TimePoint now);
    [[nodiscard]] Answer rset(Visit& visit, core::TimePoint now);
    [[nodiscard]] Answer quit(Visit& visit, core::TimePoint now);

    /// The transaction came to nothing without an answer of the model's: the client went away, or broke the protocol.
    void abandon(Visit& visit);

    struct Blocks {
        std::uint64_t now = 0;      ///< hosts that are blocked
        std::uint64_t started = 0;  ///< since the beginning
        core::Duration total{};     ///< time spent blocked, over all hosts
    };
    [[nodiscard]] Blocks blocks(core::TimePoint now) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::sim
