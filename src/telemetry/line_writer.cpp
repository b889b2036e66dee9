#include "line_writer.hpp"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace weir::telemetry {
namespace {

constexpr int patience_ms = 100;

}  // namespace

LineWriter::LineWriter(int fd) : fd_(fd) {
    struct stat status {};
    if (fstat(fd, &status) != 0) return;
    is_socket_ = S_ISSOCK(status.st_mode);
    if (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode)) return;

    // O_NONBLOCK belongs to the open file, which the shell and other daemons share with us, so it is opened once more.
    // That is refused when someone else made the pipe (containerd does, and we are not root).
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    const int own = open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    owns_fd_ = own >= 0;
    may_block_ = !owns_fd_;
    if (owns_fd_) fd_ = own;
}

LineWriter::~LineWriter() {
    if (owns_fd_) close(fd_);
}

bool LineWriter::try_append(std::string_view line) {
    if (pending_.size() + line.size() > capacity) flush();
    if (pending_.size() + line.size() > capacity) return false;
    if (pending_.capacity() < capacity) pending_.reserve(capacity);
    pending_ += line;
    return true;
}

void LineWriter::flush() {
    bool may_wait = !is_stuck_;
    std::size_t written = 0;
    while (written < pending_.size() && is_writable(may_wait)) {
        const std::size_t n = write_some(std::string_view(pending_).substr(written));
        if (n == 0) break;
        written += n;
    }
    pending_.erase(0, written);
    is_stuck_ = !pending_.empty();
}

bool LineWriter::is_writable(bool& may_wait) const {
    pollfd wanted{.fd = fd_, .events = POLLOUT, .revents = 0};
    int ready = poll(&wanted, 1, 0);
    if (ready == 0 && may_wait) {
        may_wait = false;
        ready = poll(&wanted, 1, patience_ms);
    }
    // A pipe whose reader has gone reports both; writing to it would raise SIGPIPE.
    return ready > 0 && (wanted.revents & POLLOUT) != 0 && (wanted.revents & (POLLERR | POLLNVAL)) == 0;
}

std::size_t LineWriter::write_some(std::string_view bytes) const {
    // A pipe that polls as writable takes PIPE_BUF bytes without waiting (pipe(7)), and no more is sure.
    const std::size_t size = may_block_ ? std::min<std::size_t>(bytes.size(), PIPE_BUF) : bytes.size();
    ssize_t n = -1;
    do {
        n = is_socket_ ? send(fd_, bytes.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL) : write(fd_, bytes.data(), size);
    } while (n < 0 && errno == EINTR);
    return n > 0 ? static_cast<std::size_t>(n) : 0;
}

}  // namespace weir::telemetry
