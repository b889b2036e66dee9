#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace weir::sim {

/// A page: its content type, and what makes its body anew for each GET.
struct Page {
    std::string content_type;
    std::function<std::string()> body;
};

using Pages = std::map<std::string, Page, std::less<>>;

/// GET and HEAD of a few pages, on the loop that everything else runs on.
///
/// Not admin::Server: that one has Weir's endpoints and a thread of its own, and our pages read what only this loop
/// may touch. What a peer can make it hold is bounded by Beast's parser limits and 10 s for each request and answer.
///
/// Errors:  the constructor throws std::runtime_error when the address cannot be listened on.
class HttpServer {
public:
    HttpServer(boost::asio::io_context& loop, const boost::asio::ip::tcp::endpoint& address, Pages pages);

    [[nodiscard]] boost::asio::ip::tcp::endpoint local() const;

private:
    std::shared_ptr<boost::asio::ip::tcp::acceptor> acceptor_;
};

/// An acceptor that listens. Throws std::runtime_error, saying which address and why.
[[nodiscard]] boost::asio::ip::tcp::acceptor listen_on(boost::asio::io_context& loop,
                                                       const boost::asio::ip::tcp::endpoint& address);

}  // namespace weir::sim
