#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/core/time.hpp"

namespace weir::telemetry {

/// How a transaction, or one recipient of it, ended.
enum class Outcome : std::uint8_t {
    relayed,         ///< the relay's own 250 was passed on
    held,            ///< Weir answered 451 by its own decision (see HeldReason)
    relay_tempfail,  ///< the relay answered 4xx, or went away
    relay_reject,    ///< the relay answered 5xx, or Weir refused broken syntax (550 5.5.2)
    aborted,         ///< Postfix went away or sent RSET after DATA was possible; also address probes
};

enum class HeldReason : std::uint8_t { limit, quarantine, relay_hold, relay_unreachable };

/// Class of a relay's reply. Until replies are classified by text it is the first digit's meaning.
enum class ReplyClass : std::uint8_t { ok, rate, reputation, auth, recipient, content, system };

enum class Side : std::uint8_t { client, relay };

[[nodiscard]] std::string_view to_string(Outcome outcome);
[[nodiscard]] std::string_view to_string(HeldReason reason);
[[nodiscard]] std::string_view to_string(ReplyClass reply_class);

/// Every metric Weir exports, by the names of the public face; nothing else knows a metric's name.
///
/// Labels come from the configuration or from the enumerations above, never from mail, but for at most 20
/// top-origin series. Whatever the callers do, the series are bounded: a label takes at most 64 lanes, 256 limits,
/// 64 relays and 32 kinds of protocol error, and everything beyond is counted under the value `other`.
/// The hot-path functions neither allocate nor look anything up under a lock once a label set has been seen.
///
/// Threads: all functions may be called from any thread.
class Metrics {
public:
    Metrics();
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    /// Names the series that exist from the start. Without it a series appears, at one, with its first event, and
    /// rate() over it misses that event. Names already known are left as they are; reload calls it again.
    struct Names {
        std::vector<std::string> lanes{};  ///< "default" is always there
        std::vector<std::string> limits{};
        std::vector<std::string> relays{};
        std::vector<std::string> protocol_errors{};
    };
    void declare(const Names& names);

    void transaction_ended(std::string_view lane, Outcome outcome, core::Duration total, core::Duration added_latency);
    void recipients_ended(std::string_view lane, Outcome outcome, std::uint64_t count);
    void held(HeldReason reason, std::string_view limit);  ///< `limit` is empty unless reason is `limit`
    void relay_replied(std::string_view relay, ReplyClass reply_class);
    void relay_tls_handshake(std::string_view relay, bool is_resumed);
    void session_opened(Side side);
    void session_closed(Side side);
    void relay_connections(std::string_view relay, std::int64_t busy_change, std::int64_t idle_change);
    void protocol_error(std::string_view kind);  ///< `kind` is one of Weir's own words
    void outcome_unknown();                      ///< a relay went away between the final dot and its reply
    void config_reloaded(bool successful);
    void accept_failed();

    /// What is read at scrape time rather than counted as it happens.
    struct Snapshot {
        struct Limit {
            std::string name{};
            std::uint64_t tracked_keys = 0;
            std::optional<std::uint64_t> remaining{};
        };
        struct Origin {
            std::string origin{};
            std::uint64_t messages = 0;
        };
        std::vector<Limit> limits{};
        std::vector<Origin> top_origins{};
    };
    /// `source` is called on the scraping thread; it must outlive this object or be replaced first.
    void set_snapshot_source(std::function<Snapshot()> source);

    /// Prometheus text format 0.0.4.
    [[nodiscard]] std::string render() const;

    struct Connections {
        std::uint64_t busy = 0;
        std::uint64_t idle = 0;
    };
    /// What relay_connections() has added up to.
    [[nodiscard]] Connections connections_of(std::string_view relay) const;

    struct Totals {
        std::uint64_t relayed = 0, held = 0, relay_tempfail = 0, relay_reject = 0, aborted = 0;
        std::int64_t client_sessions = 0, relay_sessions = 0;
    };
    [[nodiscard]] Totals totals() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::telemetry
