#include "weir/admin/server.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <stdexcept>
#include <thread>
#include <vector>

#include "test_sources.hpp"

namespace weir::admin {
namespace {

using boost::asio::ip::tcp;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const tcp::endpoint any_port(boost::asio::ip::address_v4::loopback(), 0);

/// A blocking HTTP client that sends exactly what the test says.
class Client {
public:
    explicit Client(std::uint16_t port) { socket_.connect({boost::asio::ip::address_v4::loopback(), port}); }

    void send(const std::string& bytes) { boost::asio::write(socket_, boost::asio::buffer(bytes)); }

    /// Up to the end of one header; the body, as long as Content-Length says, follows it.
    std::string read_answer() {
        std::string text;
        boost::asio::read_until(socket_, boost::asio::dynamic_buffer(text), "\r\n\r\n");
        const std::string field = "Content-Length: ";
        const std::size_t length = std::stoul(text.substr(text.find(field) + field.size()));
        const std::size_t total = text.find("\r\n\r\n") + 4 + length;
        while (text.size() < total) text += read_some();
        return text;
    }

    std::string read_until_closed() {
        std::string text;
        for (std::string part = read_some(); !part.empty(); part = read_some()) text += part;
        return text;
    }

private:
    std::string read_some() {
        std::array<char, 4096> chunk{};
        boost::system::error_code error;
        const std::size_t size = socket_.read_some(boost::asio::buffer(chunk), error);
        return {chunk.data(), size};
    }

    boost::asio::io_context io_;
    tcp::socket socket_{io_};
};

class AdminServer : public testing::Test {
protected:
    std::string ask(const std::string& bytes) {
        Client client(server.port());
        client.send(bytes);
        return client.read_until_closed();
    }

    int null_device = open("/dev/null", O_WRONLY | O_CLOEXEC);
    telemetry::Log log{telemetry::Level::info, telemetry::Format::text, null_device};
    Server server{any_port, test_sources(), log};

