#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "support/certificates.hpp"

namespace weir::test {

/// How long a test waits for something that must happen. Long, because it only costs time when a test fails,
/// and sanitizers on a busy machine are slow.
inline constexpr std::chrono::seconds patience{20};

/// What the other side did, or did not do in time. GoogleTest reports it as a failure, with the text.
class TestFailure : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// A blocking, buffered TCP socket whose every wait ends after `patience`.
///
/// Owns:    the descriptor.
/// Errors:  TestFailure when time is up; ConnectionLost when the peer reset the connection.
/// Threads: one thread reads and writes; shut_down() may be called from any other to wake it.
class Socket {
public:
    class ConnectionLost : public TestFailure {
    public:
        using TestFailure::TestFailure;
    };

    Socket() = default;
    explicit Socket(int descriptor) : descriptor_(descriptor) {}
    Socket(Socket&& other) noexcept;
    Socket& operator=(Socket&& other) noexcept;
    ~Socket() { close(); }

    /// To 127.0.0.1:`port`, from `source`: any address in 127.0.0.0/8 will do.
    [[nodiscard]] static Socket connect(std::uint16_t port, const std::string& source = "127.0.0.1");

    /// A UDP socket of 127.0.0.1, on a free port.
    [[nodiscard]] static Socket datagram();

    [[nodiscard]] std::uint16_t local_port() const;

    /// The next connection to this listening socket; none after shut_down().
    [[nodiscard]] std::optional<Socket> accept() const;

    /// What has arrived, at least one byte; empty when the peer has closed its side.
    [[nodiscard]] std::string read_some();

    /// One line with its LF; none when the peer has closed its side before one was whole.
    [[nodiscard]] std::optional<std::string> read_line();

    /// Gives back what was read too far: the next read begins with it.
    void unread(std::string_view bytes) { buffer_.insert(0, bytes); }

    void write(std::string_view bytes);

    /// Both in one segment; with TLS each in a record of its own.
    void write_in_one_breath(std::string_view first, std::string_view second);

    /// Returns when the peer's program has read all that was written: what is written next, it reads by itself.
    void wait_until_read() const;

    /// We write no more, and still read (the peer sees end of file).
    void close_writing() const;

    /// Wakes whoever waits in read_some() or accept(): there is nothing more to come.
    void shut_down() const;

    void close();

    /// Closes with RST, as a crashed peer would.
    void reset();
    /// The next close() does.
    void reset_when_closed() const;

    /// TLS from here on. False, and nothing more can be read or written, when the handshake fails.
    [[nodiscard]] bool accept_tls(const Identity& identity, const TlsManners& manners = {});
    [[nodiscard]] bool start_tls();
    [[nodiscard]] std::string peer_certificate() const;  ///< its serial number; empty without TLS

    [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }
    [[nodiscard]] int descriptor() const { return descriptor_; }

private:
    void wait_for(short events) const;

    class Tls;

    int descriptor_ = -1;
    std::string buffer_;
    std::shared_ptr<Tls> tls_;
};

/// A free TCP port of a loopback address, kept from everybody else, while the process under test can still listen on
/// it.
///
/// The port is bound but not listened on: nobody is given it by chance, connecting to it is refused, and a listener
/// with SO_REUSEADDR (Asio's default) or SO_REUSEPORT may take it.
class ReservedPort {
public:
    /// `port` 0: any. A name with several addresses has the same port on all of them.
    explicit ReservedPort(std::string address = "127.0.0.1", std::uint16_t port = 0);

    [[nodiscard]] std::uint16_t number() const { return number_; }
    [[nodiscard]] const std::string& address() const { return address_; }
    [[nodiscard]] std::string text() const;  ///< "127.0.0.1:PORT", "[::1]:PORT"

    /// A socket that listens on it.
    [[nodiscard]] Socket listen(int backlog = 4096) const;

private:
    std::string address_;
    Socket holder_;
    std::uint16_t number_ = 0;
};

/// An address that swallows packets: it neither accepts nor refuses a connection.
class BlackHole {
public:
    explicit BlackHole(const std::string& address, std::uint16_t port = 0);

    [[nodiscard]] std::uint16_t port() const { return port_.number(); }

private:
    ReservedPort port_;
    Socket listener_;
    Socket filler_;
};

}  // namespace weir::test
