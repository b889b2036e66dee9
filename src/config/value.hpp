#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "document.hpp"
#include "report.hpp"
#include "weir/core/units.hpp"

namespace weir::config {

/// One value of the file on its way into the settings: knows its key's path and place, and complains with both.
///
/// Owns: nothing; the document and the report outlive it.
class Value {
public:
    Value(const Node& node, Report& report) : Value(node, {.value = node.at, .key = node.at}, "", report) {}

    [[nodiscard]] const Node& node() const { return *node_; }
    [[nodiscard]] const std::string& path() const { return path_; }

    [[nodiscard]] Value member(const Entry& entry) const;
    [[nodiscard]] Value item(std::size_t index) const;

    /// "FILE:LINE:COL: path: message", where the value stands, or its key where there is no value.
    void error(const std::string& message) const;
    /// An error that begins with the text in quotes: "\"0/min\" is out of range".
    void refuse(const std::string& problem) const;
    void warning(const std::string& message) const;
    /// The same where the key stands, for mistakes that are the key's.
    void key_error(const std::string& message) const;
    /// An error about `key`, which this map lacks.
    void missing(std::string_view key, const std::string& remedy) const;

    /// Whether the value is what `kind` says; complains otherwise, with `allowed` as the remedy.
    [[nodiscard]] bool expect(Node::Kind kind, std::string_view allowed) const;

private:
    struct Place {
        Position value;
        Position key;
    };

    Value(const Node& node, Place at, std::string path, Report& report)
        : node_(&node), at_(at), path_(std::move(path)), report_(&report) {}

    [[nodiscard]] std::string prefixed(const std::string& message) const;

    const Node* node_;
    Place at_;
    std::string path_;
    Report* report_;
};

// The readers below complain about what is not valid, and then leave `out` alone or return nothing.

template <class Number>
struct Range {
    Number least;
    Number most;
};

/// A whole number in plain decimal digits.
[[nodiscard]] std::optional<std::uint64_t> read_number(const Value& value, Range<std::uint64_t> range);

template <class Number>
void read(const Value& value, Range<std::uint64_t> range, Number& out) {
    if (const auto number = read_number(value, range)) out = static_cast<Number>(*number);
}

void read(const Value& value, Range<core::Duration> range, core::Duration& out);
void read(const Value& value, std::optional<core::Quota>& out, core::Counts counts = core::Counts::things);

template <class Enum>
using Choice = std::pair<std::string_view, Enum>;

void complain_about_choice(const Value& value, const std::string& allowed);

template <class Enum, std::size_t N>
std::optional<Enum> read_choice(const Value& value, const std::array<Choice<Enum>, N>& choices) {
    std::string allowed;
    for (const auto& [name, choice] : choices) {
        if (value.node().kind == Node::Kind::scalar && value.node().text == name) return choice;
        allowed += (allowed.empty() ? "" : ", ") + std::string(name);
    }
    complain_about_choice(value, allowed);
    return std::nullopt;
}

/// Whether a list is there that is neither empty nor longer than `most`. A single text or map is a list of one.
[[nodiscard]] bool expect_list(const Value& value, std::string_view allowed, std::size_t most);

/// Calls `read_item(item)` for each item of a list.
template <class ReadItem>
void read_list(const Value& value, std::string_view allowed, std::size_t most, ReadItem read_item) {
    if (!expect_list(value, allowed, most)) return;
    if (value.node().kind != Node::Kind::list) {
        read_item(value);
        return;
    }
    for (std::size_t i = 0; i < value.node().items.size(); ++i) read_item(value.item(i));
}

}  // namespace weir::config
