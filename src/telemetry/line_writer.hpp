#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::telemetry {

/// Collects lines and writes them to a file descriptor without ever waiting long for its reader.
///
/// Owns:    the lines, at most `capacity` bytes. Not the descriptor, whose flags it leaves alone.
/// Errors:  none. What cannot be written stays; append() says no when there is no room for more.
/// Threads: not synchronised; one owner.
class LineWriter {
public:
    static constexpr std::size_t capacity = 64 * 1024;

    explicit LineWriter(int fd);
    ~LineWriter();
    LineWriter(const LineWriter&) = delete;
    LineWriter& operator=(const LineWriter&) = delete;

    /// Takes the line whole, or not at all. Writes first when the line would not fit.
    [[nodiscard]] bool try_append(std::string_view line);

    /// Writes as much as goes. Waits 100 ms for a reader that is slow, but not again before it has caught up.
    void flush();

private:
    [[nodiscard]] bool is_writable(bool& may_wait) const;
    [[nodiscard]] std::size_t write_some(std::string_view bytes) const;

    int fd_;
    bool owns_fd_ = false;
    bool is_socket_ = false;
    bool may_block_ = false;  ///< write() of more than PIPE_BUF bytes could wait for the reader
    bool is_stuck_ = false;   ///< the last flush() could not write everything
    std::string pending_;
};

}  // namespace weir::telemetry
