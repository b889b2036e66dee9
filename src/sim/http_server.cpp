#include "http_server.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "weir/net/task.hpp"

namespace weir::sim {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using namespace std::chrono_literals;

using SharedPages = std::shared_ptr<const Pages>;
using Response = http::response<http::string_body>;

constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable);
constexpr auto patience = 10s;

Response answer(const http::request<http::empty_body>& request, const Pages& pages) {
    Response response(http::status::ok, request.version());
    const bool is_head = request.method() == http::verb::head;
    const std::string_view target(request.target().data(), request.target().size());
    const auto page = pages.find(target.substr(0, target.find('?')));
    if (request.method() != http::verb::get && !is_head) {
        response.result(http::status::method_not_allowed);
    } else if (page == pages.end()) {
        response.result(http::status::not_found);
        response.body() = "not found\n";
    } else {
        response.set(http::field::content_type, page->second.content_type);
        response.body() = page->second.body();
    }
    response.keep_alive(request.keep_alive());
    response.prepare_payload();
    if (is_head) response.body().clear();
    return response;
}

net::Task<> serve(tcp::socket socket, SharedPages pages) {
    beast::tcp_stream stream(std::move(socket));
    beast::flat_buffer buffer;
    for (bool is_open = true; is_open;) {
        http::request<http::empty_body> request;
        stream.expires_after(patience);
        const auto [read_error, bytes_read] = co_await http::async_read(stream, buffer, request, use_tuple);
        if (read_error) co_return;
        const Response response = answer(request, *pages);
        stream.expires_after(patience);
        const auto [write_error, bytes_written] = co_await http::async_write(stream, response, use_tuple);
        is_open = !write_error && response.keep_alive();
    }
}

net::Task<> accept_all(std::shared_ptr<tcp::acceptor> acceptor, SharedPages pages) {
    asio::steady_timer timer(acceptor->get_executor());
    while (acceptor->is_open()) {
        auto [error, socket] = co_await acceptor->async_accept(use_tuple);
        if (!error) {
            asio::co_spawn(acceptor->get_executor(), serve(std::move(socket), pages), asio::detached);
            continue;
        }
        // Out of descriptors, most likely: without a pause this would spin.
        timer.expires_after(100ms);
        co_await timer.async_wait(use_tuple);
    }
}

}  // namespace

HttpServer::HttpServer(asio::io_context& loop, const tcp::endpoint& address, Pages pages)
    : acceptor_(std::make_shared<tcp::acceptor>(listen_on(loop, address))) {
    auto shared = std::make_shared<const Pages>(std::move(pages));
    asio::co_spawn(loop, accept_all(acceptor_, std::move(shared)), asio::detached);
}

tcp::endpoint HttpServer::local() const {
    return acceptor_->local_endpoint();
}

tcp::acceptor listen_on(asio::io_context& loop, const tcp::endpoint& address) {
    std::ostringstream what;
    what << "cannot listen on " << address << ": ";
    try {
        return tcp::acceptor(loop, address, /*reuse_addr=*/true);
    } catch (const boost::system::system_error& error) {
        throw std::runtime_error(what.str() + error.code().message());
    }
}

}  // namespace weir::sim
