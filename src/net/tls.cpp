#include "tls.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <stdexcept>
#include <string_view>
#include <utility>

#include "weir/core/ip.hpp"

namespace weir::net {
namespace {

namespace ssl = boost::asio::ssl;
using core::Error;

/// Where an SSL finds the TlsStream's session name; see SSL_get_ex_new_index(3).
int name_index() {
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

/// Where an SSL_CTX finds its TlsClient::Impl.
int client_index() {
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

/// OpenSSL has made a session that can be resumed: with TLS 1.3 that is some time after the handshake.
int on_new_session(SSL* connection, SSL_SESSION* session) {
    auto* client = static_cast<TlsClient::Impl*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(connection), client_index()));
    const auto* name = static_cast<const std::string*>(SSL_get_ex_data(connection, name_index()));
    if (client == nullptr || name == nullptr) return 0;
    client->keep_session(*name, TlsSession(session));
    return 1;  // it is ours now
}

[[noreturn]] void refuse(const std::string& what, const std::string& file, const Error& error) {
    ERR_clear_error();
    throw std::runtime_error(what + " " + file + " cannot be used: " + error.message());
}

/// RFC 9325 3.1.1: nothing below TLS 1.2. No compression and no renegotiation, which SMTP has no use for.
void harden(ssl::context& context) {
    SSL_CTX* native = context.native_handle();
    SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
    SSL_CTX_set_options(native, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
}

void load_identity(ssl::context& context, const std::string& certificate_file, const std::string& key_file) {
    Error error;
    context.use_certificate_chain_file(certificate_file, error);
    if (error) refuse("certificate_file", certificate_file, error);
    const std::string& key = key_file.empty() ? certificate_file : key_file;
    context.use_private_key_file(key, ssl::context::pem, error);
    if (error) refuse("key_file", key, error);
    if (SSL_CTX_check_private_key(context.native_handle()) == 1) return;
    ERR_clear_error();
    throw std::runtime_error("key_file " + key + " is not the key of certificate_file " + certificate_file);
}

void load_trust(ssl::context& context, const std::string& ca_file) {
    Error error;
    if (ca_file.empty()) {
        context.set_default_verify_paths(error);
        if (error) refuse("ca_file", "(the system's)", error);
    } else {
        context.load_verify_file(ca_file, error);
        if (error) refuse("ca_file", ca_file, error);
    }
}

/// RFC 6125: the certificate must be for this name, or, for a relay given by address, for this address.
void expect_name(SSL* connection, const std::string& name) {
    SSL_set_hostflags(connection, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (core::parse_ip(name)) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection), name.c_str());
    } else {
        SSL_set1_host(connection, name.c_str());
    }
}

}  // namespace

TlsClient::TlsClient(const Options& options) : impl_(std::make_shared<Impl>(options)) {}

TlsClient::Impl::Impl(const Options& options) : verify(options.verify) {
    harden(context);
    if (verify) load_trust(context, options.ca_file);
    context.set_verify_mode(verify ? ssl::verify_peer : ssl::verify_none);
    if (!options.certificate_file.empty()) load_identity(context, options.certificate_file, options.key_file);
    SSL_CTX* native = context.native_handle();
    SSL_CTX_set_ex_data(native, client_index(), this);
    SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(native, on_new_session);
}

TlsSession TlsClient::Impl::find_session(const std::string& server) {
    const std::lock_guard lock(mutex_);
    const auto found = sessions_.find(server);
    if (found == sessions_.end()) return nullptr;
    SSL_SESSION_up_ref(found->second.get());
    return TlsSession(found->second.get());
}

void TlsClient::Impl::keep_session(const std::string& server, TlsSession session) {
    const std::lock_guard lock(mutex_);
    sessions_[server] = std::move(session);
}

void TlsClient::Impl::forget_session(const std::string& server) {
    const std::lock_guard lock(mutex_);
    sessions_.erase(server);
}

TlsServer::TlsServer(const std::string& certificate_file, const std::string& key_file)
    : impl_(std::make_shared<Impl>(certificate_file, key_file)) {}

TlsServer::Impl::Impl(const std::string& certificate_file, const std::string& key_file) {
    harden(context);
    load_identity(context, certificate_file, key_file);
    constexpr std::string_view application = "weir";
    SSL_CTX_set_session_id_context(context.native_handle(), reinterpret_cast<const unsigned char*>(application.data()),
                                   application.size());
}

TlsStream::TlsStream(boost::asio::ip::tcp::socket& socket, std::shared_ptr<TlsClient::Impl> client,
                     const std::string& server_name, std::string session_name)
    : client_(std::move(client)), session_name_(std::move(session_name)), stream_(socket, client_->context) {
    SSL* connection = stream_.native_handle();
    SSL_set_ex_data(connection, name_index(), &session_name_);
    // RFC 6066 3: an address is no server name.
    if (!core::parse_ip(server_name)) SSL_set_tlsext_host_name(connection, server_name.c_str());
    if (client_->verify) expect_name(connection, server_name);
    if (const TlsSession session = client_->find_session(session_name_)) SSL_set_session(connection, session.get());
}

TlsStream::TlsStream(boost::asio::ip::tcp::socket& socket, std::shared_ptr<TlsServer::Impl> server)
    : server_(std::move(server)), stream_(socket, server_->context) {}

std::size_t TlsStream::decrypted() {
    return static_cast<std::size_t>(SSL_pending(stream_.native_handle()));
}

void TlsStream::on_failed() {
    if (client_) client_->forget_session(session_name_);
}

std::string TlsStream::problem(const Error& error) {
    const long verdict = SSL_get_verify_result(stream_.native_handle());
    if (client_ && client_->verify && verdict != X509_V_OK) {
        return std::string("certificate not accepted: ") + X509_verify_cert_error_string(verdict);
    }
    return error.message();
}

bool TlsStream::is_resumed() {
    return SSL_session_reused(stream_.native_handle()) == 1;
}

std::string TlsStream::summary() {
    const SSL* connection = stream_.native_handle();
    return std::string(SSL_get_version(connection)) + ' ' + SSL_get_cipher_name(connection);
}

void TlsStream::say_goodbye() {
    if (SSL_is_init_finished(stream_.native_handle()) == 0) return;
    Error would_block;
    stream_.shutdown(would_block);
}

}  // namespace weir::net
