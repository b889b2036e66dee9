#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "weir/core/ip.hpp"
#include "weir/core/result.hpp"
#include "weir/core/time.hpp"

namespace weir::net {

/// One MX record.
struct MailHost {
    std::uint16_t preference = 0;
    std::string name;  ///< empty: the root, with which a null MX says that the domain accepts no mail

    bool operator==(const MailHost&) const = default;
};

/// What the name service said to one question: addresses or mail hosts, and for how long that holds.
struct NameAnswer {
    std::vector<core::IpAddress> addresses;
    std::vector<MailHost> mail_hosts;
    core::Duration ttl{};

    bool operator==(const NameAnswer&) const = default;
};

/// The MX records of a DNS message and the shortest of their TTLs. RFC 1035 4.1, 3.3.9.
///
/// Errors: Errc::bad_syntax, Errc::name_not_found when there are none.
[[nodiscard]] core::Result<NameAnswer> parse_mail_hosts(std::span<const unsigned char> message);

using Random = std::minstd_rand;

/// The hosts to try, best first: the lowest preference, and at random among equals (RFC 5321 5.1).
///
/// Errors: Errc::accepts_no_mail for a null MX (RFC 7505).
[[nodiscard]] core::Result<std::vector<std::string>> in_order_of_preference(std::vector<MailHost> hosts,
                                                                            Random& random);

/// IPv6 and IPv4 in turn, each family's own order kept; the family of the first address begins (RFC 8305 4).
[[nodiscard]] std::vector<core::IpAddress> interleaved(const std::vector<core::IpAddress>& addresses);

}  // namespace weir::net
