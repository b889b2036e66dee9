#include "body_reader.hpp"

#include <algorithm>

#include "weir/smtp/command.hpp"
#include "weir/smtp/received.hpp"

namespace weir::sim {
namespace {

constexpr std::size_t head_size = 16 * 1024;

/// One header of the head, unfolded ("Name: value"), and what follows it; empty at the end of the headers.
std::string next_header(std::string_view& head) {
    std::string header;
    while (true) {
        const auto end = head.find("\r\n");
        const std::string_view line = head.substr(0, end);
        const bool continues = !line.empty() && (line.front() == ' ' || line.front() == '\t');
        if (line.empty() || (!header.empty() && !continues)) return header;
        header += line;
        head.remove_prefix(end == std::string_view::npos ? head.size() : end + 2);
    }
}

std::string_view value_of(std::string_view header, std::size_t colon) {
    header.remove_prefix(colon + 1);
    const auto begin = header.find_first_not_of(" \t");
    return begin == std::string_view::npos ? std::string_view() : header.substr(begin);
}

void read_headers(std::string_view head, BodyFacts& facts) {
    bool topmost_received = true;
    for (std::string header = next_header(head); !header.empty(); header = next_header(head)) {
        const auto colon = std::min(header.find(':'), header.size() - 1);
        const std::string_view name = std::string_view(header).substr(0, colon);
        if (smtp::equals_ignoring_case(name, "Received") && topmost_received) {
            facts.queue_id = smtp::queue_id_in_received(header);
            topmost_received = false;
        } else if (smtp::equals_ignoring_case(name, "Message-ID")) {
            facts.message_id = value_of(header, colon);
        } else if (smtp::equals_ignoring_case(name, "Subject")) {
            facts.subject = value_of(header, colon);
        }
    }
}

}  // namespace

std::size_t BodyReader::feed(std::string_view bytes) {
    std::size_t used = 0;
    while (used < bytes.size() && !done()) {
        const char next = bytes[used];
        switch (state_) {
            case State::line_start:
                state_ = next == '.' ? State::dot : State::text;
                if (next == '.') ++used;
                break;
            case State::dot:  // RFC 5321 4.5.2: a leading dot goes, whatever follows but the end of the line
                state_ = next == '\r' ? State::dot_cr : State::text;
                if (next == '\r') ++used;
                if (next != '\r') ++facts_.wire_size;
                break;
            case State::dot_cr:
                state_ = next == '\n' ? State::done : State::text;
                if (next == '\n') {
                    ++used;
                } else {
                    ++facts_.wire_size;
                    ++facts_.bare_newlines;
                    content("\r");
                }
                break;
            case State::text:
            case State::text_cr:
                used += feed_text(bytes.substr(used));
                break;
            case State::done:
                break;
        }
    }
    return used;
}

/// Up to the next CRLF, LF, or the end of the bytes.
std::size_t BodyReader::feed_text(std::string_view bytes) {
    const auto newline = bytes.find('\n');
    const bool has_newline = newline != std::string_view::npos;
    const std::string_view part = bytes.substr(0, has_newline ? newline + 1 : bytes.size());
    const std::string_view before = part.substr(0, part.size() - (has_newline ? 1 : 0));
    const bool after_cr = before.empty() ? state_ == State::text_cr : before.back() == '\r';
    // Every CR is a bare one, but for the last one before LF, or before what is yet to come.
    const auto returns = std::count(before.begin(), before.end(), '\r') + (state_ == State::text_cr ? 1 : 0);
    facts_.bare_newlines += static_cast<std::uint64_t>(returns) - (after_cr ? 1 : 0);
    if (has_newline && !after_cr) ++facts_.bare_newlines;
    content(part);
    if (has_newline) {
        state_ = after_cr ? State::line_start : State::text;
    } else {
        state_ = after_cr ? State::text_cr : State::text;
    }
    return part.size();
}

void BodyReader::content(std::string_view bytes) {
    facts_.size += bytes.size();
    facts_.wire_size += bytes.size();
    crc_.process_bytes(bytes.data(), bytes.size());
    if (head_.size() < head_size) head_ += bytes.substr(0, head_size - head_.size());
}

BodyFacts BodyReader::facts() const {
    BodyFacts facts = facts_;
    facts.crc32 = crc_.checksum();
    read_headers(head_, facts);
    return facts;
}

}  // namespace weir::sim
