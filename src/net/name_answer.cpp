#include "weir/net/name_answer.hpp"

#include <arpa/nameser.h>
#include <netinet/in.h>
#include <resolv.h>

#include <algorithm>
#include <array>

namespace weir::net {
namespace {

using core::Errc;

// However many hosts a domain names, no more than these are tried, and looked up.
constexpr std::size_t most_hosts = 16;

core::Result<MailHost> parse_mail_host(const ns_msg& message, const ns_rr& record) {
    constexpr std::size_t preference_size = 2;
    if (ns_rr_rdlen(record) <= preference_size) return Errc::bad_syntax;
    std::array<char, NS_MAXDNAME> name{};
    const int used = dn_expand(ns_msg_base(message), ns_msg_end(message), ns_rr_rdata(record) + preference_size,
                               name.data(), static_cast<int>(name.size()));
    if (used < 0) return Errc::bad_syntax;
    const auto preference = static_cast<std::uint16_t>(ns_get16(ns_rr_rdata(record)));
    return MailHost{.preference = preference, .name = name.data()};
}

}  // namespace

core::Result<NameAnswer> parse_mail_hosts(std::span<const unsigned char> message) {
    ns_msg parsed;
    if (ns_initparse(message.data(), static_cast<int>(message.size()), &parsed) != 0) return Errc::bad_syntax;
    NameAnswer answer;
    for (int i = 0; i < ns_msg_count(parsed, ns_s_an); ++i) {
        ns_rr record;
        if (ns_parserr(&parsed, ns_s_an, i, &record) != 0) return Errc::bad_syntax;
        if (ns_rr_type(record) != ns_t_mx) continue;  // a CNAME on the way to them
        auto host = parse_mail_host(parsed, record);
        if (!host) return host.error();
        const core::Duration ttl = std::chrono::seconds(ns_rr_ttl(record));
        answer.ttl = answer.mail_hosts.empty() ? ttl : std::min(answer.ttl, ttl);
        answer.mail_hosts.push_back(std::move(*host));
    }
    if (answer.mail_hosts.empty()) return Errc::name_not_found;
    return answer;
}

core::Result<std::vector<std::string>> in_order_of_preference(std::vector<MailHost> hosts, Random& random) {
    // A null MX beside others is a mistake, and does not count (RFC 7505 3).
    std::erase_if(hosts, [](const MailHost& host) { return host.name.empty(); });
    if (hosts.empty()) return Errc::accepts_no_mail;
    std::shuffle(hosts.begin(), hosts.end(), random);
    std::stable_sort(hosts.begin(), hosts.end(),
                     [](const MailHost& left, const MailHost& right) { return left.preference < right.preference; });
    std::vector<std::string> names;
    for (MailHost& host : hosts) {
        if (names.size() < most_hosts) names.push_back(std::move(host.name));
    }
    return names;
}

std::vector<core::IpAddress> interleaved(const std::vector<core::IpAddress>& addresses) {
    if (addresses.empty()) return {};
    const bool first_family = addresses.front().is_v4();
    std::vector<core::IpAddress> first;
    std::vector<core::IpAddress> second;
    for (const core::IpAddress& address : addresses) {
        (address.is_v4() == first_family ? first : second).push_back(address);
    }
    std::vector<core::IpAddress> result;
    for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
        if (i < first.size()) result.push_back(first[i]);
        if (i < second.size()) result.push_back(second[i]);
    }
    return result;
}

}  // namespace weir::net
