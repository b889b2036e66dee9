#include "weir/net/resolver.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>

#include "weir/core/ip.hpp"
#include "weir/net/endpoint.hpp"

namespace weir::net {

namespace asio = boost::asio;
using asio::ip::tcp;

Task<core::Result<std::vector<tcp::endpoint>>> resolve(std::string host, std::uint16_t port, core::Duration timeout) {
    if (const auto literal = core::parse_ip(host)) co_return std::vector{to_asio(*literal, port)};
    const auto executor = co_await asio::this_coro::executor;
    // Shared with the timer's handler, which may run after this coroutine has gone on.
    const auto resolver = std::make_shared<tcp::resolver>(executor);
    const auto expired = std::make_shared<bool>(false);
    asio::steady_timer timer(executor, timeout);
    timer.async_wait([resolver, expired](const core::Error& error) {
        if (error) return;
        *expired = true;
        resolver->cancel();
    });
    const auto [error, results] = co_await resolver->async_resolve(
        host, std::to_string(port), tcp::resolver::numeric_service, asio::as_tuple(asio::use_awaitable));
    timer.cancel();
    if (*expired) co_return core::Errc::timed_out;
    if (error) co_return error;
    std::vector<tcp::endpoint> endpoints;
    for (const auto& entry : results) endpoints.push_back(entry.endpoint());
    if (endpoints.empty()) co_return core::Error(asio::error::host_not_found);
    co_return endpoints;
}

}  // namespace weir::net
