#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "weir/core/result.hpp"
#include "weir/core/time.hpp"
#include "weir/proxy/settings.hpp"
#include "weir/smtp/extensions.hpp"

namespace weir::proxy {

/// What is known of each relay: what it offers, whether it can be reached, when to try it again.
///
/// A relay that could not be reached, or would not talk to us, backs off: for a second, then two, up to half a minute,
/// with jitter; longer would keep mail waiting after it has come back. One that said 421 in a transaction rests for
/// half a minute, if there is another. A relay is usable while it does neither.
///
/// New work goes to the first usable relay. A better one that has failed is asked again by a probe, not by somebody's
/// message, and once it has answered, connections to lesser relays get no new work.
///
/// Time:    steady time, given by the caller.
/// Threads: synchronised; all workers share one.
class RelayDirectory {
public:
    /// `seed` is that of the jitter.
    explicit RelayDirectory(std::vector<RelayAddress> relays, std::uint32_t seed = std::random_device()());

    /// A reload: what is known of relays that stay is kept. A login that failed may be tried again at once.
    void replace(std::vector<RelayAddress> relays);

    /// The relays that may be tried for a message, in this order: the usable ones, those that rest, and at last those
    /// whose back-off is over; each kind in the order of preference.
    ///
    /// One that refused our login is given to one caller only, and seldom: providers lock accounts for wrong passwords.
    [[nodiscard]] std::vector<RelayAddress> candidates(core::TimePoint now);

    /// Whether a connection that is open already may carry the next message: it leads to the first usable relay or to
    /// a better one, or no relay is usable.
    [[nodiscard]] bool is_preferred(const RelayAddress& relay, core::TimePoint now) const;

    /// A failed relay that is better than the usable ones and whose back-off is over: the caller is to try it. It is
    /// given to one caller only.
    [[nodiscard]] std::optional<RelayAddress> take_probe(core::TimePoint now);

    /// Relays that have not been heard yet and do not back off, likewise.
    [[nodiscard]] std::vector<RelayAddress> take_unheard(core::TimePoint now);

    /// Returns whether it had failed before.
    bool on_connected(const RelayAddress& relay, const smtp::Extensions& extensions);

    struct Trouble {
        core::Error error;
        std::string text;  ///< in words

        [[nodiscard]] bool is_about_tls() const;
        [[nodiscard]] bool is_about_login() const;
    };
    void on_failed(const RelayAddress& relay, Trouble trouble, core::TimePoint now);

    /// The relay said 421 to a command. It did answer: whatever the reason is, it is left alone for a while, if there
    /// is another relay for the next message.
    void on_farewell(const RelayAddress& relay, core::TimePoint now);

    /// What to offer to Postfix: what all relays that can be reached offer. While none can, what all offered that were
    /// heard before, or what harms least.
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
        core::TimePoint retry_at{};  ///< the end of the back-off; of what has not failed, when to ask again
        core::TimePoint rest_until{};
        Trouble trouble;

        [[nodiscard]] bool is_usable(core::TimePoint now) const { return failures == 0 && rest_until <= now; }
    };

    [[nodiscard]] Entry* find(const RelayAddress& relay);
    [[nodiscard]] core::Duration with_jitter(core::Duration pause);
    [[nodiscard]] std::optional<smtp::Extensions> common(bool only_reachable) const;

    mutable std::mutex mutex_;
    std::vector<Entry> entries_;
    std::minstd_rand random_;
};

}  // namespace weir::proxy
