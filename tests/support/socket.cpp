#include "support/socket.hpp"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <random>
#include <system_error>
#include <thread>
#include <utility>

#include "support/socket_tls.hpp"

namespace weir::test {

namespace {

[[noreturn]] void throw_errno(const std::string& what) {
    const int number = errno;
    if (number == ECONNRESET || number == EPIPE) throw Socket::ConnectionLost(what + ": connection lost");
    throw std::system_error(number, std::generic_category(), what);
}

/// Where a socket is bound, or connects to.
struct Address {
    sockaddr_storage bytes{};
    socklen_t size = 0;

    [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&bytes); }
};

Address loopback(std::uint16_t port, const std::string& address = "127.0.0.1") {
    Address result;
    auto* v4 = reinterpret_cast<sockaddr_in*>(&result.bytes);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&result.bytes);
    if (inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        result.size = sizeof *v4;
    } else if (inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        result.size = sizeof *v6;
    } else {
        throw TestFailure("not an address: " + address);
    }
    return result;
}

void bind_to(const Socket& socket, const Address& address) {
    if (::bind(socket.descriptor(), address.get(), address.size) != 0) throw_errno("bind");
}

Socket new_socket(const std::string& address = "127.0.0.1", int type = SOCK_STREAM) {
    const int family = address.find(':') == std::string::npos ? AF_INET : AF_INET6;
    const int descriptor = ::socket(family, type | SOCK_CLOEXEC, 0);
    if (descriptor < 0) throw_errno("socket");
    return Socket(descriptor);
}

std::uint16_t port_of(const Socket& socket) {
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    if (::getsockname(socket.descriptor(), reinterpret_cast<sockaddr*>(&bound), &size) != 0) throw_errno("getsockname");
    return ntohs(bound.ss_family == AF_INET ? reinterpret_cast<sockaddr_in*>(&bound)->sin_port
                                            : reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port);
}

/// Bytes that wait to be read in the socket with these addresses; 0 when there is none any more. The kernel is asked as
/// ss(8) does (sock_diag(7)).
unsigned unread_at(const sockaddr_in& own, const sockaddr_in& peer) {
    struct {
        nlmsghdr header;
        inet_diag_req_v2 what;
    } request{};
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    request.header.nlmsg_flags = NLM_F_REQUEST;
    request.what.sdiag_family = AF_INET;
    request.what.sdiag_protocol = IPPROTO_TCP;
    request.what.idiag_states = ~0U;
    request.what.id.idiag_sport = own.sin_port;
    request.what.id.idiag_dport = peer.sin_port;
    request.what.id.idiag_src[0] = own.sin_addr.s_addr;
    request.what.id.idiag_dst[0] = peer.sin_addr.s_addr;
    request.what.id.idiag_cookie[0] = request.what.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;

    const Socket kernel(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
    struct {
        nlmsghdr header;
        inet_diag_msg what;
        std::array<char, 4096> more;
    } answer;
    if (::send(kernel.descriptor(), &request, sizeof request, 0) < 0) throw_errno("sock_diag");
    if (::recv(kernel.descriptor(), &answer, sizeof answer, 0) < 0) throw_errno("sock_diag");
    return answer.header.nlmsg_type == SOCK_DIAG_BY_FAMILY ? answer.what.idiag_rqueue : 0;
}

/// Below the ports that the kernel gives to outgoing connections, so that none of those is in the way when the same
/// port is wanted of another address too.
std::uint16_t bind_to_any_port(const Socket& socket, const std::string& address) {
    std::random_device device;
    std::uniform_int_distribution<std::uint16_t> any(10'000, 31'999);
    for (int tries = 0; tries < 1000; ++tries) {
        const std::uint16_t port = any(device);
        const Address wanted = loopback(port, address);
        if (::bind(socket.descriptor(), wanted.get(), wanted.size) == 0) return port;
        if (errno != EADDRINUSE) throw_errno("bind");
    }
    throw TestFailure("no port is free on " + address);
}

void set_option(const Socket& socket, int level, int option) {
    const int on = 1;
    if (::setsockopt(socket.descriptor(), level, option, &on, sizeof on) != 0) throw_errno("setsockopt");
}

}  // namespace

