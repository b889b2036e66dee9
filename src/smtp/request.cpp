#include "request.hpp"

#include <algorithm>
#include <charconv>
#include <initializer_list>

#include "weir/smtp/command.hpp"
#include "weir/smtp/xforward.hpp"

namespace weir::smtp {
namespace {

using std::string_view;

// RFC 3461 allows 100 characters of ENVID and 500 of ORCPT. Postfix keeps to neither: a UTF-8 recipient triples in
// xtext. What is longer than its RFC is for the relay to refuse; a 501 of ours would bounce it.
constexpr std::size_t max_xtext = 1024;

bool one_of(string_view value, std::initializer_list<string_view> words) {
    return std::any_of(words.begin(), words.end(), [&](string_view word) { return equals_ignoring_case(value, word); });
}

bool is_xtext(string_view value) {
    return !value.empty() && value.size() <= max_xtext && decode_xtext(value);
}

/// RFC 3461 4.1: NEVER alone, or a list of the others.
bool is_notify(string_view value) {
    if (equals_ignoring_case(value, "NEVER")) return true;
    while (true) {
        const auto comma = value.find(',');
        if (!one_of(value.substr(0, comma), {"SUCCESS", "FAILURE", "DELAY"})) return false;
        if (comma == string_view::npos) return true;
        value.remove_prefix(comma + 1);
    }
}

/// RFC 3461 4.2: addr-type ";" xtext.
bool is_orcpt(string_view value) {
    const auto semicolon = value.find(';');
    return semicolon != string_view::npos && semicolon > 0 && is_xtext(value.substr(semicolon + 1));
}

bool read_size(string_view digits, std::uint64_t& size) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), size);
    return error == std::errc{} && end == digits.data() + digits.size();
}

enum class Verdict : std::uint8_t { fine, bad, unknown };

Verdict fine_if(bool good) {
    return good ? Verdict::fine : Verdict::bad;
}

Verdict read_parameter(const Parameter& parameter, MailRequest& request) {
    if (parameter.is("SIZE")) return fine_if(read_size(parameter.value, request.size));
    if (parameter.is("BODY")) {
        request.body = equals_ignoring_case(parameter.value, "7BIT") ? MailRequest::Body::seven_bit
                                                                     : MailRequest::Body::eight_bit_mime;
        return fine_if(one_of(parameter.value, {"7BIT", "8BITMIME"}));
    }
    if (parameter.is("SMTPUTF8")) {
        request.smtputf8 = true;
        return fine_if(parameter.value.empty());
    }
    if (parameter.is("RET")) {
        request.ret = parameter.value;
        return fine_if(one_of(parameter.value, {"FULL", "HDRS"}));
    }
    if (parameter.is("ENVID")) {
        request.envid = parameter.value;
        return fine_if(is_xtext(parameter.value));
    }
    return Verdict::unknown;
}

Verdict read_parameter(const Parameter& parameter, RcptRequest& request) {
    if (parameter.is("NOTIFY")) {
        request.notify = parameter.value;
        return fine_if(is_notify(parameter.value));
    }
    if (parameter.is("ORCPT")) {
        request.orcpt = parameter.value;
        return fine_if(is_orcpt(parameter.value));
    }
    return Verdict::unknown;
}

template <class Request>
std::optional<Reply> read_parameters(const std::vector<Parameter>& parameters, Request& request) {
    for (const Parameter& parameter : parameters) {
        const Verdict verdict = read_parameter(parameter, request);
        if (verdict == Verdict::bad) return Reply(501, "5.5.4 bad value of " + std::string(parameter.keyword));
        if (verdict == Verdict::unknown) return Reply(555, "5.5.4 unknown parameter " + std::string(parameter.keyword));
    }
    return std::nullopt;
}

std::optional<Reply> complaint(PathError error, const char* syntax, const char* address_status) {
    switch (error) {
        case PathError::none:
            break;
        case PathError::syntax:
            return Reply(501, std::string("5.5.4 syntax: ") + syntax);
        case PathError::bad_address:
            return Reply(501, std::string(address_status) + " bad address syntax");
        case PathError::bad_parameter:
            return Reply(501, "5.5.4 bad parameter");
    }
    return std::nullopt;
}

Reply smtputf8_is_needed() {
    return {553, "5.6.7 SMTPUTF8 is needed"};
}

}  // namespace

std::optional<Reply> parse_mail(string_view argument, MailRequest& request) {
    PathArgument path;
    if (auto refusal = complaint(parse_path(argument, "FROM:", path), "MAIL FROM:<address>", "5.1.7")) return refusal;
    request.path = path.path;
    if (auto refusal = read_parameters(path.parameters, request)) return refusal;
    if (!request.smtputf8 && !is_ascii(argument)) return smtputf8_is_needed();
    return std::nullopt;
}

std::optional<Reply> parse_rcpt(string_view argument, bool smtputf8, RcptRequest& request) {
    PathArgument path;
    PathError error = parse_path(argument, "TO:", path);
    if (error == PathError::none && path.path.empty()) error = PathError::bad_address;
    if (auto refusal = complaint(error, "RCPT TO:<address>", "5.1.3")) return refusal;
    request.path = path.path;
    if (auto refusal = read_parameters(path.parameters, request)) return refusal;
    if (!smtputf8 && !is_ascii(argument)) return smtputf8_is_needed();
    return std::nullopt;
}

}  // namespace weir::smtp
