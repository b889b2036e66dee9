#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "value.hpp"
#include "weir/config/keys.hpp"

namespace weir::config {

/// One key of a section: what it is called, and how its value gets into the section's settings.
///
/// A section is a table of these. The parser reads by it, and known_keys() lists it, so the two cannot disagree.
template <class Settings>
struct Field {
    std::string_view key;
    void (*read)(const Value& value, Settings& settings);
    /// Lists the keys below this one, if its value is a section too.
    void (*list_below)(const std::string& path, std::vector<Key>& keys) = nullptr;
};

/// Handles a key that is in none of the section's fields.
void read_unknown(const Value& value, const Entry& entry, const std::vector<std::string_view>& known);

/// Reads a map by its table. Returns whether it was a map at all.
template <class Settings, std::size_t N>
bool read_map(const Value& value, const std::array<Field<Settings>, N>& fields, std::string_view allowed,
              Settings& settings) {
    if (!value.expect(Node::Kind::map, allowed)) return false;
    for (const Entry& entry : value.node().entries) {
        const auto field =
            std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return f.key == entry.key; });
        if (field != fields.end()) {
            field->read(value.member(entry), settings);
            continue;
        }
        std::vector<std::string_view> known;
        for (const auto& f : fields) known.push_back(f.key);
        read_unknown(value, entry, known);
    }
    return true;
}

template <class Settings, std::size_t N>
void list_keys(const std::array<Field<Settings>, N>& fields, const std::string& prefix, std::vector<Key>& keys) {
    for (const auto& field : fields) {
        const std::string path = prefix + std::string(field.key);
        keys.push_back({.path = path});
        if (field.list_below != nullptr) field.list_below(path, keys);
    }
}

/// The value of a map's key; none if the map lacks it, or is no map.
[[nodiscard]] std::optional<Value> find(const Value& value, std::string_view key);

/// Complains about every key that a map has twice, here and everywhere below: YAML forbids it, yaml-cpp lets it pass,
/// and one of the two values would silently not count.
void report_duplicate_keys(const Value& value);

}  // namespace weir::config
