#include "weir/smtp/extensions.hpp"

#include <algorithm>
#include <charconv>

#include "weir/smtp/command.hpp"

namespace weir::smtp {
namespace {

using std::string_view;

std::uint64_t smaller_size(std::uint64_t left, std::uint64_t right) {
    if (left == 0 || right == 0) return std::max(left, right);
    return std::min(left, right);
}

void append_parameter(std::string& line, string_view keyword, string_view value) {
    if (value.empty()) return;
    (((line += ' ') += keyword) += '=') += value;
}

/// What stands before the first of `separators`, which is taken off `rest` with it.
string_view next_word(string_view& rest, string_view separators) {
    const string_view word = rest.substr(0, rest.find_first_of(separators));
    rest.remove_prefix(std::min(word.size() + 1, rest.size()));
    return word;
}

}  // namespace

Extensions parse_extensions(const Reply& ehlo) {
    Extensions result;
    for (std::size_t i = 1; i < ehlo.lines.size(); ++i) {
        const string_view line = ehlo.lines[i];
        const string_view keyword = line.substr(0, std::min(line.find(' '), line.size()));
        if (equals_ignoring_case(keyword, "PIPELINING")) result.pipelining = true;
        if (equals_ignoring_case(keyword, "8BITMIME")) result.eight_bit_mime = true;
        if (equals_ignoring_case(keyword, "SMTPUTF8")) result.smtputf8 = true;
        if (equals_ignoring_case(keyword, "DSN")) result.dsn = true;
        if (equals_ignoring_case(keyword, "SIZE")) {
            result.size = true;
            const string_view digits = line.substr(std::min(keyword.size() + 1, line.size()));
            std::from_chars(digits.data(), digits.data() + digits.size(), result.max_size);
        }
    }
    return result;
}

LoginOffer parse_login_offer(const Reply& ehlo) {
    LoginOffer offer;
    for (std::size_t i = 1; i < ehlo.lines.size(); ++i) {
        string_view rest = ehlo.lines[i];
        const string_view keyword = next_word(rest, " =");
        if (equals_ignoring_case(keyword, "STARTTLS")) offer.starttls = true;
        if (!equals_ignoring_case(keyword, "AUTH")) continue;
        while (!rest.empty()) {
            if (const string_view mechanism = next_word(rest, " "); !mechanism.empty()) {
                offer.mechanisms.emplace_back(mechanism);
            }
        }
    }
    return offer;
}

Extensions intersection(const Extensions& left, const Extensions& right) {
    return {
        .pipelining = left.pipelining && right.pipelining,
        .eight_bit_mime = left.eight_bit_mime && right.eight_bit_mime,
        .smtputf8 = left.smtputf8 && right.smtputf8,
        .dsn = left.dsn && right.dsn,
        .size = left.size && right.size,
        .max_size = left.size && right.size ? smaller_size(left.max_size, right.max_size) : 0,
    };
}

Extensions unknown_relay_extensions() {
    return {.pipelining = true, .eight_bit_mime = true, .smtputf8 = true, .dsn = true, .size = true, .max_size = 0};
}

std::string mail_command(const MailRequest& request, const Extensions& relay) {
    std::string line = "MAIL FROM:<";
    (line += request.path) += '>';
    if (relay.size && request.size > 0) append_parameter(line, "SIZE", std::to_string(request.size));
    if (relay.eight_bit_mime && request.body != MailRequest::Body::unspecified) {
        append_parameter(line, "BODY", request.body == MailRequest::Body::seven_bit ? "7BIT" : "8BITMIME");
    }
    if (relay.smtputf8 && request.smtputf8) line += " SMTPUTF8";
    if (relay.dsn) {
        append_parameter(line, "RET", request.ret);
        append_parameter(line, "ENVID", request.envid);
    }
    return line += "\r\n";
}

std::string rcpt_command(const RcptRequest& request, const Extensions& relay) {
    std::string line = "RCPT TO:<";
    (line += request.path) += '>';
    if (relay.dsn) {
        append_parameter(line, "NOTIFY", request.notify);
        append_parameter(line, "ORCPT", request.orcpt);
    }
    return line += "\r\n";
}

string_view missing_extension(const MailRequest& request, const Extensions& relay) {
    if (request.smtputf8 && !relay.smtputf8) return "SMTPUTF8";
    if (request.body == MailRequest::Body::eight_bit_mime && !relay.eight_bit_mime) return "8BITMIME";
    return {};
}

}  // namespace weir::smtp
