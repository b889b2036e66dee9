#include "report.hpp"

#include <algorithm>

#include "weir/config/settings.hpp"

namespace weir::config {
namespace {

constexpr std::size_t longest_quote = 60;

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

bool continues_character(char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) == 0x80;
}

}  // namespace

void Report::throw_if_failed() {
    if (errors_.empty()) return;
    std::string all;
    for (const std::string& line : lines(errors_)) all += (all.empty() ? "" : "\n") + line;
    throw ConfigError(all);
}

std::vector<std::string> Report::warnings() {
    return lines(warnings_);
}

std::vector<std::string> Report::lines(std::vector<Remark>& remarks) const {
    std::stable_sort(remarks.begin(), remarks.end(), [](const Remark& a, const Remark& b) { return a.at < b.at; });
    std::vector<std::string> result;
    for (const Remark& remark : remarks) {
        result.push_back(file_ + ':' + std::to_string(remark.at.line) + ':' + std::to_string(remark.at.column) + ": " +
                         remark.message);
    }
    return result;
}

std::string in_quotes(std::string_view text) {
    std::size_t length = std::min(text.size(), longest_quote);
    while (length < text.size() && continues_character(text[length])) --length;
    std::string result = "\"";
    for (const char c : text.substr(0, length)) {
        if (c == '\n') {
            result += "\\n";
        } else if (c == '\t') {
            result += "\\t";
        } else if (is_control(c)) {
            result += '?';
        } else {
            result += c;
        }
    }
    return result + (length < text.size() ? "...\"" : "\"");
}

std::string key_text(std::string_view key) {
    const bool is_plain =
        !key.empty() && key.size() <= longest_quote && std::all_of(key.begin(), key.end(), [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
        });
    return is_plain ? std::string(key) : in_quotes(key);
}

}  // namespace weir::config
