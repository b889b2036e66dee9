#include "weir/smtp/reply.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace weir::smtp {
namespace {

constexpr std::size_t max_line = 2000;  // without CRLF; Exchange Online's own limit
constexpr std::size_t max_lines = 100;
constexpr std::size_t max_total = 16 * 1024;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// RFC 5321 4.2: three digits, the first from 2 to 5.
int parse_code(std::string_view line) {
    if (line.size() < 3 || !is_digit(line[0]) || !is_digit(line[1]) || !is_digit(line[2])) return 0;
    const int code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
    return code >= 200 && code <= 599 ? code : 0;
}

/// What a peer put into a reply must not end a line, ring a bell or colour a terminal.
char printable(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7f ? '?' : c;
}

}  // namespace

Reply::Reply(int reply_code, std::string text) : code(reply_code) {
    lines.push_back(std::move(text));
}

void Reply::append_wire(std::string& out) const {
    const std::string digits = std::to_string(code);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        out += digits;
        out += i + 1 < lines.size() ? '-' : ' ';
        std::transform(lines[i].begin(), lines[i].end(), std::back_inserter(out), printable);
        out += "\r\n";
    }
    if (lines.empty()) (out += digits) += " \r\n";
}

std::string Reply::wire() const {
    std::string out;
    append_wire(out);
    return out;
}

std::string Reply::summary() const {
    std::string out = std::to_string(code);
    if (lines.empty() || lines.front().empty()) return out;
    out += ' ';
    std::transform(lines.front().begin(), lines.front().end(), std::back_inserter(out), printable);
    return out;
}

core::Result<std::size_t> ReplyParser::feed(std::string_view bytes) {
    std::size_t used = 0;
    while (used < bytes.size() && !ready_) {
        const auto newline = bytes.find('\n', used);
        const auto piece = bytes.substr(used, newline == std::string_view::npos ? bytes.size() - used : newline - used);
        total_ += piece.size();
        if (line_.size() + piece.size() > max_line + 1 || total_ > max_total) return core::Errc::line_too_long;
        line_ += piece;
        used += piece.size();
        if (newline == std::string_view::npos) break;
        ++used;
        if (const core::Error error = end_line()) return error;
    }
    return used;
}

core::Error ReplyParser::end_line() {
    // RFC 5321 2.3.8: only CRLF ends a line. A bare LF, a stray CR or a NUL means that we and the relay could
    // disagree about where a reply ends.
    if (line_.empty() || line_.back() != '\r') return core::Errc::bad_reply;
    line_.pop_back();
    if (line_.find_first_of(std::string_view("\r\0", 2)) != std::string::npos) return core::Errc::bad_reply;
    const int code = parse_code(line_);
    const char separator = line_.size() > 3 ? line_[3] : ' ';
    if (code == 0 || (separator != ' ' && separator != '-')) return core::Errc::bad_reply;
    if (!reply_.lines.empty() && code != reply_.code) return core::Errc::bad_reply;
    if (reply_.lines.size() == max_lines) return core::Errc::line_too_long;
    reply_.code = code;
    reply_.lines.push_back(line_.size() > 4 ? line_.substr(4) : std::string());
    line_.clear();
    ready_ = separator == ' ';
    return {};
}

Reply ReplyParser::take() {
    ready_ = false;
    total_ = 0;
    return std::exchange(reply_, Reply());
}

}  // namespace weir::smtp
