#include "weir/proxy/relay_directory.hpp"

#include <algorithm>
#include <utility>

namespace weir::proxy {
namespace {

constexpr core::Duration first_pause = std::chrono::seconds(1);
constexpr core::Duration longest_pause = std::chrono::seconds(30);

}  // namespace

RelayDirectory::RelayDirectory(std::vector<RelayAddress> relays) {
    replace(std::move(relays));
}

void RelayDirectory::replace(std::vector<RelayAddress> relays) {
    const std::lock_guard lock(mutex_);
    std::vector<Entry> entries;
    for (RelayAddress& relay : relays) {
        Entry* known = find(relay);
        if (known != nullptr) {
            entries.push_back(std::move(*known));
        } else {
            entries.emplace_back().address = std::move(relay);
        }
    }
    entries_ = std::move(entries);
}

std::vector<RelayAddress> RelayDirectory::candidates(core::TimePoint now) const {
    const std::lock_guard lock(mutex_);
    std::vector<RelayAddress> result;
    for (const Entry& entry : entries_) {
        if (entry.failures == 0 || entry.retry_at <= now) result.push_back(entry.address);
    }
    return result;
}

void RelayDirectory::on_connected(const RelayAddress& relay, const smtp::Extensions& extensions) {
    const std::lock_guard lock(mutex_);
    if (Entry* entry = find(relay)) {
        entry->extensions = extensions;
        entry->failures = 0;
        entry->trouble = {};
    }
}

void RelayDirectory::on_failed(const RelayAddress& relay, Trouble trouble, core::TimePoint now) {
    const std::lock_guard lock(mutex_);
    if (Entry* entry = find(relay)) {
        const auto doublings = std::min(entry->failures++, 5U);
        entry->retry_at = now + std::min(first_pause * (1U << doublings), longest_pause);
        entry->trouble = std::move(trouble);
    }
}

smtp::Extensions RelayDirectory::offer() const {
    const std::lock_guard lock(mutex_);
    std::optional<smtp::Extensions> all;
    for (const Entry& entry : entries_) {
        if (!entry.extensions) continue;
        all = all ? smtp::intersection(*all, *entry.extensions) : *entry.extensions;
    }
    return all.value_or(smtp::unknown_relay_extensions());
}

bool RelayDirectory::is_known() const {
    const std::lock_guard lock(mutex_);
    return std::any_of(entries_.begin(), entries_.end(),
                       [](const Entry& entry) { return entry.extensions.has_value(); });
}

RelayDirectory::Trouble RelayDirectory::last_trouble() const {
    const std::lock_guard lock(mutex_);
    for (const Entry& entry : entries_) {
        if (!entry.trouble.error) continue;
        return {.error = entry.trouble.error, .text = entry.address.text + ": " + entry.trouble.text};
    }
    return {};
}

std::vector<RelayDirectory::Status> RelayDirectory::status() const {
    const std::lock_guard lock(mutex_);
    std::vector<Status> result;
    for (const Entry& entry : entries_) {
        result.push_back({.relay = entry.address.text,
                          .reachable = entry.extensions && entry.failures == 0,
                          .last_error = entry.trouble.text});
    }
    return result;
}

RelayDirectory::Entry* RelayDirectory::find(const RelayAddress& relay) {
    const auto found =
        std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.address == relay; });
    return found == entries_.end() ? nullptr : &*found;
}

}  // namespace weir::proxy
