#include "weir/policy/reply_facts.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace weir::policy {
namespace {

constexpr std::array stages{
    std::pair<std::string_view, Stage>{"unknown", Stage::unknown},
    std::pair<std::string_view, Stage>{"connect", Stage::connect},
    std::pair<std::string_view, Stage>{"ehlo", Stage::ehlo},
    std::pair<std::string_view, Stage>{"auth", Stage::auth},
    std::pair<std::string_view, Stage>{"mail", Stage::mail},
    std::pair<std::string_view, Stage>{"rcpt", Stage::rcpt},
    std::pair<std::string_view, Stage>{"data", Stage::data},
};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

std::size_t digits_at(std::string_view text, std::size_t at) {
    std::size_t count = 0;
    while (at + count < text.size() && is_digit(text[at + count])) ++count;
    return count;
}

/// RFC 3463 2: class "." subject "." detail. A fourth number makes it an address or a version.
std::string_view status_at_start(std::string_view text) {
    if (text.size() < 5 || (text[0] != '2' && text[0] != '4' && text[0] != '5') || text[1] != '.') return {};
    const std::size_t subject = digits_at(text, 2);
    if (subject < 1 || subject > 3 || 2 + subject >= text.size() || text[2 + subject] != '.') return {};
    const std::size_t detail = digits_at(text, 3 + subject);
    const std::size_t end = 3 + subject + detail;
    if (detail < 1 || detail > 3) return {};
    if (end + 1 < text.size() && text[end] == '.' && is_digit(text[end + 1])) return {};
    return text.substr(0, end);
}

std::string_view status_in_brackets(std::string_view text) {
    const auto last = text.find_last_not_of(" .\r\n");
    const auto open = text.rfind("(#");
    if (last == std::string_view::npos || text[last] != ')' || open == std::string_view::npos) return {};
    const auto status = status_at_start(text.substr(open + 2));
    return open + 2 + status.size() == last ? status : std::string_view();
}

std::string_view without_blanks(std::string_view text) {
    text.remove_prefix(std::min(text.size(), text.find_first_not_of(" \t")));
    return text;
}

/// The text from where its status would begin.
std::string_view at_status(std::string_view text) {
    text = without_blanks(text);
    if (text.starts_with('#')) text.remove_prefix(1);
    return text;
}

}  // namespace

std::string_view to_string(Stage stage) {
    return std::find_if(stages.begin(), stages.end(), [&](const auto& s) { return s.second == stage; })->first;
}

std::optional<Stage> parse_stage(std::string_view name) {
    const auto stage = std::find_if(stages.begin(), stages.end(), [&](const auto& s) { return s.first == name; });
    return stage == stages.end() ? std::nullopt : std::optional(stage->second);
}

ReplyText split_lines(std::span<const std::string> lines) {
    ReplyText reply;
    for (const std::string& line : lines) {
        if (reply.enhanced_status.empty()) reply.enhanced_status = status_at_start(at_status(line));
        if (&line != &lines.front()) reply.text += '\n';
        reply.text += without_status(line);
    }
    return reply;
}

std::string_view find_status(std::string_view text) {
    const std::string_view at_start = status_at_start(at_status(text));
    return at_start.empty() ? status_in_brackets(text) : at_start;
}

std::string_view without_status(std::string_view text) {
    const std::string_view rest = at_status(text);
    const std::string_view status = status_at_start(rest);
    return status.empty() ? text : without_blanks(rest.substr(status.size()));
}

}  // namespace weir::policy
