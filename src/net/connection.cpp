#include "weir/net/connection.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <optional>
#include <string>
#include <utility>

#include "tls.hpp"

namespace weir::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using core::Errc;
using core::Error;

constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t command_size = 1024;
constexpr std::size_t read_size = 64 * 1024;

/// Where bodies are read to: the sessions of a worker share it, so that an idle one needs no buffer of this size.
std::span<char> shared_buffer() {
    thread_local std::array<char, read_size> buffer;
    return buffer;
}

bool is_in(std::string_view bytes, std::span<const char> buffer) {
    const std::less<const char*> before;
    return !bytes.empty() && !before(bytes.data(), buffer.data()) &&
           before(bytes.data(), buffer.data() + buffer.size());
}

bool would_block(const Error& error) {
    return error == asio::error::would_block || error == asio::error::try_again;
}

Error clean(const Error& error) {
    // A relay that does not say goodbye in TLS has closed all the same: SMTP's replies say where they end.
    const bool is_end = error == asio::error::eof || error == asio::ssl::error::stream_truncated;
    return is_end ? Error(Errc::closed_by_peer) : error;
}

}  // namespace

/// Kept alive by the Connection and by a timer that still runs.
struct Connection::State : std::enable_shared_from_this<Connection::State> {
    explicit State(tcp::socket s) : socket(std::move(s)), timer(socket.get_executor()) {}

    /// From here on a wait may last until `timeout` from now has passed.
    void begin_wait(core::Duration timeout) {
        const auto now = core::TimePoint::clock::now();
        deadline = timeout < core::TimePoint::max() - now ? now + timeout : core::TimePoint::max();
        waiting = true;
        expired = false;
        if (!armed || deadline < timer.expiry()) arm();
    }

    /// The wait is over; what it ended with, in our words.
    Error end_wait(const Error& error) {
        waiting = false;
        return error && expired ? Error(Errc::timed_out) : clean(error);
    }

    /// One timer serves every wait: it is not touched when a wait ends, and looks for itself when it fires whether
    /// the deadline has moved on meanwhile. Most waits therefore cost no timer at all.
    void arm() {
        armed = true;
        timer.expires_at(deadline);
        timer.async_wait([self = shared_from_this()](const Error& error) {
            if (error) return;  // re-armed, or the connection is gone
            self->armed = false;
            if (!self->waiting) return;
            if (core::TimePoint::clock::now() < self->deadline) return self->arm();
            self->expired = true;
            Error ignored;
            self->socket.cancel(ignored);
        });
    }

    void end() {
        timer.cancel();
        Error ignored;
        socket.close(ignored);
    }

    std::size_t read_now(std::span<char> buffer, Error& error) {
        if (tls) return tls->stream().read_some(asio::buffer(buffer.data(), buffer.size()), error);
        return socket.read_some(asio::buffer(buffer.data(), buffer.size()), error);
    }

    /// What came with what has just been read, as far as that needs no waiting. An end of file or an error comes again
    /// with the next read.
    std::size_t read_what_is_there(std::span<char> buffer) {
        Error nothing_more;
        if (!tls) return read_now(buffer, nothing_more);
        std::size_t size = 0;
        while (!nothing_more && size < buffer.size() && tls->decrypted() > 0) {
            size += read_now(buffer.subspan(size), nothing_more);
        }
        return size;
    }

    tcp::socket socket;
    std::optional<TlsStream> tls;
    std::string tls_problem;
    std::optional<char> peeked;  ///< read already, by has_unread_or_closed()
    asio::steady_timer timer;
    core::TimePoint deadline;
    std::array<char, command_size> commands;  ///< what a read begins with; most reads are commands and end with it too
    bool armed = false;
    bool waiting = false;
    bool expired = false;
};

Connection::Connection(tcp::socket socket) : state_(std::make_shared<State>(std::move(socket))) {
    Error ignored;
    state_->socket.non_blocking(true, ignored);
    // Replies are small and awaited: Nagle's algorithm against delayed ACKs would cost 40 ms each.
    state_->socket.set_option(tcp::no_delay(true), ignored);
}

Connection::Connection(Connection&&) noexcept = default;

Connection& Connection::operator=(Connection&& other) noexcept {
    if (this != &other) {
        if (state_) state_->end();
        state_ = std::move(other.state_);
    }
    return *this;
}

Connection::~Connection() {
    if (state_) state_->end();
}

Task<core::Result<std::span<const char>>> Connection::read_some(core::Duration timeout) {
    State& state = *state_;
    if (const auto byte = std::exchange(state.peeked, std::nullopt)) {
        state.commands.front() = *byte;
        co_return std::span<const char>(state.commands.data(), 1);
    }
    state.begin_wait(timeout);
    Error error;
    std::size_t size = 0;
    // Asio waits for a real read without touching epoll; waiting for readiness alone would cost two system calls more.
    if (state.tls) {
        std::tie(error, size) = co_await state.tls->stream().async_read_some(asio::buffer(state.commands), use_tuple);
    } else {
        std::tie(error, size) = co_await state.socket.async_read_some(asio::buffer(state.commands), use_tuple);
    }
    if (const Error ended = state.end_wait(error)) co_return ended;
    if (size < state.commands.size()) co_return std::span<const char>(state.commands.data(), size);
    const std::span<char> buffer = shared_buffer();
    std::copy(state.commands.begin(), state.commands.end(), buffer.begin());
    co_return buffer.first(size + state.read_what_is_there(buffer.subspan(size)));
}

