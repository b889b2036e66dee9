#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "weir/core/time.hpp"
#include "weir/telemetry/metrics.hpp"

namespace weir::telemetry {

enum class Level : std::uint8_t { debug, info, warning, error };
enum class Format : std::uint8_t { text, json };

/// One transaction, as the log tells it. Views need only live for the call.
struct TransactionRecord {
    std::uint64_t session = 0;  ///< counts up over all workers
    std::string_view lane{};
    std::string_view client{};  ///< "203.0.113.9" or "local"
    std::string_view login{};
    std::string_view queue_id{};  ///< Postfix's current queue ID (topmost Received header); empty before the body
    std::string_view ident{};     ///< queue ID of first reception (XFORWARD IDENT)
    std::string_view sender{};
    std::size_t recipients_accepted = 0;
    std::size_t recipients_refused = 0;
    std::string_view first_recipient{};
    std::uint64_t bytes = 0;  ///< of the body, as it was on the wire
    Outcome outcome = Outcome::aborted;
    std::string_view reason{};  ///< "limit", "relay_unreachable", ...; empty when relayed
    std::string_view limit{};   ///< name of the limit, when reason is "limit"
    std::uint32_t ref = 0;      ///< of the refusal; 0: none
    std::string_view relay{};   ///< which relay, when one was asked
    std::string_view reply{};   ///< the reply that decided, first line, as Postfix got it
    core::Duration duration{};
};

/// The daemon's log: one line per event on standard error (systemd and kubectl collect it from there).
///
/// Text: `2026-11-24T04:00:00.123Z info relayed queue_id=4jYR2m5dFHz1cY4G ident=... client=203.0.113.9 ...`
/// JSON: one object per line with the same names. Whatever comes from a peer is escaped: no control characters.
/// Lines are collected and written by one write(2) as soon as the event loop has nothing else to do, or at 64 KiB.
///
/// A reader that does not read costs at most 100 ms once: from then on lines wait in 64 KiB of memory and are
/// dropped beyond it, and the first line that finds room again follows one that says how many are missing.
///
/// Owns:    nothing of `fd`, which stays open and keeps its flags: they are shared with other processes.
/// Threads: any thread may log.
class Log {
public:
    Log(Level level, Format format, int fd = 2);
    ~Log();
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;

    /// Changes level and format; reload calls it.
    void configure(Level level, Format format);

    /// One line at level info, in Postfix's words: from, to, nrcpt, size, relay. Empty fields are left out.
    void transaction(const TransactionRecord& record);
    /// `message` is a sentence; what in it comes from a peer need not be escaped beforehand.
    void event(Level level, std::string_view message);
    /// At most one line per `kind` and second, with how many were suppressed in between.
    void event_limited(Level level, std::string_view kind, std::string_view message);

    /// Writes out what has been collected.
    void flush();

    /// `schedule` is called once when a line comes to wait, and must see to it that flush() is called soon. Without a
    /// scheduler (the default, or an empty function) every line is written at once.
    ///
    /// Threads: `schedule` runs on any thread that logs, with the log locked: it may post, not log or flush.
    ///          When set_flush_scheduler() returns, the former one is not running and will not run again.
    void set_flush_scheduler(std::function<void()> schedule);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::telemetry
