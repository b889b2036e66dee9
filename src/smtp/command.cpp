#include "weir/smtp/command.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace weir::smtp {
namespace {

using std::string_view;

constexpr std::array<std::pair<string_view, Verb>, 15> verbs{{
    {"EHLO", Verb::ehlo},
    {"HELO", Verb::helo},
    {"MAIL", Verb::mail},
    {"RCPT", Verb::rcpt},
    {"DATA", Verb::data},
    {"RSET", Verb::rset},
    {"NOOP", Verb::noop},
    {"QUIT", Verb::quit},
    {"VRFY", Verb::vrfy},
    {"EXPN", Verb::expn},
    {"HELP", Verb::help},
    {"XFORWARD", Verb::xforward},
    {"STARTTLS", Verb::starttls},
    {"AUTH", Verb::auth},
    {"BDAT", Verb::bdat},
}};

constexpr char upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

constexpr bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

constexpr bool is_control(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
}

constexpr bool is_alnum(char c) {
    return (c >= '0' && c <= '9') || (upper(c) >= 'A' && upper(c) <= 'Z');
}

string_view trim_left(string_view text) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    return text;
}

string_view trim(string_view text) {
    text = trim_left(text);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

/// Where the '>' that ends the path stands, or npos: a quoted string may hold one (RFC 5321 4.1.2 Quoted-string).
std::size_t path_end(string_view text) {
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (is_control(c)) return string_view::npos;
        if (c == '\\') {
            // Outside quotes it is not allowed, and a relay might not take it for an escape: its path could end
            // earlier.
            if (!quoted) return string_view::npos;
            if (++i == text.size() || is_control(text[i])) return string_view::npos;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && c == '>') {
            return i;
        } else if (!quoted && (c == '<' || is_blank(c))) {
            return string_view::npos;
        }
    }
    return string_view::npos;
}

/// "@relay.example,@other.example:user@host" is "user@host": the route is accepted and ignored (RFC 5321 appendix C).
/// A route holds domains and nothing else: what is cut off must not take half of a quoted string or of a literal along.
string_view without_source_route(string_view path) {
    if (path.empty() || path.front() != '@') return path;
    const auto colon = path.find_first_of(":\"\\[");
    return colon == string_view::npos || path[colon] != ':' ? path : path.substr(colon + 1);
}

/// A local part and a domain, or a local part alone, which is the relay's to judge ("postmaster", RFC 5321 4.5.1).
bool is_mailbox(string_view path) {
    constexpr std::size_t max_path = 254 + 2 * 320;  // generous over RFC 5321 4.5.3.1.3, for UTF-8
    if (path.empty() || path.size() > max_path || path.front() == '@') return false;
    const auto at = path.rfind('@');
    if (at == string_view::npos) return true;
    const string_view domain = path.substr(at + 1);
    return !domain.empty() &&
           domain.find_first_of("\"\\,;:()") == (domain.front() == '[' ? domain.find(':') : string_view::npos);
}

bool is_keyword(string_view keyword) {
    if (keyword.empty() || !is_alnum(keyword.front())) return false;
    return std::all_of(keyword.begin(), keyword.end(), [](char c) { return is_alnum(c) || c == '-'; });
}

bool is_value(string_view value) {
    return !value.empty() && std::none_of(value.begin(), value.end(), [](char c) { return is_control(c) || c == '='; });
}

PathError parse_parameters(string_view text, std::vector<Parameter>& out) {
    constexpr std::size_t max_parameters = 16;
    for (text = trim(text); !text.empty(); text = trim_left(text)) {
        const string_view word = text.substr(0, std::min(text.find_first_of(" \t"), text.size()));
        text.remove_prefix(word.size());
        const auto equals = word.find('=');
        Parameter parameter{.keyword = word.substr(0, equals), .value = {}};
        if (!is_keyword(parameter.keyword)) return PathError::bad_parameter;
        if (equals != string_view::npos) {
            parameter.value = word.substr(equals + 1);
            if (!is_value(parameter.value)) return PathError::bad_parameter;
        }
        const bool twice =
            std::any_of(out.begin(), out.end(), [&](const Parameter& p) { return p.is(parameter.keyword); });
        if (twice || out.size() == max_parameters) return PathError::bad_parameter;
        out.push_back(parameter);
    }
    return PathError::none;
}

}  // namespace

bool equals_ignoring_case(string_view left, string_view right) {
    return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [](char a, char b) { return upper(a) == upper(b); });
}

bool is_ascii(string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

bool is_utf8(string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i]);
        const std::size_t length = lead < 0x80   ? 1
                                   : lead < 0xc2 ? 0
                                   : lead < 0xe0 ? 2
                                   : lead < 0xf0 ? 3
                                   : lead < 0xf5 ? 4
                                                 : 0;
        if (length == 0 || i + length > text.size()) return false;
        for (std::size_t k = 1; k < length; ++k) {
            if ((static_cast<unsigned char>(text[i + k]) & 0xc0U) != 0x80) return false;
        }
        if (length >= 3) {
            // Overlong forms, surrogates and what lies above U+10FFFF (RFC 3629).
            const auto second = static_cast<unsigned char>(text[i + 1]);
            if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second >= 0xa0) ||
                (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second >= 0x90)) {
                return false;
            }
        }
        i += length;
    }
    return true;
}

Command parse_command(string_view line) {
    const string_view word = line.substr(0, std::min(line.find_first_of(" \t"), line.size()));
    const auto* const found = std::find_if(verbs.begin(), verbs.end(),
                                           [&](const auto& entry) { return equals_ignoring_case(entry.first, word); });
    if (found == verbs.end()) return {.verb = Verb::unknown, .argument = line};
    return {.verb = found->second, .argument = trim(line.substr(word.size()))};
}

bool is_foreign_protocol(string_view line) {
    if (line.empty()) return false;
    if (is_control(line.front()) && line.front() != '\r' && line.front() != '\n') return true;
    const string_view word = line.substr(0, line.find(' '));
    if (word.size() == line.size()) return false;
    constexpr std::array<string_view, 7> words{"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "PROXY"};
    return std::find(words.begin(), words.end(), word) != words.end();
}

bool Parameter::is(string_view name) const {
    return equals_ignoring_case(keyword, name);
}

bool PathArgument::has(string_view keyword) const {
    return std::any_of(parameters.begin(), parameters.end(), [&](const Parameter& p) { return p.is(keyword); });
}

PathError parse_path(string_view argument, string_view prefix, PathArgument& out) {
    if (argument.size() < prefix.size() || !equals_ignoring_case(argument.substr(0, prefix.size()), prefix)) {
        return PathError::syntax;
    }
    string_view rest = trim_left(argument.substr(prefix.size()));
    if (rest.empty() || rest.front() != '<') return PathError::syntax;
    rest.remove_prefix(1);
    const auto end = path_end(rest);
    if (end == string_view::npos) return PathError::syntax;
    const string_view path = rest.substr(0, end);
    out.path = without_source_route(path);
    rest.remove_prefix(end + 1);
    if (!rest.empty() && !is_blank(rest.front())) return PathError::syntax;
    // "<@a:>" is not the null sender: only "<>" is.
    if (!is_utf8(path) || (!path.empty() && !is_mailbox(out.path))) return PathError::bad_address;
    if (!is_utf8(rest)) return PathError::bad_parameter;
    out.parameters.clear();
    return parse_parameters(rest, out.parameters);
}

}  // namespace weir::smtp
