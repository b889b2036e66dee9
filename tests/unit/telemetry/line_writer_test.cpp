#include "line_writer.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <chrono>

#include "test_pipe.hpp"

namespace weir::telemetry {
namespace {

using namespace std::chrono_literals;

const std::string kilobyte = std::string(1023, 'x') + '\n';

/// Lines taken until there is no more room.
int fill(LineWriter& writer) {
    int taken = 0;
    while (writer.try_append(kilobyte)) ++taken;
    return taken;
}

TEST(LineWriter, WritesNothingBeforeItIsTold) {
    const TestPipe pipe;
    LineWriter writer(pipe.write_end());
    EXPECT_TRUE(writer.try_append("one\n"));
    EXPECT_TRUE(writer.try_append("two\n"));
    EXPECT_EQ(pipe.read_all(), "");
    writer.flush();
    EXPECT_EQ(pipe.read_all(), "one\ntwo\n");
}

TEST(LineWriter, KeepsWhatAFullPipeDoesNotTakeAndLosesNoByteOfIt) {
    const TestPipe pipe;
    LineWriter writer(pipe.write_end());
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(writer.try_append(kilobyte));
    std::string arrived;
    for (int i = 0; i < 20; ++i) {
        writer.flush();
        arrived += pipe.read_all();
    }
    EXPECT_EQ(arrived.size(), 20 * kilobyte.size());
}

TEST(LineWriter, TakesNoMoreThanItsCapacityWhenNobodyReads) {
    const TestPipe pipe;
    LineWriter writer(pipe.write_end());
    const auto in_pipe = static_cast<std::size_t>(TestPipe::small);
    EXPECT_EQ(static_cast<std::size_t>(fill(writer)) * kilobyte.size(), LineWriter::capacity + in_pipe);
    EXPECT_FALSE(writer.try_append(kilobyte));
    (void)pipe.read_all();
    EXPECT_TRUE(writer.try_append(kilobyte));
}

TEST(LineWriter, WaitsForAReaderOnceAndNotAgain) {
    const TestPipe pipe;
    LineWriter writer(pipe.write_end());
    const auto start = std::chrono::steady_clock::now();
    fill(writer);
    for (int i = 0; i < 1000; ++i) (void)writer.try_append(kilobyte);
    const auto waited = std::chrono::steady_clock::now() - start;
    EXPECT_GE(waited, 100ms);
    EXPECT_LT(waited, 5s) << "a thousand waits would be 100 s";
}

TEST(LineWriter, LeavesTheSharedDescriptorBlocking) {
    const TestPipe pipe;
    const LineWriter writer(pipe.write_end());
    EXPECT_EQ(fcntl(pipe.write_end(), F_GETFL) & O_NONBLOCK, 0);
}

TEST(LineWriter, OutlivesAReaderThatHasGone) {
    std::array<int, 2> fds{};
    ASSERT_EQ(pipe2(fds.data(), O_CLOEXEC), 0);
    LineWriter writer(fds[1]);
    close(fds[0]);
    EXPECT_TRUE(writer.try_append("nobody reads this\n"));
    writer.flush();  // SIGPIPE would end the test
    close(fds[1]);
}

TEST(LineWriter, DoesNotWaitForAFullSocket) {
    std::array<int, 2> fds{};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()), 0);
    LineWriter writer(fds[1]);
    fill(writer);  // returns, though the socket blocks
    close(fds[0]);
    writer.flush();
    close(fds[1]);
}

TEST(LineWriter, IgnoresADescriptorThatIsNotOpen) {
    LineWriter writer(-1);
    EXPECT_TRUE(writer.try_append("lost\n"));
    writer.flush();
}

}  // namespace
}  // namespace weir::telemetry
