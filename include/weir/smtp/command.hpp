#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::smtp {

enum class Verb : std::uint8_t {
    ehlo,
    helo,
    mail,
    rcpt,
    data,
    rset,
    noop,
    quit,
    vrfy,
    expn,
    help,
    xforward,
    starttls,
    auth,
    bdat,
    unknown,
};

/// One command line, split into verb and the rest. Views into the line.
struct Command {
    Verb verb = Verb::unknown;
    std::string_view argument;  ///< after the verb and one or more blanks; trailing blanks removed
};

/// `line` comes without CRLF. Verbs are case-insensitive (RFC 5321 2.4).
[[nodiscard]] Command parse_command(std::string_view line);

/// Whether these bytes, where a command should begin, are another protocol's: HTTP, a PROXY header, or a control
/// character, as in a TLS hello or after a message that ended earlier than its sender thought. What follows them may be
/// commands that somebody else had smuggled in (cross-protocol attacks; Postfix has smtpd_forbidden_commands).
[[nodiscard]] bool is_foreign_protocol(std::string_view line);

/// "SIZE=1000" after the path of MAIL or RCPT (RFC 5321 4.1.2); the value is empty without '='.
struct Parameter {
    std::string_view keyword;
    std::string_view value;

    [[nodiscard]] bool is(std::string_view name) const;  ///< case-insensitive
};

/// FROM:<path> or TO:<path> with its parameters. Views into the argument.
struct PathArgument {
    std::string_view path;  ///< without <> and without a source route (RFC 5321 appendix C); empty is <>
    std::vector<Parameter> parameters;

    [[nodiscard]] bool has(std::string_view keyword) const;
};

enum class PathError : std::uint8_t {
    none,
    syntax,         ///< 501 5.5.4: FROM:/TO: or <> missing, or stray characters
    bad_address,    ///< 501 5.1.7 or 5.1.3
    bad_parameter,  ///< 501 5.5.4: malformed or given twice
};

/// Parses the argument of MAIL (`prefix` "FROM:") or RCPT ("TO:"). The mailbox is checked against RFC 5321 4.1.2,
/// leniently where Postfix is lenient: any local part and domain without controls, blanks and angle brackets outside
/// quotes. Non-ASCII must be valid UTF-8; whether it is allowed is for the session to say (RFC 6531).
[[nodiscard]] PathError parse_path(std::string_view argument, std::string_view prefix, PathArgument& out);

/// Equal but for the case of ASCII letters.
[[nodiscard]] bool equals_ignoring_case(std::string_view left, std::string_view right);

[[nodiscard]] bool is_ascii(std::string_view text);
[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace weir::smtp
