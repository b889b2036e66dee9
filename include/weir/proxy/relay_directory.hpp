#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "weir/core/result.hpp"
#include "weir/core/time.hpp"
#include "weir/proxy/settings.hpp"
#include "weir/smtp/extensions.hpp"

namespace weir::proxy {

/// What is known of each relay: what it offers, whether it can be reached, when to try it again.
///
/// Time:    steady time, given by the caller.
/// Threads: synchronised; all workers share one.
class RelayDirectory {
public:
    explicit RelayDirectory(std::vector<RelayAddress> relays);

    /// A reload: what is known of relays that stay is kept.
    void replace(std::vector<RelayAddress> relays);

    /// The relays that may be tried now, in order of preference. One that could not be reached is left alone for a
    /// second, then two, up to half a minute: longer would keep mail waiting after the relay has come back.
    [[nodiscard]] std::vector<RelayAddress> candidates(core::TimePoint now) const;

    void on_connected(const RelayAddress& relay, const smtp::Extensions& extensions);

    struct Trouble {
        core::Error error;
        std::string text;  ///< in words
    };
    void on_failed(const RelayAddress& relay, Trouble trouble, core::TimePoint now);

    /// What to offer to Postfix: what all relays heard so far offer, or what harms least while none was heard.
    [[nodiscard]] smtp::Extensions offer() const;

    /// True once a relay has been heard.
    [[nodiscard]] bool is_known() const;

    /// Why nothing can be sent now: the last error of the first relay that has one, and that relay's name before it.
    [[nodiscard]] Trouble last_trouble() const;

    struct Status {
        std::string relay;
        bool reachable = false;
        std::string last_error;
    };
    [[nodiscard]] std::vector<Status> status() const;

private:
    struct Entry {
        RelayAddress address;
        std::optional<smtp::Extensions> extensions;
        unsigned failures = 0;
        core::TimePoint retry_at{};
        Trouble trouble;
    };

    [[nodiscard]] Entry* find(const RelayAddress& relay);

    mutable std::mutex mutex_;
    std::vector<Entry> entries_;
};

}  // namespace weir::proxy
