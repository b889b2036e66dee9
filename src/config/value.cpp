#include "value.hpp"

#include <charconv>

namespace weir::config {
namespace {

std::string name_of(Node::Kind kind) {
    switch (kind) {
        case Node::Kind::null:
            return "no value";
        case Node::Kind::scalar:
            return "text";
        case Node::Kind::list:
            return "a list";
        case Node::Kind::map:
            return "a map";
    }
    return "";
}

/// "20s", "5m", "1h": the largest unit that divides it.
std::string duration_text(core::Duration duration) {
    using namespace std::chrono_literals;
    for (const auto& [unit, suffix] : {std::pair{core::Duration(1h), "h"}, {1min, "m"}, {1s, "s"}, {1ms, "ms"}}) {
        if (duration != 0s && duration % unit == 0s) return std::to_string(duration / unit) + suffix;
    }
    return "0";
}

/// Decimal digits only: to YAML 010 is eight, and 1_000 or 1e3 depend on the reader.
std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || stop != end || (text.size() > 1 && text.front() == '0')) return std::nullopt;
    return number;
}

}  // namespace

Value Value::member(const Entry& entry) const {
    const std::string dot = path_.empty() ? "" : ".";
    // The parser puts a value that is not there at whatever comes next.
    const Position value_at = entry.value.kind == Node::Kind::null ? entry.at : entry.value.at;
    return {entry.value, {.value = value_at, .key = entry.at}, path_ + dot + key_text(entry.key), *report_};
}

Value Value::item(std::size_t index) const {
    const Node& node = node_->items[index];
    return {node, {.value = node.at, .key = node.at}, path_ + '[' + std::to_string(index) + ']', *report_};
}

void Value::error(const std::string& message) const {
    report_->error(at_.value, prefixed(message));
}

void Value::refuse(const std::string& problem) const {
    error(in_quotes(node_->text) + ' ' + problem);
}

void Value::key_error(const std::string& message) const {
    report_->error(at_.key, prefixed(message));
}

void Value::warning(const std::string& message) const {
    report_->warning(at_.value, prefixed(message));
}

void Value::missing(std::string_view key, const std::string& remedy) const {
    const std::string dot = path_.empty() ? "" : ".";
    report_->error(at_.value, path_ + dot + std::string(key) + ": is missing; " + remedy);
}

bool Value::expect(Node::Kind kind, std::string_view allowed) const {
    if (node_->kind == kind) return true;
    error(node_->kind == Node::Kind::null
              ? "has no value; " + std::string(allowed)
              : "is " + name_of(node_->kind) + " and must be " + name_of(kind) + "; " + std::string(allowed));
    return false;
}

std::string Value::prefixed(const std::string& message) const {
    return path_.empty() ? "the file " + message : path_ + ": " + message;
}

std::optional<std::uint64_t> read_number(const Value& value, Range<std::uint64_t> range) {
    const std::string allowed =
        "give a whole number from " + std::to_string(range.least) + " to " + std::to_string(range.most);
    if (!value.expect(Node::Kind::scalar, allowed)) return std::nullopt;
    const auto number = parse_number(value.node().text);
    if (number && *number >= range.least && *number <= range.most) return number;
    value.refuse("is not allowed; " + allowed);
    return std::nullopt;
}

void read(const Value& value, Range<core::Duration> range, core::Duration& out) {
    const std::string allowed = "give a time from " + duration_text(range.least) + " to " + duration_text(range.most) +
                                " with its unit, as in 500ms, 20s, 5m or 1h";
    if (!value.expect(Node::Kind::scalar, allowed)) return;
    const auto duration = core::parse_duration(value.node().text);
    if (duration && *duration >= range.least && *duration <= range.most) {
        out = *duration;
    } else {
        value.refuse("is not allowed; " + allowed);
    }
}

void read(const Value& value, std::optional<core::Quota>& out, core::Counts counts) {
    const std::string allowed = counts == core::Counts::bytes
                                    ? "write it as in \"10M/h burst 50M\""
                                    : "write it as in \"60/min burst 30\", \"14/s\" or \"50000/day\"";
    if (!value.expect(Node::Kind::scalar, allowed)) return;
    const auto quota = core::parse_quota(value.node().text, counts);
    if (quota) {
        out = *quota;
    } else if (quota.error() == core::Errc::out_of_range) {
        value.refuse(
            "is out of range; rate and burst go from 1 to 1000000000000, the window from 1ns to 365d, and "
            "refilling the burst may take at most 100 years");
    } else {
        value.refuse("is not a rate; " + allowed);
    }
}

bool expect_list(const Value& value, std::string_view allowed, std::size_t most) {
    const Node& node = value.node();
    if (node.kind == Node::Kind::scalar || node.kind == Node::Kind::map) return true;
    if (!value.expect(Node::Kind::list, allowed)) return false;
    if (node.items.empty()) value.error("is empty; " + std::string(allowed));
    if (node.items.size() > most) {
        value.error("has " + std::to_string(node.items.size()) + " items; at most " + std::to_string(most) +
                    " are allowed");
    }
    return !node.items.empty() && node.items.size() <= most;
}

void complain_about_choice(const Value& value, const std::string& allowed) {
    if (!value.expect(Node::Kind::scalar, "give one of " + allowed)) return;
    value.refuse("is not known; give one of " + allowed);
}

}  // namespace weir::config
