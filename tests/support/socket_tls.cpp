#include "support/socket_tls.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <array>
#include <csignal>

namespace weir::test {
namespace {

void set_deadlines(int descriptor) {
    const timeval limit{.tv_sec = patience.count(), .tv_usec = 0};
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

}  // namespace

struct Socket::Tls::Impl {
    Impl(const SSL_METHOD* method, int descriptor) : context(SSL_CTX_new(method)) {
        set_deadlines(descriptor);
        SSL_CTX_set_mode(context, SSL_MODE_AUTO_RETRY);
        std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes as if there were no such thing
    }
    ~Impl() {
        SSL_free(ssl);
        SSL_CTX_free(context);
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    void begin(int descriptor) {
        ssl = SSL_new(context);
        SSL_set_fd(ssl, descriptor);
    }

    SSL_CTX* context;
    SSL* ssl = nullptr;
};

Socket::Tls::Tls(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Socket::Tls::~Tls() = default;

std::shared_ptr<Socket::Tls> Socket::Tls::server(int descriptor, const Identity& identity, const TlsManners& manners) {
    auto impl = std::make_unique<Impl>(TLS_server_method(), descriptor);
    SSL_CTX_use_certificate_chain_file(impl->context, identity.certificate.c_str());
    SSL_CTX_use_PrivateKey_file(impl->context, identity.key.c_str(), SSL_FILETYPE_PEM);
    // Every connection has a context of its own: only a ticket whose key all of them know can resume a session.
    std::array<unsigned char, 80> ticket_key{};
    SSL_CTX_set_tlsext_ticket_keys(impl->context, ticket_key.data(), ticket_key.size());
    // Without it OpenSSL refuses to resume a session in which the client has shown a certificate.
    constexpr std::array<unsigned char, 4> context{'t', 'e', 's', 't'};
    SSL_CTX_set_session_id_context(impl->context, context.data(), context.size());
    if (!manners.client_ca.empty()) {
        SSL_CTX_load_verify_locations(impl->context, manners.client_ca.c_str(), nullptr);
        SSL_CTX_set_verify(impl->context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
    if (manners.is_old) {
        SSL_CTX_set_security_level(impl->context, 0);
        SSL_CTX_set_min_proto_version(impl->context, TLS1_VERSION);
        SSL_CTX_set_max_proto_version(impl->context, TLS1_1_VERSION);
    }
    impl->begin(descriptor);
    SSL_set_accept_state(impl->ssl);
    return std::shared_ptr<Tls>(new Tls(std::move(impl)));
}

std::shared_ptr<Socket::Tls> Socket::Tls::client(int descriptor) {
    auto impl = std::make_unique<Impl>(TLS_client_method(), descriptor);
    impl->begin(descriptor);
    SSL_set_connect_state(impl->ssl);
    return std::shared_ptr<Tls>(new Tls(std::move(impl)));
}

bool Socket::Tls::shake_hands() {
    const bool done = SSL_do_handshake(impl_->ssl) == 1;
    ERR_clear_error();
    return done;
}

std::string Socket::Tls::peer_certificate() const {
    X509* const certificate = SSL_get1_peer_certificate(impl_->ssl);
    if (certificate == nullptr) return {};
    const std::string serial = std::to_string(ASN1_INTEGER_get(X509_get0_serialNumber(certificate)));
    X509_free(certificate);
    return serial;
}

std::string Socket::Tls::read() {
    std::array<char, 65536> bytes;
    const int count = SSL_read(impl_->ssl, bytes.data(), bytes.size());
    if (count > 0) return {bytes.data(), static_cast<std::size_t>(count)};
    if (SSL_get_error(impl_->ssl, count) == SSL_ERROR_WANT_READ) throw TestFailure("nothing arrived in time");
    ERR_clear_error();
    return {};
}

void Socket::Tls::write(std::string_view bytes) {
    if (bytes.empty()) return;
    const int count = SSL_write(impl_->ssl, bytes.data(), static_cast<int>(bytes.size()));
    if (count > 0) return;
    const bool timed_out = SSL_get_error(impl_->ssl, count) == SSL_ERROR_WANT_WRITE;
    ERR_clear_error();
    if (timed_out) throw TestFailure("the peer does not read");
    throw ConnectionLost("write: connection lost");
}

}  // namespace weir::test