Task<Error> Connection::write_all(std::string_view bytes, core::Duration timeout) {
    if (state_->tls) co_return co_await write_all_encrypted(bytes, timeout);
    const auto begun = core::TimePoint::clock::now();
    std::string copy;
    while (!bytes.empty()) {
        Error error;
        bytes.remove_prefix(state_->socket.write_some(asio::buffer(bytes.data(), bytes.size()), error));
        if (!error) continue;
        if (!would_block(error)) co_return clean(error);
        // While we wait, other sessions read into the shared buffer.
        if (is_in(bytes, shared_buffer())) bytes = copy.assign(bytes);
        state_->begin_wait(timeout - (core::TimePoint::clock::now() - begun));
        std::tie(error) = co_await state_->socket.async_wait(tcp::socket::wait_write, use_tuple);
        if (const Error ended = state_->end_wait(error)) co_return ended;
    }
    co_return Error();
}

Task<Error> Connection::write_all_encrypted(std::string_view bytes, core::Duration timeout) {
    std::string copy;
    // While we wait, other sessions read into the shared buffer.
    if (is_in(bytes, shared_buffer())) bytes = copy.assign(bytes);
    state_->begin_wait(timeout);
    const auto buffer = asio::buffer(bytes.data(), bytes.size());
    const auto [error, size] = co_await asio::async_write(state_->tls->stream(), buffer, use_tuple);
    co_return state_->end_wait(error);
}

void Connection::write_now(std::string_view bytes) {
    Error ignored;
    const auto buffer = asio::buffer(bytes.data(), bytes.size());
    if (state_->tls) {
        state_->tls->stream().write_some(buffer, ignored);
    } else {
        state_->socket.write_some(buffer, ignored);
    }
}

Task<Error> Connection::start_tls(TlsClient tls, std::string server_name, std::string session_name,
                                  core::Duration timeout) {
    state_->tls.emplace(state_->socket, tls.impl(), server_name, std::move(session_name));
    co_return co_await shake_hands(/*as_client=*/true, timeout);
}

Task<Error> Connection::accept_tls(TlsServer tls, core::Duration timeout) {
    state_->tls.emplace(state_->socket, tls.impl());
    co_return co_await shake_hands(/*as_client=*/false, timeout);
}

Task<Error> Connection::shake_hands(bool as_client, core::Duration timeout) {
    State& state = *state_;
    state.begin_wait(timeout);
    const auto role = as_client ? TlsStream::Stream::client : TlsStream::Stream::server;
    const auto [error] = co_await state.tls->stream().async_handshake(role, use_tuple);
    const Error ended = state.end_wait(error);
    if (!ended) co_return ended;
    state.tls->on_failed();
    state.tls_problem = error && ended != Errc::timed_out ? state.tls->problem(error) : ended.message();
    co_return ended == Errc::timed_out ? ended : Error(Errc::tls_failed);
}

bool Connection::is_encrypted() const {
    return state_->tls.has_value();
}

bool Connection::is_tls_session_resumed() const {
    return state_->tls->is_resumed();
}

std::string Connection::tls_summary() const {
    return state_->tls ? state_->tls->summary() : std::string();
}

const std::string& Connection::tls_problem() const {
    return state_->tls_problem;
}

bool Connection::has_unread_or_closed() {
    if (state_->peeked) return true;
    Error error;
    char byte = 0;
    if (state_->tls) {
        // Only by reading can be told what waits in OpenSSL, and that a session to resume, which a TLS 1.3 server sends
        // when it likes, is nothing to read.
        state_->tls->stream().read_some(asio::buffer(&byte, 1), error);
        if (!error) state_->peeked = byte;
    } else {
        state_->socket.receive(asio::buffer(&byte, 1), tcp::socket::message_peek, error);
    }
    return !would_block(error);
}

asio::any_io_executor Connection::executor() {
    return state_->socket.get_executor();
}

void Connection::cancel() {
    Error ignored;
    state_->socket.cancel(ignored);
}

void Connection::close() {
    if (state_->tls) state_->tls->say_goodbye();
    // Closing with unread bytes sends a reset, and the peer may lose the reply that it has not read yet.
    const std::span<char> buffer = shared_buffer();
    for (int i = 0; i < 4; ++i) {
        Error error;
        state_->socket.read_some(asio::buffer(buffer.data(), buffer.size()), error);
        if (error) break;
    }
    state_->end();
}

}  // namespace weir::net
