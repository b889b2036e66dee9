#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>
#include <type_traits>

namespace weir::core {

/// What Asio and Beast speak; g++ 12 has no std::expected.
using Error = boost::system::error_code;

template <class T>
using Result = boost::system::result<T, Error>;

/// Weir's own reasons why something did not work, beside those of Asio and the system.
enum class Errc : std::uint8_t {
    timed_out = 1,       ///< the peer missed a deadline
    closed_by_peer,      ///< end of file where more was due
    line_too_long,       ///< a line or reply is over its limit
    bad_reply,           ///< the relay sent something that is not an SMTP reply
    unexpected_reply,    ///< a well-formed reply that the RFC does not allow here
    relay_refused,       ///< the relay answered 4xx or 5xx where the session cannot go on
    pool_saturated,      ///< every relay connection stayed busy until the deadline
    relay_unreachable,   ///< no relay could be connected to
    shutting_down,       ///< the daemon is draining
    tls_failed,          ///< no TLS with this peer; net::Connection::tls_problem() says why
    tls_not_offered,     ///< TLS is required, and the relay does not offer STARTTLS
    auth_failed,         ///< the relay did not accept the login
    auth_unavailable,    ///< no way of logging in that both sides know
    auth_needs_tls,      ///< a password would have to go in clear text
    secret_unavailable,  ///< the file or variable with the password cannot be read, or is empty
    bad_syntax,          ///< text that a parser could not read
    out_of_range,        ///< a number or a name outside what is allowed
    name_not_found,      ///< the name service says that there is no such name, or no address behind it
    accepts_no_mail,     ///< the domain says so itself, by a null MX (RFC 7505)
};

/// The category behind Errc, named "weir".
const boost::system::error_category& weir_category();

inline Error make_error_code(Errc code) {
    return {static_cast<int>(code), weir_category()};
}

}  // namespace weir::core

template <>
struct boost::system::is_error_code_enum<weir::core::Errc> : std::true_type {};
