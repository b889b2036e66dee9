#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <string>

namespace weir::telemetry {

/// A pipe as standard error would be one, read only when the test says so.
class TestPipe {
public:
    static constexpr int small = 4096;
    static constexpr int big = 1 << 20;

    explicit TestPipe(int size = small) {
        EXPECT_EQ(pipe2(fds_.data(), O_CLOEXEC), 0);
        EXPECT_EQ(fcntl(fds_[1], F_SETPIPE_SZ, size), size);
        EXPECT_EQ(fcntl(fds_[0], F_SETFL, O_NONBLOCK), 0);
    }
    ~TestPipe() {
        close(fds_[0]);
        close(fds_[1]);
    }
    TestPipe(const TestPipe&) = delete;
    TestPipe& operator=(const TestPipe&) = delete;

    [[nodiscard]] int write_end() const { return fds_[1]; }

    /// What is in the pipe now.
    [[nodiscard]] std::string read_all() const {
        std::string text;
        std::array<char, 4096> chunk{};
        for (ssize_t n = 0; (n = read(fds_[0], chunk.data(), chunk.size())) > 0;) {
            text.append(chunk.data(), static_cast<std::size_t>(n));
        }
        return text;
    }

private:
    std::array<int, 2> fds_{-1, -1};
};

}  // namespace weir::telemetry
