#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>
#include <vector>

#include "weir/core/ip.hpp"
#include "weir/core/result.hpp"
#include "weir/core/time.hpp"
#include "weir/net/name_cache.hpp"
#include "weir/net/task.hpp"

namespace weir::net {

/// Names to addresses, by /etc/hosts and the DNS, with a cache that goes by the TTLs (NameLimits).
///
/// Sessions that want to know the same at the same time share one question. While the name servers fail, an answer that
/// has grown stale serves: a relay seldom moves, and mail would else wait for a machine that has nothing to do with it.
///
/// Owns:    the questions that are pending.
/// Errors:  core::Errc::name_not_found, timed_out, accepts_no_mail, or the resolver library's; operation_aborted after
///          stop(). Never an empty list.
/// Threads: one thread, the executor's.
class Resolver {
public:
    explicit Resolver(const boost::asio::any_io_executor& executor, NameLimits limits = {});
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    /// The name servers to ask; none: those of /etc/resolv.conf. Others than before make what is known forgotten.
    void set_servers(std::vector<core::SocketAddress> servers);

    enum class Names : std::uint8_t {
        complete,     ///< the name is asked for as it is
        abbreviated,  ///< the search list of /etc/resolv.conf may complete it, as it does for other programs
    };
    /// The addresses of a host, IPv6 and IPv4 in turn. A literal address asks nobody.
    Task<core::Result<std::vector<core::IpAddress>>> addresses(std::string host, Names names, core::Duration timeout);

    /// The hosts that take mail for a domain, in the order in which to try them: those of its MX records, or, if it has
    /// none, the domain itself (RFC 5321 5.1).
    Task<core::Result<std::vector<std::string>>> mail_hosts(std::string domain, core::Duration timeout);

    /// Ends every question, and those that are still to come: the worker stops.
    void stop();

private:
    struct State;

    std::shared_ptr<State> state_;
};

}  // namespace weir::net
