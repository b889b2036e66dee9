#pragma once

#include <memory>
#include <string>

namespace weir::net {

/// TLS 1.2 or later (RFC 9325) as a client: whom it trusts, what it shows of itself, and sessions to resume.
///
/// Owns:    the OpenSSL context and the last session of each server, which the connections made with it keep alive.
/// Errors:  the constructor throws std::runtime_error, which names the file and OpenSSL's reason.
/// Threads: may be used by all workers at once.
class TlsClient {
public:
    struct Options {
        bool verify = true;              ///< the chain and the name; otherwise any certificate will do
        std::string ca_file{};           ///< PEM; empty: the CAs that the system trusts
        std::string certificate_file{};  ///< PEM, the chain after it; empty: none is shown
        std::string key_file{};          ///< PEM; empty: it is in certificate_file
    };

    explicit TlsClient(const Options& options);

    struct Impl;
    [[nodiscard]] const std::shared_ptr<Impl>& impl() const { return impl_; }

private:
    std::shared_ptr<Impl> impl_;
};

/// The same as a server, for STARTTLS from Postfix. No client certificate is asked for.
class TlsServer {
public:
    TlsServer(const std::string& certificate_file, const std::string& key_file);

    struct Impl;
    [[nodiscard]] const std::shared_ptr<Impl>& impl() const { return impl_; }

private:
    std::shared_ptr<Impl> impl_;
};

}  // namespace weir::net
