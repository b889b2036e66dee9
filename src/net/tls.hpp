#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "weir/core/result.hpp"
#include "weir/net/tls.hpp"

namespace weir::net {

struct SessionDeleter {
    void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};
using TlsSession = std::unique_ptr<SSL_SESSION, SessionDeleter>;

/// What a TlsClient and the connections made with it share.
struct TlsClient::Impl {
    explicit Impl(const Options& options);

    /// The server's last session, to be offered to it again; none when there was none.
    [[nodiscard]] TlsSession find_session(const std::string& server);
    void keep_session(const std::string& server, TlsSession session);
    void forget_session(const std::string& server);

    boost::asio::ssl::context context{boost::asio::ssl::context::tls_client};
    bool verify;

private:
    std::mutex mutex_;
    std::map<std::string, TlsSession> sessions_;  // as many as there are relays in the configuration
};

struct TlsServer::Impl {
    Impl(const std::string& certificate_file, const std::string& key_file);

    boost::asio::ssl::context context{boost::asio::ssl::context::tls_server};
};

/// One connection's TLS, over a socket that is somebody else's.
///
/// Threads: the socket's.
class TlsStream {
public:
    using Stream = boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>;

    /// `session_name` says whose sessions may be resumed: those of the same server, asked for by the same name.
    TlsStream(boost::asio::ip::tcp::socket& socket, std::shared_ptr<TlsClient::Impl> client,
              const std::string& server_name, std::string session_name);
    TlsStream(boost::asio::ip::tcp::socket& socket, std::shared_ptr<TlsServer::Impl> server);

    [[nodiscard]] Stream& stream() { return stream_; }

    /// Bytes that are decrypted already: reading them waits for nothing.
    [[nodiscard]] std::size_t decrypted();

    /// The handshake failed. Should that be the resumed session's fault, the next one goes without.
    void on_failed();

    /// Why the handshake failed, in OpenSSL's words; the certificate's fault first.
    [[nodiscard]] std::string problem(const core::Error& error);

    [[nodiscard]] bool is_resumed();

    /// "TLSv1.3 TLS_AES_256_GCM_SHA384"
    [[nodiscard]] std::string summary();

    /// Sends close_notify and waits for nothing. Requires: the socket does not block.
    void say_goodbye();

private:
    std::shared_ptr<TlsClient::Impl> client_;  // the stream's SSL refers to one of these
    std::shared_ptr<TlsServer::Impl> server_;
    std::string session_name_;
    Stream stream_;
};

}  // namespace weir::net