Socket::Socket(Socket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      buffer_(std::move(other.buffer_)),
      tls_(std::move(other.tls_)) {}

Socket& Socket::operator=(Socket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    std::swap(buffer_, other.buffer_);
    std::swap(tls_, other.tls_);
    return *this;
}

Socket Socket::connect(std::uint16_t port, const std::string& source) {
    Socket socket = new_socket();
    bind_to(socket, loopback(0, source));
    const Address peer = loopback(port);
    if (::connect(socket.descriptor(), peer.get(), peer.size) != 0)
        throw_errno("connect to port " + std::to_string(port));
    set_option(socket, IPPROTO_TCP, TCP_NODELAY);
    return socket;
}

Socket Socket::datagram() {
    Socket socket = new_socket("127.0.0.1", SOCK_DGRAM);
    bind_to(socket, loopback(0));
    return socket;
}

std::uint16_t Socket::local_port() const {
    return port_of(*this);
}

std::optional<Socket> Socket::accept() const {
    Socket socket(::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket.is_open()) return std::nullopt;
    set_option(socket, IPPROTO_TCP, TCP_NODELAY);
    return socket;
}

std::string Socket::read_some() {
    if (!buffer_.empty()) return std::exchange(buffer_, {});
    if (tls_) return tls_->read();
    wait_for(POLLIN);
    std::array<char, 65536> bytes;
    const ssize_t count = ::recv(descriptor_, bytes.data(), bytes.size(), 0);
    if (count < 0) throw_errno("read");
    return {bytes.data(), static_cast<std::size_t>(count)};
}

std::optional<std::string> Socket::read_line() {
    std::string line;
    for (;;) {
        const std::string bytes = read_some();
        if (bytes.empty()) return std::nullopt;
        const auto end = bytes.find('\n');
        line += bytes.substr(0, end == std::string::npos ? end : end + 1);
        if (end == std::string::npos) continue;
        buffer_ = bytes.substr(end + 1);
        return line;
    }
}

void Socket::write(std::string_view bytes) {
    if (tls_) return tls_->write(bytes);
    while (!bytes.empty()) {
        wait_for(POLLOUT);
        const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0 && errno != EAGAIN) throw_errno("write");
        if (count > 0) bytes.remove_prefix(static_cast<std::size_t>(count));
    }
}

void Socket::write_in_one_breath(std::string_view first, std::string_view second) {
    const auto cork = [this](int on) { ::setsockopt(descriptor_, IPPROTO_TCP, TCP_CORK, &on, sizeof on); };
    cork(1);
    write(first);
    write(second);
    cork(0);
}

void Socket::close_writing() const {
    ::shutdown(descriptor_, SHUT_WR);
}

void Socket::shut_down() const {
    ::shutdown(descriptor_, SHUT_RDWR);
}

bool Socket::accept_tls(const Identity& identity, const TlsManners& manners) {
    tls_ = Tls::server(descriptor_, identity, manners);
    return tls_->shake_hands();
}

bool Socket::start_tls() {
    tls_ = Tls::client(descriptor_);
    return tls_->shake_hands();
}

std::string Socket::peer_certificate() const {
    return tls_ ? tls_->peer_certificate() : std::string();
}

void Socket::close() {
    tls_.reset();
    if (is_open()) ::close(std::exchange(descriptor_, -1));
}

void Socket::reset() {
    reset_when_closed();
    close();
}

void Socket::reset_when_closed() const {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void Socket::wait_until_read() const {
    sockaddr_in here{};
    sockaddr_in there{};
    socklen_t size = sizeof here;
    if (::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&here), &size) != 0) throw_errno("getsockname");
    if (::getpeername(descriptor_, reinterpret_cast<sockaddr*>(&there), &size) != 0) throw_errno("getpeername");
    // On loopback what is written is with the peer's socket at once; its program's read announces itself to nobody.
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (unread_at(there, here) > 0) {
        if (std::chrono::steady_clock::now() > deadline) throw TestFailure("the peer does not read");
        std::this_thread::yield();
    }
}

void Socket::wait_for(short events) const {
    pollfd waiting{.fd = descriptor_, .events = events, .revents = 0};
    const auto milliseconds = std::chrono::milliseconds(patience).count();
    const int ready = ::poll(&waiting, 1, static_cast<int>(milliseconds));
    if (ready < 0) throw_errno("poll");
    if (ready == 0) throw TestFailure(events == POLLIN ? "nothing arrived in time" : "the peer does not read");
}

ReservedPort::ReservedPort(std::string address, std::uint16_t port)
    : address_(std::move(address)), holder_(new_socket(address_)) {
    number_ = port == 0 ? bind_to_any_port(holder_, address_) : port;
    if (port != 0) bind_to(holder_, loopback(port, address_));
    // Only now: the port was chosen as one that is free for a socket that shares with nobody.
    set_option(holder_, SOL_SOCKET, SO_REUSEADDR);
    set_option(holder_, SOL_SOCKET, SO_REUSEPORT);
}

Socket ReservedPort::listen(int backlog) const {
    Socket socket = new_socket(address_);
    set_option(socket, SOL_SOCKET, SO_REUSEADDR);
    bind_to(socket, loopback(number_, address_));
    if (::listen(socket.descriptor(), backlog) != 0) throw_errno("listen");
    return socket;
}

std::string ReservedPort::text() const {
    const bool is_v4 = address_.find(':') == std::string::npos;
    return (is_v4 ? address_ : '[' + address_ + ']') + ':' + std::to_string(number_);
}

BlackHole::BlackHole(const std::string& address, std::uint16_t port)
    : port_(address, port), listener_(port_.listen(/*backlog=*/0)), filler_(new_socket(address)) {
    // One connection that nobody accepts, and the kernel answers no further one.
    const Address full = loopback(port_.number(), address);
    if (::connect(filler_.descriptor(), full.get(), full.size) != 0) throw_errno("connect");
}

}  // namespace weir::test
