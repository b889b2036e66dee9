#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "escape.hpp"

namespace weir::telemetry {

/// From a label's value to its series, for values that are few and stay.
///
/// The first `most` values get a series each; all further ones share the one whose label says `other`, so nothing
/// a caller passes can make a scrape grow without end. Series are made once and live as long as the table.
///
/// Threads: any. Finding a value takes no lock and no memory; adding one takes both.
template <class Series>
class SeriesTable {
public:
    using Make = std::function<Series(const std::string& label)>;

    SeriesTable(std::size_t most, Make make) : make_(std::move(make)), slots_(std::bit_ceil(2 * most)), most_(most) {}

    Series& at(std::string_view value) {
        Entry* const found = find(value);
        return found != nullptr ? found->series : add(value);
    }

    template <class Visit>
    void for_each(Visit visit) const {
        const std::lock_guard lock(mutex_);
        for (const Entry& entry : entries_) visit(entry.series);
    }

private:
    struct Entry {
        std::string value;
        Series series;
    };

    /// Slots are filled one after the other from where the hash points, never emptied, and half of them stay free.
    [[nodiscard]] std::atomic<Entry*>& slot_for(std::string_view value) {
        std::size_t i = std::hash<std::string_view>{}(value);
        for (;; ++i) {
            std::atomic<Entry*>& slot = slots_[i & (slots_.size() - 1)];
            const Entry* const entry = slot.load(std::memory_order_acquire);
            if (entry == nullptr || entry->value == value) return slot;
        }
    }

    [[nodiscard]] Entry* find(std::string_view value) { return slot_for(value).load(std::memory_order_acquire); }

    Series& add(std::string_view value) {
        if (Entry* const other = other_.load(std::memory_order_acquire)) return other->series;
        const std::lock_guard lock(mutex_);
        if (Entry* const added_meanwhile = find(value)) return added_meanwhile->series;
        if (Entry* const other = other_.load(std::memory_order_relaxed)) return other->series;
        const bool is_full = entries_.size() >= most_;
        Entry& entry = entries_.emplace_back(
            Entry{.value = std::string(value), .series = make_(is_full ? "other" : label_value(value))});
        (is_full ? other_ : slot_for(value)).store(&entry, std::memory_order_release);
        return entry.series;
    }

    Make make_;
    std::vector<std::atomic<Entry*>> slots_;
    std::size_t most_;
    std::atomic<Entry*> other_ = nullptr;
    mutable std::mutex mutex_;
    std::deque<Entry> entries_;  // guarded by mutex_; a deque, because slots_ point into it
};

}  // namespace weir::telemetry
