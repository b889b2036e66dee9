#include "weir/smtp/received.hpp"

#include <algorithm>

#include "weir/smtp/command.hpp"

namespace weir::smtp {
namespace {

using std::string_view;

constexpr std::size_t max_header = 2048;
constexpr std::size_t max_queue_id = 32;

bool is_id_character(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/// Where the header that starts the message ends: the LF before a line that does not begin with a blank.
std::size_t header_end(string_view text) {
    for (auto newline = text.find('\n'); newline != string_view::npos; newline = text.find('\n', newline + 1)) {
        if (newline + 1 == text.size()) return string_view::npos;
        if (text[newline + 1] != ' ' && text[newline + 1] != '\t') return newline;
    }
    return string_view::npos;
}

/// RFC 5322 2.2.3: folding is a line end before a blank.
std::string unfold(string_view header) {
    std::string out;
    for (const char c : header) {
        if (c == '\r' || c == '\n') continue;
        out += c == '\t' ? ' ' : c;
    }
    return out;
}

}  // namespace

void QueueIdSniffer::feed(string_view bytes) {
    if (done_) return;
    header_ += bytes.substr(0, max_header - header_.size());
    constexpr string_view name = "Received:";
    if (!equals_ignoring_case(string_view(header_).substr(0, name.size()), name.substr(0, header_.size()))) {
        finish();  // the message begins with another header: it did not come from a Postfix queue
        return;
    }
    const auto end = header_end(header_);
    if (end != string_view::npos) {
        header_.resize(end);
        queue_id_ = queue_id_in_received(unfold(header_));
        finish();
    } else if (header_.size() == max_header) {
        finish();
    }
}

void QueueIdSniffer::finish() {
    done_ = true;
    std::string().swap(header_);
}

string_view queue_id_in_received(string_view header) {
    // The last "(Postfix" is the one of "by HOST (Postfix...)": what a client says of itself stands before it.
    const auto postfix = header.rfind(" (Postfix");
    if (postfix == string_view::npos) return {};
    const auto by = header.rfind("by ", postfix);
    if (by == string_view::npos || header.substr(by + 3, postfix - by - 3).find(' ') != string_view::npos) return {};
    constexpr string_view marker = " id ";
    const auto id = header.find(marker, postfix);
    if (id == string_view::npos) return {};
    const string_view rest = header.substr(id + marker.size());
    const auto length =
        static_cast<std::size_t>(std::find_if_not(rest.begin(), rest.end(), is_id_character) - rest.begin());
    return length <= max_queue_id ? rest.substr(0, length) : string_view{};
}

}  // namespace weir::smtp
