#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "support/socket.hpp"

namespace weir::test {

/// TLS over a descriptor that is a Socket's. Blocks, for `patience` at the most.
class Socket::Tls {
public:
    [[nodiscard]] static std::shared_ptr<Tls> server(int descriptor, const Identity& identity,
                                                     const TlsManners& manners);
    [[nodiscard]] static std::shared_ptr<Tls> client(int descriptor);
    ~Tls();
    Tls(const Tls&) = delete;
    Tls& operator=(const Tls&) = delete;

    [[nodiscard]] bool shake_hands();
    [[nodiscard]] std::string read();  ///< empty at the end, however it came about
    void write(std::string_view bytes);
    [[nodiscard]] std::string peer_certificate() const;

private:
    struct Impl;
    explicit Tls(std::unique_ptr<Impl> impl);

    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::test