    ~AdminServer() override { close(null_device); }
};

TEST_F(AdminServer, AnswersAScrape) {
    const auto answer = ask("GET /metrics HTTP/1.1\r\nHost: weir\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, EndsWith("\r\n\r\nweir_build_info{version=\"0.1.0\"} 1\n"));
}

TEST_F(AdminServer, KeepsTheConnectionForTheNextRequest) {
    Client client(server.port());
    for (int i = 0; i < 3; ++i) {
        client.send("GET /healthz HTTP/1.1\r\nHost: weir\r\n\r\n");
        EXPECT_THAT(client.read_answer(), EndsWith("\r\n\r\nok\n"));
    }
}

TEST_F(AdminServer, AnswersPipelinedRequestsInOrder) {
    const auto answer =
        ask("GET /healthz HTTP/1.1\r\nHost: weir\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: weir\r\n"
            "Connection: close\r\n\r\n");
    EXPECT_LT(answer.find("200 OK"), answer.find("404 Not Found"));
    EXPECT_NE(answer.find("404 Not Found"), std::string::npos);
}

TEST_F(AdminServer, ClosesAfterAnHttp10Request) {
    EXPECT_THAT(ask("GET /healthz HTTP/1.0\r\n\r\n"), EndsWith("\r\n\r\nok\n"));
}

TEST_F(AdminServer, SendsNoBodyInAnswerToHead) {
    const auto answer = ask("HEAD /healthz HTTP/1.1\r\nHost: weir\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(answer, HasSubstr("Content-Length: 3\r\n"));
    EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
}

TEST_F(AdminServer, RefusesWhatIsNotHttp) {
    EXPECT_THAT(ask("EHLO a.example\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(ask("GET /healthz HTTP/1.1\r\nHost: weir\r\nbad header\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
}

TEST_F(AdminServer, RefusesAHeaderThatIsTooLarge) {
    const std::string field = "X: " + std::string(9000, 'x') + "\r\n";
    EXPECT_THAT(ask("GET /healthz HTTP/1.1\r\nHost: weir\r\n" + field + "\r\n"), StartsWith("HTTP/1.1 431 "));
}

TEST_F(AdminServer, RefusesABodyThatIsTooLarge) {
    const std::string post = "POST /healthz HTTP/1.1\r\nHost: weir\r\n";
    EXPECT_THAT(ask(post + "Content-Length: 4097\r\n\r\n" + std::string(4097, 'x')), StartsWith("HTTP/1.1 413 "));
    EXPECT_THAT(ask(post + "Connection: close\r\nContent-Length: 4096\r\n\r\n" + std::string(4096, 'x')),
                StartsWith("HTTP/1.1 405 "));
}

TEST_F(AdminServer, OutlivesAPeerThatLeavesInTheMiddle) {
    for (const auto* part : {"", "G", "GET /healthz HTTP/1.1\r\n", "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nx"}) {
        Client(server.port()).send(part);
    }
    EXPECT_THAT(ask("GET /healthz HTTP/1.0\r\n\r\n"), EndsWith("ok\n"));
}

TEST_F(AdminServer, GivesUpOnARequestThatDoesNotEnd) {
    const Server impatient(any_port, test_sources(), log, std::chrono::milliseconds(20));
    Client client(impatient.port());
    client.send("GET /healthz HTTP/1.1\r\n");
    EXPECT_EQ(client.read_until_closed(), "");
}

TEST_F(AdminServer, HoldsNoMoreThan64Connections) {
    std::vector<std::unique_ptr<Client>> idle;
    for (int i = 0; i < 64; ++i) {
        idle.push_back(std::make_unique<Client>(server.port()));
        idle.back()->send("GET /healthz HTTP/1.1\r\nHost: weir\r\n\r\n");
        EXPECT_THAT(idle.back()->read_answer(), EndsWith("ok\n"));
    }
    EXPECT_EQ(Client(server.port()).read_until_closed(), "");
    idle.pop_back();
    std::string answer;
    while (answer.empty()) answer = ask("GET /healthz HTTP/1.0\r\n\r\n");  // until the server has seen it go
    EXPECT_THAT(answer, EndsWith("ok\n"));
}

TEST_F(AdminServer, TurnsAnExceptionIntoA500) {
    Sources sources = test_sources();
    sources.metrics = []() -> std::string { throw std::logic_error("our own bug"); };
    Server broken(any_port, sources, log);
    Client client(broken.port());
    client.send("GET /metrics HTTP/1.1\r\nHost: weir\r\n\r\n");
    const auto answer = client.read_until_closed();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 "));
    EXPECT_THAT(answer, Not(HasSubstr("our own bug")));
}

TEST_F(AdminServer, StopsWithConnectionsOpenAndFreesThePort) {
    Client client(server.port());
    client.send("GET /healthz HTTP/1.1\r\nHost: weir\r\n\r\n");
    (void)client.read_answer();
    const std::uint16_t port = server.port();
    server.stop();
    server.stop();
    EXPECT_NO_THROW(Server({any_port.address(), port}, test_sources(), log));
}

TEST_F(AdminServer, SaysWhichAddressItCannotHave) {
    try {
        const Server second({any_port.address(), server.port()}, test_sources(), log);
        FAIL() << "two servers on one port";
    } catch (const std::runtime_error& error) {
        EXPECT_EQ(error.what(),
                  "admin: cannot listen on 127.0.0.1:" + std::to_string(server.port()) + ": Address already in use");
    }
}

TEST_F(AdminServer, TakesOverAListeningSocket) {
    boost::asio::io_context io;
    tcp::acceptor listening(io, any_port);
    const std::uint16_t port = listening.local_endpoint().port();
    const Server heir(listening.release(), test_sources(), log);
    EXPECT_EQ(heir.port(), port);
    Client client(port);
    client.send("GET /healthz HTTP/1.0\r\n\r\n");
    EXPECT_THAT(client.read_until_closed(), EndsWith("ok\n"));
}

TEST_F(AdminServer, RefusesToTakeOverWhatIsNotListening) {
    EXPECT_THROW(Server(null_device, test_sources(), log), std::runtime_error);
    EXPECT_THROW(Server(-1, test_sources(), log), std::runtime_error);
}

}  // namespace
}  // namespace weir::admin
