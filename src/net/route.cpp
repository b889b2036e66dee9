#include "weir/net/route.hpp"

#include <algorithm>
#include <utility>

#include "weir/net/endpoint.hpp"

namespace weir::net {
namespace {

using core::Errc;
using core::Error;

// However many addresses a host has, no more than these are tried.
constexpr std::size_t most_addresses = 16;

core::TimePoint now() {
    return core::TimePoint::clock::now();
}

}  // namespace

Task<core::Result<Connection>> Route::next(core::Duration timeout, core::TimePoint deadline) {
    Error last = Errc::relay_unreachable;
    if (!hosts_) {
        last = co_await find_hosts(std::min(now() + timeout, deadline));
        if (last) co_return last;
    }
    while (!addresses_.empty() || !hosts_->empty()) {
        const core::TimePoint until = std::min(now() + timeout, deadline);
        if (until <= now()) co_return Error(Errc::timed_out);
        auto connection = co_await try_host(until);
        if (connection) co_return connection;
        last = connection.error();
    }
    co_return last ? last : Error(Errc::relay_unreachable);
}

Task<Error> Route::find_hosts(core::TimePoint until) {
    if (!target_.lookup_mx) {
        hosts_.emplace({target_.host});
        co_return Error();
    }
    const auto names = co_await resolver_.mail_hosts(target_.host, until - now());
    if (!names) co_return names.error();
    hosts_.emplace(names->begin(), names->end());
    co_return Error();
}

/// What is left of the present host, or else the next one.
Task<core::Result<Connection>> Route::try_host(core::TimePoint until) {
    if (addresses_.empty()) {
        if (const Error error = co_await find_addresses(until)) co_return error;
    }
    auto connected = co_await connector_.connect(addresses_, until - now());
    if (!connected) {
        addresses_.clear();
        co_return connected.error();
    }
    // Those before the winner have had their chance.
    addresses_.erase(addresses_.begin(), addresses_.begin() + static_cast<std::ptrdiff_t>(connected->index) + 1);
    co_return Connection(std::move(connected->socket));
}

Task<Error> Route::find_addresses(core::TimePoint until) {
    const std::string host = std::move(hosts_->front());
    hosts_->pop_front();
    const auto names = target_.lookup_mx ? Resolver::Names::complete : Resolver::Names::abbreviated;
    const auto found = co_await resolver_.addresses(host, names, until - now());
    if (!found) co_return found.error();
    for (const core::IpAddress& address : *found) {
        if (addresses_.size() < most_addresses) addresses_.push_back(to_asio(address, target_.port));
    }
    co_return Error();
}

}  // namespace weir::net
