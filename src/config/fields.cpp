#include "fields.hpp"

#include <map>

#include "later.hpp"
#include "spelling.hpp"

namespace weir::config {
namespace {

/// Where a key belongs that was written in the wrong section: `relays` is "upstream.relays".
std::string other_home(const std::string& key) {
    for (const Key& known : known_keys()) {
        const auto dot = known.path.rfind('.');
        if (dot != std::string::npos && known.path.substr(dot + 1) == key) return known.path;
    }
    return "";
}

std::string joined(const std::vector<std::string_view>& words) {
    std::string text;
    for (const auto word : words) text += (text.empty() ? "" : ", ") + std::string(word);
    return text;
}

}  // namespace

void read_unknown(const Value& value, const Entry& entry, const std::vector<std::string_view>& known) {
    const Value member = value.member(entry);
    if (read_later_key(member)) return;
    std::string remedy;
    if (const auto guess = nearest(entry.key, known)) {
        remedy = "did you mean " + std::string(*guess) + "?";
    } else if (const std::string home = other_home(entry.key); !home.empty()) {
        remedy = "did you mean " + home + "?";
    } else {
        remedy = "known here are " + joined(known);
    }
    member.key_error("unknown key; " + remedy);
}

std::optional<Value> find(const Value& value, std::string_view key) {
    for (const Entry& entry : value.node().entries) {
        if (entry.key == key) return value.member(entry);
    }
    return std::nullopt;
}

void report_duplicate_keys(const Value& value) {
    std::map<std::string_view, int> first_line;
    for (const Entry& entry : value.node().entries) {
        const Value member = value.member(entry);
        const auto [first, is_new] = first_line.emplace(entry.key, entry.at.line);
        if (!is_new) {
            member.key_error("given twice, first in line " + std::to_string(first->second) + "; give it once");
        }
        report_duplicate_keys(member);
    }
    for (std::size_t i = 0; i < value.node().items.size(); ++i) report_duplicate_keys(value.item(i));
}

}  // namespace weir::config
