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
    timed_out = 1,         ///< the peer missed a deadline
    closed_by_peer,        ///< end of file where more was due
    line_too_long,         ///< a line or reply is over its limit
    bad_reply,             ///< the relay sent something that is not an SMTP reply
    unexpected_reply,      ///< a well-formed reply that the RFC does not allow here
    relay_refused,         ///< the relay answered 4xx or 5xx where the session cannot go on
    pool_saturated,        ///< every relay connection stayed busy until the deadline
    relay_unreachable,     ///< no relay could be connected to
    shutting_down,         ///< the daemon is draining
    bad_syntax,            ///< text that a parser could not read
    out_of_range,          ///< a number or a name outside what is allowed
};

/// The category behind Errc, named "weir".
const boost::system::error_category& weir_category();

inline Error make_error_code(Errc code) {
    return {static_cast<int>(code), weir_category()};
}

}  // namespace weir::core

template <>
struct boost::system::is_error_code_enum<weir::core::Errc> : std::true_type {};
