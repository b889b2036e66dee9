#include "weir/net/name_cache.hpp"

#include <algorithm>
#include <utility>

namespace weir::net {

std::optional<core::Result<NameAnswer>> NameCache::find(const std::string& question, core::TimePoint now) const {
    const auto found = entries_.find(question);
    if (found == entries_.end() || found->second.fresh_until <= now) return std::nullopt;
    return found->second.answer;
}

const NameAnswer* NameCache::find_stale(const std::string& question, core::TimePoint now) const {
    const auto found = entries_.find(question);
    if (found == entries_.end() || !found->second.answer || found->second.usable_until <= now) return nullptr;
    return &*found->second.answer;
}

void NameCache::store(const std::string& question, core::Result<NameAnswer> answer, core::TimePoint now) {
    std::erase_if(entries_, [now](const auto& entry) { return entry.second.usable_until <= now; });
    if (answer) {
        const auto fresh_until = now + std::clamp(answer->ttl, limits_.least_ttl, limits_.most_ttl);
        const auto usable_until = fresh_until + limits_.stale_for;
        entries_.insert_or_assign(question, Entry{std::move(answer), fresh_until, usable_until});
    } else if (answer.error() != core::Errc::name_not_found && find_stale(question, now) != nullptr) {
        Entry& entry = entries_.at(question);
        entry.fresh_until = std::min(now + limits_.retry, entry.usable_until);
    } else {
        const auto until = now + limits_.negative_ttl;
        entries_.insert_or_assign(question, Entry{std::move(answer), until, until});
    }
}

}  // namespace weir::net
