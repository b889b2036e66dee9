#pragma once

#include <optional>
#include <string_view>

#include "weir/smtp/extensions.hpp"
#include "weir/smtp/reply.hpp"

namespace weir::smtp {

/// Reads the argument of MAIL or RCPT into `request`, whose views then point into it. Returns the refusal, if any.
///
/// Parameters that nobody offered are refused (555); those of an extension that the relay may lack are not, for the
/// relay that will get the message is not known yet, see missing_extension().
[[nodiscard]] std::optional<Reply> parse_mail(std::string_view argument, MailRequest& request);

/// `smtputf8`: MAIL has asked for it, so that the recipient may be internationalised (RFC 6531 3.3).
[[nodiscard]] std::optional<Reply> parse_rcpt(std::string_view argument, bool smtputf8, RcptRequest& request);

}  // namespace weir::smtp
