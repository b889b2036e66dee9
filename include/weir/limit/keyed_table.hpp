#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "weir/limit/gcra.hpp"
#include "weir/limit/siphash.hpp"

namespace weir::limit {

/// Buckets by key, four to a key, for as many keys as `max_keys` and no more.
///
/// A key whose buckets are all full is like one never seen, and is dropped without loss, a few rows at each
/// insertion. When the table is full of keys that are not, a newcomer is answered with one shared row: nobody's
/// debt is forgotten to make room, so a flood of made-up keys can neither reset an old one nor get past the bound
/// of one key together. A key that gets its own row after that starts with the shared row's debts.
///
/// Memory:  64 bytes a row, at most 93 bytes a live key while it grows; given back as keys are dropped.
///          Split into parts that grow one at a time: no insertion moves more than a 64th of the rows.
/// Threads: not synchronised; one owner.
class KeyedTable {
public:
    static constexpr std::size_t buckets_per_key = 4;

    /// One key's buckets, packed into one cache line.
    class alignas(64) Row {
    public:
        [[nodiscard]] Bucket bucket(std::size_t which) const {
            return {.full_at = full_at_[which], .returned = returned_[which]};
        }
        void set_bucket(std::size_t which, const Bucket& bucket) {
            full_at_[which] = bucket.full_at;
            returned_[which] = bucket.returned;
        }
        /// Whether this is the row that newcomers share while the table is full.
        [[nodiscard]] bool is_shared() const { return key_ == Key{}; }

    private:
        friend class KeyedTable;
        Key key_;
        std::array<Tick, buckets_per_key> full_at_{never, never, never, never};
        std::array<std::uint32_t, buckets_per_key> returned_{};
    };
    static_assert(sizeof(Row) == 64);

    /// `linger` is the longest tolerance of the paces used: a row something was given back to is kept for so long
    /// after it became full, because older charges may still come back (see Pace::give_back).
    KeyedTable(std::size_t max_keys, Tick linger);

    /// The key's row, or what a newcomer's would look like; valid until the table is next changed.
    [[nodiscard]] const Row& look(const Key& key) const;

    /// The key's row if it has one, and the shared row for Key{}.
    [[nodiscard]] Row* find(const Key& key);

    /// The key's row, made if need be; the shared row when the table is full. Valid until the table is next changed.
    [[nodiscard]] Row& obtain(const Key& key, Tick now);

    /// Drops what is full among the next `rows` rows, going round and round.
    void sweep(Tick now, std::size_t rows);

    void configure(std::size_t max_keys, Tick linger);

    template <class Visit>
    void for_each(Visit&& visit) {
        visit(shared_);
        for (Part& part : parts_) {
            for (Row& row : part.rows) {
                if (row.key_ != Key{}) visit(row);
            }
        }
    }

    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::size_t memory_bytes() const;

private:
    /// Rows in ascending order of key, each at or soon after the place its key points to. Order ends a search
    /// for a missing key early; the last row is always free and ends every search.
    struct Part {
        std::vector<Row> rows;
        std::size_t homes = 0;  // places that keys point to; some spare rows follow them
        std::size_t live = 0;

        [[nodiscard]] std::size_t home(const Key& key) const;
        [[nodiscard]] std::size_t position(const Key& key) const;
        Row& insert(const Row& row);
        void erase(std::size_t position);
        void rehash(std::size_t new_homes);
        bool try_refill(const std::vector<Row>& from);
    };

    static constexpr std::size_t part_count = 64;
    [[nodiscard]] Part& part_of(const Key& key) { return parts_[key.low % part_count]; }
    [[nodiscard]] bool is_spent(const Row& row, Tick now) const;

    std::array<Part, part_count> parts_;
    Row shared_;
    std::size_t max_keys_;
    Tick linger_;
    std::size_t size_ = 0;
    std::size_t hand_part_ = 0;
    std::size_t hand_row_ = 0;
};

}  // namespace weir::limit
