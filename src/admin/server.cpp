#include "weir/admin/server.hpp"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <exception>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "routes.hpp"
#include "weir/core/result.hpp"

namespace weir::admin {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using namespace std::chrono_literals;

constexpr std::size_t most_connections = 64;
constexpr std::uint32_t header_limit = 8 * 1024;
constexpr std::uint64_t body_limit = 4 * 1024;
constexpr auto accept_pause = 100ms;
constexpr auto as_values = asio::as_tuple(asio::use_awaitable);

/// Does what `open` does to a new acceptor; on trouble throws `what` and the system's reason.
template <class Open>
tcp::acceptor make_acceptor(asio::io_context& io, const std::string& what, Open open) {
    try {
        tcp::acceptor acceptor(io);
        open(acceptor);
        return acceptor;
    } catch (const boost::system::system_error& error) {
        throw std::runtime_error("admin: cannot " + what + ": " + error.code().message());
    }
}

tcp::acceptor listen_on(asio::io_context& io, const tcp::endpoint& address) {
    std::ostringstream what;
    what << "listen on " << address;
    return make_acceptor(io, what.str(), [&address](tcp::acceptor& acceptor) {
        acceptor.open(address.protocol());
        acceptor.set_option(tcp::acceptor::reuse_address(true));
        acceptor.bind(address);
        acceptor.listen();
    });
}

bool has_option(int socket, int option, int wanted) {
    int value = -1;
    socklen_t size = sizeof(value);
    return getsockopt(socket, SOL_SOCKET, option, &value, &size) == 0 && value == wanted;
}

tcp::acceptor take_over(asio::io_context& io, int listening_socket) {
    const std::string what = "take over descriptor " + std::to_string(listening_socket);
    const bool is_v6 = has_option(listening_socket, SO_DOMAIN, AF_INET6);
    const bool is_tcp = has_option(listening_socket, SO_PROTOCOL, IPPROTO_TCP);
    if (!is_tcp || !has_option(listening_socket, SO_ACCEPTCONN, 1)) {
        throw std::runtime_error("admin: cannot " + what + ": not a listening TCP socket");
    }
    return make_acceptor(io, what, [is_v6, listening_socket](tcp::acceptor& acceptor) {
        acceptor.assign(is_v6 ? tcp::v6() : tcp::v4(), listening_socket);
    });
}

/// The answer to what Beast could not read as a request; none when there is nobody left to answer.
std::optional<Response> answer_to(const core::Error& error) {
    if (error == http::error::end_of_stream || error == http::error::partial_message) return std::nullopt;
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
        return refuse(http::status::request_header_fields_too_large, "header too large");
    }
    if (error == http::error::body_limit) return refuse(http::status::payload_too_large, "body too large");
    const bool is_syntax = error.category() == http::make_error_code(http::error::bad_method).category();
    if (is_syntax) return refuse(http::status::bad_request, "bad request");
    return std::nullopt;
}

/// One of the places for connections, for as long as it lives.
class Place {
public:
    explicit Place(std::size_t& taken) : taken_(&taken) { ++*taken_; }
    Place(Place&& other) noexcept : taken_(std::exchange(other.taken_, nullptr)) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
        if (taken_ != nullptr) --*taken_;
    }

private:
    std::size_t* taken_;
};

/// Closing with bytes unread sends RST, which can take our answer away from the peer before it is read.
asio::awaitable<void> close_in_order(beast::tcp_stream& stream) {
    core::Error ignored;
    stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream.expires_after(1s);
    std::array<char, 4096> discarded{};
    for (int rounds = 0; rounds < 16; ++rounds) {
        const auto [error, size] = co_await stream.async_read_some(asio::buffer(discarded), as_values);
        if (error || size == 0) co_return;
    }
}

}  // namespace

struct Server::Impl {
    Impl(Sources from, telemetry::Log& to, core::Duration timeout)
        : sources(std::move(from)), log(to), patience(timeout) {}

    void start(tcp::acceptor listening) {
        acceptor = std::move(listening);
        port = acceptor.local_endpoint().port();
        spawn(accept_all());
        thread = std::thread([this] { io.run(); });
        pthread_setname_np(thread.native_handle(), "weir-admin");
    }

    void spawn(asio::awaitable<void> task) {
        asio::co_spawn(io, std::move(task), [this](std::exception_ptr thrown) { log_if(thrown); });
    }

    asio::awaitable<void> accept_all() {
        for (;;) {
            auto [error, socket] = co_await acceptor.async_accept(as_values);
            if (error) {
                log.event_limited(telemetry::Level::warning, "admin_accept", "admin: accept: " + error.message());
                // Most likely descriptors have run out: without a pause this would spin until one is free.
                asio::steady_timer timer(io, accept_pause);
                co_await timer.async_wait(as_values);
            } else if (connections < most_connections) {
                spawn(serve(std::move(socket), Place(connections)));
            }
        }
    }

    asio::awaitable<void> serve(tcp::socket socket, Place /*place*/) const {
        core::Error ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        beast::tcp_stream stream(std::move(socket));
        beast::flat_buffer buffer(header_limit + body_limit);
        for (bool is_open = true; is_open;) {
            http::request_parser<http::string_body> parser;
            parser.header_limit(header_limit);
            parser.body_limit(body_limit);
            stream.expires_after(patience);
            const auto [read_error, bytes_read] = co_await http::async_read(stream, buffer, parser, as_values);
            const std::optional<Response> response = read_error ? answer_to(read_error) : answer(parser.get());
            if (!response) co_return;

            stream.expires_after(patience);
            const auto [write_error, bytes_written] = co_await http::async_write(stream, *response, as_values);
            if (write_error) co_return;
            is_open = response->keep_alive();
        }
        co_await close_in_order(stream);
    }

    [[nodiscard]] Response answer(const Request& request) const {
        try {
            return respond(request, sources);
        } catch (const std::exception& bug) {
            log.event_limited(telemetry::Level::error, "admin_answer", std::string("admin: ") + bug.what());
            return refuse(http::status::internal_server_error, "internal error, see the log");
        }
    }

    void log_if(const std::exception_ptr& thrown) const {
        if (!thrown) return;
        try {
            std::rethrow_exception(thrown);
        } catch (const std::exception& bug) {
            log.event_limited(telemetry::Level::error, "admin_thrown", std::string("admin: ") + bug.what());
        }
    }

    Sources sources;
    telemetry::Log& log;
    core::Duration patience;
    std::size_t connections = 0;  // only the server's thread
    std::uint16_t port = 0;
    asio::io_context io{1};  // destroys the coroutines that are left, which use what is above
    tcp::acceptor acceptor{io};
    std::thread thread;
};

Server::Server(const tcp::endpoint& address, Sources sources, telemetry::Log& log, core::Duration patience)
    : impl_(std::make_unique<Impl>(std::move(sources), log, patience)) {
    impl_->start(listen_on(impl_->io, address));
}

Server::Server(int listening_socket, Sources sources, telemetry::Log& log, core::Duration patience)
    : impl_(std::make_unique<Impl>(std::move(sources), log, patience)) {
    impl_->start(take_over(impl_->io, listening_socket));
}

Server::~Server() {
    stop();
}

std::uint16_t Server::port() const {
    return impl_->port;
}

void Server::stop() {
    impl_->io.stop();
    if (impl_->thread.joinable()) impl_->thread.join();
    core::Error ignored;
    impl_->acceptor.close(ignored);
}

}  // namespace weir::admin
