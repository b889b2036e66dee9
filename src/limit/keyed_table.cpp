#include "weir/limit/keyed_table.hpp"

#include <algorithm>
#include <iterator>

namespace weir::limit {
namespace {

// A part grows by a quarter when seven eighths full: between 73 and 93 bytes a key, spare rows included.
constexpr std::size_t first_homes = 6;
constexpr std::size_t sparse = 4;  // fewer keys than a quarter of the places: shrink

// How many rows an insertion looks at. Two would keep up with any flood; a full table tries harder.
constexpr std::size_t rows_per_insertion = 4;
constexpr std::size_t rows_when_full = 256;

constexpr std::size_t spare_rows(std::size_t homes) {
    return 8 + homes / 64;
}

}  // namespace

std::size_t KeyedTable::Part::home(const Key& key) const {
    // The high half of a product scales a 64-bit hash to any size, in order and without a division.
    return static_cast<std::size_t>((static_cast<unsigned __int128>(key.high) * homes) >> 64);
}

std::size_t KeyedTable::Part::position(const Key& key) const {
    std::size_t i = home(key);
    while (rows[i].key_ != Key{} && rows[i].key_ < key) ++i;
    return i;
}

KeyedTable::Row& KeyedTable::Part::insert(const Row& row) {
    if ((live + 1) * 8 > homes * 7) rehash(homes + homes / 4 + first_homes);
    for (;;) {
        const std::size_t at = position(row.key_);
        std::size_t free = at;
        while (rows[free].key_ != Key{}) ++free;
        if (free + 1 == rows.size()) {  // the last row stays free
            rehash(homes + homes / 4);
            continue;
        }
        const auto first = std::next(rows.begin(), static_cast<std::ptrdiff_t>(at));
        const auto last = std::next(rows.begin(), static_cast<std::ptrdiff_t>(free));
        std::move_backward(first, last, std::next(last));
        *first = row;
        ++live;
        return *first;
    }
}

void KeyedTable::Part::erase(std::size_t position) {
    std::size_t next = position + 1;
    for (; rows[next].key_ != Key{} && home(rows[next].key_) < next; ++next) rows[next - 1] = rows[next];
    rows[next - 1] = Row{};
    --live;
}

void KeyedTable::Part::rehash(std::size_t new_homes) {
    const std::vector<Row> old = std::move(rows);
    homes = new_homes;
    while (!try_refill(old)) homes += homes / 4 + 1;
}

bool KeyedTable::Part::try_refill(const std::vector<Row>& from) {
    rows = std::vector<Row>(homes + spare_rows(homes));
    std::size_t next = 0;
    for (const Row& row : from) {
        if (row.key_ == Key{}) continue;
        next = std::max(next, home(row.key_));
        if (next + 1 >= rows.size()) return false;
        rows[next++] = row;
    }
    return true;
}

KeyedTable::KeyedTable(std::size_t max_keys, Tick linger) : max_keys_(max_keys), linger_(linger) {}

void KeyedTable::configure(std::size_t max_keys, Tick linger) {
    max_keys_ = max_keys;
    linger_ = linger;
}

KeyedTable::Row* KeyedTable::find(const Key& key) {
    if (key == Key{}) return &shared_;
    Part& part = part_of(key);
    if (part.rows.empty()) return nullptr;
    Row& row = part.rows[part.position(key)];
    return row.key_ == key ? &row : nullptr;
}

const KeyedTable::Row& KeyedTable::look(const Key& key) const {
    const Row* row = const_cast<KeyedTable*>(this)->find(key);
    return row != nullptr ? *row : shared_;
}

KeyedTable::Row& KeyedTable::obtain(const Key& key, Tick now) {
    if (Row* row = find(key)) return *row;
    sweep(now, rows_per_insertion);
    if (size_ >= max_keys_) sweep(now, rows_when_full);
    if (size_ >= max_keys_) return shared_;
    Row row;
    row.key_ = key;
    row.full_at_ = shared_.full_at_;
    ++size_;
    return part_of(key).insert(row);
}

bool KeyedTable::is_spent(const Row& row, Tick now) const {
    for (std::size_t i = 0; i < buckets_per_key; ++i) {
        if (row.full_at_[i] + (row.returned_[i] != 0 ? linger_ : 0) > now) return false;
    }
    return true;
}

void KeyedTable::sweep(Tick now, std::size_t rows) {
    for (; rows > 0; --rows) {
        Part& part = parts_[hand_part_];
        if (hand_row_ >= part.rows.size()) {
            if (part.homes > first_homes && part.live * sparse < part.homes) part.rehash(part.live * 2 + first_homes);
            hand_part_ = (hand_part_ + 1) % part_count;
            hand_row_ = 0;
        } else if (part.rows[hand_row_].key_ != Key{} && is_spent(part.rows[hand_row_], now)) {
            part.erase(hand_row_);
            --size_;
        } else {
            ++hand_row_;
        }
    }
}

std::size_t KeyedTable::memory_bytes() const {
    std::size_t rows = 0;
    for (const Part& part : parts_) rows += part.rows.capacity();
    return sizeof(*this) + rows * sizeof(Row);
}

}  // namespace weir::limit
