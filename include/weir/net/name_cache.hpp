#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "weir/net/name_answer.hpp"

namespace weir::net {

/// For how long an answer of the name service is used.
///
/// The TTL is bounded on both sides: a TTL of 0 must not cost a lookup per connection, and a relay that moves should
/// be found again within minutes, whatever its old TTL was.
struct NameLimits {
    core::Duration least_ttl = std::chrono::seconds(5);
    core::Duration most_ttl = std::chrono::minutes(5);
    core::Duration negative_ttl = std::chrono::seconds(5);  ///< for "no such name", and for no answer at all
    core::Duration stale_for = std::chrono::hours(1);       ///< after its TTL, while the name service fails (RFC 8767)
    core::Duration retry = std::chrono::seconds(30);        ///< a stale answer serves so long before asking again
};

/// Answers of the name service, while they may be used.
///
/// Time:    steady time, given by the caller.
/// Threads: not synchronised; one owner.
class NameCache {
public:
    explicit NameCache(NameLimits limits = {}) : limits_(limits) {}

    /// What may be used without asking: the addresses, or that there are none.
    [[nodiscard]] std::optional<core::Result<NameAnswer>> find(const std::string& question, core::TimePoint now) const;

    /// What may be used when asking is of no avail; null if there is nothing.
    [[nodiscard]] const NameAnswer* find_stale(const std::string& question, core::TimePoint now) const;

    /// Takes an answer, or why there is none. Errc::name_not_found is an answer, and replaces an earlier one; any
    /// other error leaves the earlier one in use, as long as it is not too old.
    void store(const std::string& question, core::Result<NameAnswer> answer, core::TimePoint now);

    void clear() { entries_.clear(); }
    [[nodiscard]] std::size_t size() const { return entries_.size(); }

private:
    struct Entry {
        core::Result<NameAnswer> answer;
        core::TimePoint fresh_until;
        core::TimePoint usable_until;
    };

    NameLimits limits_;
    std::map<std::string, Entry> entries_;
};

}  // namespace weir::net
