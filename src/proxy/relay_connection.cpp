#include "relay_connection.hpp"

#include <algorithm>
#include <utility>

namespace weir::proxy {

using core::Error;
using Clock = core::TimePoint::clock;

RelayConnection::RelayConnection(net::Connection connection, RelayAddress relay, smtp::ClientOptions options)
    : connection_(std::move(connection)), relay_(std::move(relay)), session_(std::move(options)) {}

net::Task<Error> RelayConnection::handshake(const Tls& tls, core::Duration timeout, core::TimePoint until) {
    const auto next_deadline = [&] { return std::min(Clock::now() + timeout, until); };
    auto deadline = next_deadline();
    if (tls.wrapper) {
        if (const Error error = co_await start_tls(tls, deadline - Clock::now())) co_return error;
        deadline = next_deadline();
    }
    while (!session_.is_ready()) {
        if (session_.error()) co_return session_.error();
        if (session_.wants_tls()) {
            deadline = next_deadline();
            if (const Error error = co_await start_tls(tls, deadline - Clock::now())) co_return error;
            session_.tls_started();
            deadline = next_deadline();
        }
        if (const Error error = co_await flush(deadline - Clock::now())) co_return error;
        if (const Error error = co_await read(deadline)) co_return error;
    }
    co_return Error();
}

net::Task<Error> RelayConnection::start_tls(const Tls& tls, core::Duration timeout) {
    co_return co_await connection_.start_tls(*tls.client, tls.server_name, tls.session_name, timeout);
}

std::string RelayConnection::problem(const Error& error) const {
    if (error == core::Errc::tls_failed) return "TLS: " + connection_.tls_problem();
    const bool is_refusal = error == core::Errc::relay_refused || error == core::Errc::auth_failed;
    if (is_refusal && session_.refusal()) return "said: " + session_.refusal()->summary();
    return error.message();
}

net::Task<Error> RelayConnection::flush(core::Duration timeout) {
    const std::string output = session_.take_output();
    if (output.empty()) co_return Error();
    co_return co_await connection_.write_all(output, timeout);
}

net::Task<core::Result<smtp::Reply>> RelayConnection::read_reply(core::Duration timeout) {
    const auto deadline = Clock::now() + timeout;
    if (const Error error = co_await flush(timeout)) co_return error;
    for (;;) {
        if (auto reply = session_.take_reply()) co_return std::move(*reply);
        if (session_.error()) co_return session_.error();
        if (const Error error = co_await read(deadline)) co_return error;
    }
}

net::Task<Error> RelayConnection::read(core::TimePoint deadline) {
    const auto bytes = co_await connection_.read_some(deadline - Clock::now());
    if (!bytes) co_return bytes.error();
    session_.feed({bytes->data(), bytes->size()});
    co_return Error();
}

net::Task<Error> RelayConnection::write_body(std::string_view bytes, core::Duration timeout) {
    co_return co_await connection_.write_all(bytes, timeout);
}

bool RelayConnection::is_fit_for_reuse() {
    return !session_.error() && session_.awaiting() == 0 && !connection_.has_unread_or_closed();
}

net::Task<> RelayConnection::quit() {
    constexpr core::Duration patience = std::chrono::seconds(5);
    const auto deadline = Clock::now() + patience;
    connection_.write_now("QUIT\r\n");
    while (Clock::now() < deadline && co_await connection_.read_some(deadline - Clock::now())) {
    }
    connection_.close();
}

void RelayConnection::hang_up() {
    connection_.write_now("QUIT\r\n");
    connection_.close();
}

}  // namespace weir::proxy
