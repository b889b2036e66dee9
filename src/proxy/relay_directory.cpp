#include "weir/proxy/relay_directory.hpp"

#include <algorithm>
#include <utility>

namespace weir::proxy {
namespace {

constexpr core::Duration first_pause = std::chrono::seconds(1);
constexpr core::Duration longest_pause = std::chrono::seconds(30);
// What refuses a login counts it, too.
constexpr core::Duration longest_login_pause = std::chrono::minutes(10);
constexpr core::Duration rest = std::chrono::seconds(30);
// Whoever was given a relay to try has told by then how it went; if not, somebody else may.
constexpr core::Duration one_probe = std::chrono::seconds(60);

}  // namespace

bool RelayDirectory::Trouble::is_about_tls() const {
    return error == core::Errc::tls_failed || error == core::Errc::tls_not_offered;
}

bool RelayDirectory::Trouble::is_about_login() const {
    return error == core::Errc::auth_failed || error == core::Errc::auth_unavailable ||
           error == core::Errc::auth_needs_tls || error == core::Errc::secret_unavailable;
}

RelayDirectory::RelayDirectory(std::vector<RelayAddress> relays, std::uint32_t seed) : random_(seed) {
    replace(std::move(relays));
}

void RelayDirectory::replace(std::vector<RelayAddress> relays) {
    const std::lock_guard lock(mutex_);
    std::vector<Entry> entries;
    for (RelayAddress& relay : relays) {
        Entry* known = find(relay);
        if (known != nullptr) {
            if (known->trouble.is_about_login()) known->retry_at = {};
            entries.push_back(std::move(*known));
        } else {
            entries.emplace_back().address = std::move(relay);
        }
    }
    entries_ = std::move(entries);
}

std::vector<RelayAddress> RelayDirectory::candidates(core::TimePoint now) {
    const std::lock_guard lock(mutex_);
    std::vector<RelayAddress> usable;
    std::vector<RelayAddress> resting;
    std::vector<RelayAddress> failed;
    for (Entry& entry : entries_) {
        if (entry.is_usable(now)) {
            usable.push_back(entry.address);
        } else if (entry.failures == 0) {
            resting.push_back(entry.address);
        } else if (entry.retry_at <= now) {
            failed.push_back(entry.address);
            if (entry.trouble.is_about_login()) entry.retry_at = now + one_probe;
        }
    }
    usable.insert(usable.end(), resting.begin(), resting.end());
    usable.insert(usable.end(), failed.begin(), failed.end());
    return usable;
}

bool RelayDirectory::is_preferred(const RelayAddress& relay, core::TimePoint now) const {
    const std::lock_guard lock(mutex_);
    bool is_before_the_first_usable = true;
    bool is_any_usable = false;
    bool is_chosen = false;
    for (const Entry& entry : entries_) {
        if (entry.address == relay) is_chosen = is_before_the_first_usable && entry.rest_until <= now;
        // Nothing is sent to a relay only because it might answer: it has to have been heard.
        if (!entry.is_usable(now) || !entry.extensions) continue;
        is_any_usable = true;
        is_before_the_first_usable = false;
    }
    return is_chosen || !is_any_usable;
}

std::optional<RelayAddress> RelayDirectory::take_probe(core::TimePoint now) {
    const std::lock_guard lock(mutex_);
    const auto first_usable =
        std::find_if(entries_.begin(), entries_.end(), [now](const Entry& entry) { return entry.is_usable(now); });
    if (first_usable == entries_.end()) return std::nullopt;  // then messages try what there is
    for (auto entry = entries_.begin(); entry != first_usable; ++entry) {
        if (entry->failures == 0 || entry->retry_at > now) continue;
        entry->retry_at = now + one_probe;
        return entry->address;
    }
    return std::nullopt;
}

std::vector<RelayAddress> RelayDirectory::take_unheard(core::TimePoint now) {
    const std::lock_guard lock(mutex_);
    std::vector<RelayAddress> result;
    for (Entry& entry : entries_) {
        if (entry.extensions || entry.retry_at > now) continue;
        entry.retry_at = now + one_probe;
        result.push_back(entry.address);
    }
    return result;
}

bool RelayDirectory::on_connected(const RelayAddress& relay, const smtp::Extensions& extensions) {
    const std::lock_guard lock(mutex_);
    Entry* entry = find(relay);
    if (entry == nullptr) return false;
    entry->extensions = extensions;
    entry->trouble = {};
    return std::exchange(entry->failures, 0) > 0;
}

void RelayDirectory::on_failed(const RelayAddress& relay, Trouble trouble, core::TimePoint now) {
    const std::lock_guard lock(mutex_);
    if (Entry* entry = find(relay)) {
        const auto doublings = std::min(entry->failures++, 10U);
        const core::Duration longest = trouble.is_about_login() ? longest_login_pause : longest_pause;
        entry->retry_at = now + with_jitter(std::min(first_pause * (1U << doublings), longest));
        entry->trouble = std::move(trouble);
    }
}

void RelayDirectory::on_farewell(const RelayAddress& relay, core::TimePoint now) {
    const std::lock_guard lock(mutex_);
    if (entries_.size() < 2) return;
    if (Entry* entry = find(relay)) entry->rest_until = now + with_jitter(rest);
}

smtp::Extensions RelayDirectory::offer() const {
    const std::lock_guard lock(mutex_);
    std::optional<smtp::Extensions> all = common(/*only_reachable=*/true);
    if (!all) all = common(/*only_reachable=*/false);
    return all.value_or(smtp::unknown_relay_extensions());
}

/// What all of them offered that were heard, if any was.
std::optional<smtp::Extensions> RelayDirectory::common(bool only_reachable) const {
    std::optional<smtp::Extensions> all;
    for (const Entry& entry : entries_) {
        if (!entry.extensions || (only_reachable && entry.failures > 0)) continue;
        all = all ? smtp::intersection(*all, *entry.extensions) : *entry.extensions;
    }
    return all;
}

/// A quarter more or less, so that many Weirs do not come back to a relay at one moment.
core::Duration RelayDirectory::with_jitter(core::Duration pause) {
    std::uniform_int_distribution<core::Duration::rep> spread(-pause.count() / 4, pause.count() / 4);
    return pause + core::Duration(spread(random_));
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
