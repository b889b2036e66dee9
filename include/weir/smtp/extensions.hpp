#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/smtp/reply.hpp"

namespace weir::smtp {

/// What a relay offered in its EHLO reply, as far as it matters to pass mail through.
struct Extensions {
    bool pipelining = false;
    bool eight_bit_mime = false;
    bool smtputf8 = false;
    bool dsn = false;
    bool size = false;
    std::uint64_t max_size = 0;  ///< 0: SIZE without a number, or "no fixed limit" (RFC 1870 4)

    bool operator==(const Extensions&) const = default;
};

/// From the lines of an EHLO reply; the first line is the relay's name.
[[nodiscard]] Extensions parse_extensions(const Reply& ehlo);

/// What the same reply says about TLS and logging in, which is between Weir and the relay alone.
struct LoginOffer {
    bool starttls = false;
    std::vector<std::string> mechanisms;
};

/// "AUTH PLAIN LOGIN", and "AUTH=PLAIN" as some old servers write it.
[[nodiscard]] LoginOffer parse_login_offer(const Reply& ehlo);

/// What both offer: the smaller of two sizes.
[[nodiscard]] Extensions intersection(const Extensions& left, const Extensions& right);

/// What to offer while no relay has been heard yet: everything that Postfix would otherwise convert or bounce for
/// (8BITMIME, SMTPUTF8, DSN), and SIZE without a number. A relay that turns out to lack something gets a 451.
[[nodiscard]] Extensions unknown_relay_extensions();

/// MAIL as it was asked for; views into the session's line.
struct MailRequest {
    enum class Body : std::uint8_t { unspecified, seven_bit, eight_bit_mime };

    std::string_view path;  ///< without <>; empty is the null sender
    std::uint64_t size = 0;
    Body body = Body::unspecified;
    bool smtputf8 = false;
    std::string_view ret;    ///< FULL, HDRS or empty
    std::string_view envid;  ///< xtext, as it came
};

/// RCPT as it was asked for; views into the session's line.
struct RcptRequest {
    std::string_view path;
    std::string_view notify;
    std::string_view orcpt;  ///< "rfc822;xtext", as it came
};

/// The command lines for a relay with these extensions, with CRLF. What the relay does not know is left out, where
/// leaving it out is harmless (SIZE, DSN: RFC 3461 7); see missing_extension() for what is not.
[[nodiscard]] std::string mail_command(const MailRequest& request, const Extensions& relay);
[[nodiscard]] std::string rcpt_command(const RcptRequest& request, const Extensions& relay);

/// The extension without which the message cannot be passed on unchanged ("SMTPUTF8", "8BITMIME"), or empty.
[[nodiscard]] std::string_view missing_extension(const MailRequest& request, const Extensions& relay);

}  // namespace weir::smtp
