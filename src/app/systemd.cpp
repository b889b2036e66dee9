#include "systemd.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace weir::app {
namespace {

constexpr int first_descriptor = 3;  // SD_LISTEN_FDS_START

long number_in_environment(const char* name) {
    const char* text = std::getenv(name);
    if (text == nullptr) return 0;
    long value = 0;
    std::from_chars(text, text + std::strlen(text), value);
    return value;
}

std::optional<InheritedSocket> as_listening_tcp(int descriptor) {
    int listening = 0;
    socklen_t length = sizeof listening;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) != 0 || listening == 0)
        return std::nullopt;
    sockaddr_storage address{};
    length = sizeof address;
    if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length) != 0) return std::nullopt;
    InheritedSocket socket{.descriptor = descriptor, .address = {}, .port = 0};
    if (address.ss_family == AF_INET6) {
        const auto* const v6 = reinterpret_cast<const sockaddr_in6*>(&address);
        std::copy_n(v6->sin6_addr.s6_addr, 16, socket.address.bytes.begin());
        socket.port = ntohs(v6->sin6_port);
    } else if (address.ss_family == AF_INET) {
        const auto* const v4 = reinterpret_cast<const sockaddr_in*>(&address);
        socket.address.bytes[10] = socket.address.bytes[11] = 0xff;
        std::memcpy(socket.address.bytes.data() + 12, &v4->sin_addr, 4);
        socket.port = ntohs(v4->sin_port);
    } else {
        return std::nullopt;
    }
    return socket;
}

}  // namespace

std::vector<InheritedSocket> take_inherited_sockets() {
    std::vector<InheritedSocket> sockets;
    if (number_in_environment("LISTEN_PID") == getpid()) {
        const auto count = static_cast<int>(std::clamp(number_in_environment("LISTEN_FDS"), 0L, 64L));
        for (int descriptor = first_descriptor; descriptor < first_descriptor + count; ++descriptor) {
            fcntl(descriptor, F_SETFD, FD_CLOEXEC);
            if (const auto socket = as_listening_tcp(descriptor)) sockets.push_back(*socket);
        }
    }
    for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) unsetenv(name);
    return sockets;
}

void notify(std::string_view state) {
    const char* path = std::getenv("NOTIFY_SOCKET");
    sockaddr_un address{};
    if (path == nullptr || std::strlen(path) >= sizeof address.sun_path) return;
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path, std::strlen(path));
    if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // a name in the abstract namespace
    const int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return;
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
    sendto(descriptor, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), length);
    close(descriptor);
}

}  // namespace weir::app
