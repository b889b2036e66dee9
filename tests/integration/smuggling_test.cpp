// A message inside a message: whatever bytes a sender puts into a body, and wherever they are cut or fall into Weir's
// buffers, the relay sees the boundaries that Weir sees, or no message at all (promise 10).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "support/end_of_data.hpp"
#include "support/fake_upstream.hpp"
#include "support/smtp_client.hpp"
#include "support/weir_process.hpp"

namespace weir::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Is = EndOfData::Is;

constexpr auto configuration = R"(
listen: ["{{listen}}"]
upstream: {relays: ["{{relay}}"], max_messages_per_connection: 1000000}
limits: []
admin: {listen: "{{admin}}"}
)";

constexpr std::string_view smuggled = "MAIL FROM:<smuggled@evil.example>\r\nRCPT TO:<v@example.net>\r\nDATA\r\nsecond";

class Smuggling : public testing::TestWithParam<EndOfData> {
protected:
    /// One message with the vector behind `first`; `send` puts the bytes on the wire.
    void attack(const std::string& first, const std::function<void(std::string_view)>& send) {
        const EndOfData& vector = GetParam();
        const std::size_t delivered = relay_.transactions().size();
        client_->send("MAIL FROM:<honest@customer.example>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n");
        for (const int code : {250, 250, 354}) client_->expect(code);

        std::string body = first + std::string(vector.bytes);
        if (vector.is == Is::end_then_nul) {
            body.append(smuggled);
        } else if (vector.is != Is::violation_then_end) {
            body.append(smuggled).append("\r\n.\r\n");
        }
        send(body);

        if (vector.is == Is::plain || vector.is == Is::end_then_nul) {
            client_->expect(250);
            ASSERT_EQ(relay_.transactions().size(), delivered + 1);
            // The final dot is no part of it.
            const std::size_t tail = vector.is == Is::plain ? 3 : 4 + smuggled.size();
            EXPECT_EQ(relay_.transactions().back().body, body.substr(0, body.size() - tail));
        } else {
            EXPECT_THAT(client_->read_reply().summary(), StartsWith("550 5.5.2"));
            EXPECT_EQ(relay_.transactions().size(), delivered);
        }
        if (vector.is == Is::end_then_nul) {
            // What the NUL begins is no command, and nothing behind it would be obeyed.
            EXPECT_EQ(client_->read_reply().code, 554);
            client_->expect_close();
            connect();
        } else {
            EXPECT_EQ(client_->command("NOOP").code, 250);
        }
    }

    void send_whole(std::string_view bytes) { client_->send(bytes); }

    void connect() {
        client_ = std::make_unique<SmtpClient>(weir_.port("listen"));
        client_->greet();
    }

    void SetUp() override { connect(); }

    void TearDown() override {
        EXPECT_THAT(relay_.commands(), Not(testing::Contains(HasSubstr("smuggled"))));
        for (const Transaction& transaction : relay_.transactions()) {
            EXPECT_EQ(transaction.sender(), "honest@customer.example");
        }
        Message honest;
        honest.sender = "honest@customer.example";
        EXPECT_EQ(client_->deliver(honest).decisive().code, 250);
    }

    FakeUpstream relay_;
    WeirProcess weir_{configuration, {{"relay", relay_.address()}}};
    std::unique_ptr<SmtpClient> client_;
};

TEST_P(Smuggling, ReachesTheRelayAsNoSecondMessage) {
    attack("Subject: x\r\n\r\nfirst", [&](std::string_view bytes) { send_whole(bytes); });
}

TEST_P(Smuggling, ReachesTheRelayAsNoSecondMessageAtTheVeryBeginning) {
    attack("", [&](std::string_view bytes) { send_whole(bytes); });
}

TEST_P(Smuggling, ReachesTheRelayAsNoSecondMessageWhereverItIsCut) {
    const std::string first = "Subject: x\r\n\r\nfirst";
    // Behind the NUL Weir hangs up at once: nothing can be sent after it.
    const auto sendable = [&](std::string_view bytes) {
        return bytes.substr(0, GetParam().is == Is::end_then_nul ? first.size() + GetParam().bytes.size() : bytes.npos);
    };
    for (std::size_t cut = 0; cut < GetParam().bytes.size(); ++cut) {
        attack(first, [&](std::string_view all) {
            const auto bytes = sendable(all);
            client_->send(bytes.substr(0, first.size() + cut));
            client_->socket().wait_until_read();
            client_->send(bytes.substr(first.size() + cut));
        });
    }
    attack(first, [&](std::string_view all) {
        const auto bytes = sendable(all);
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            client_->send(bytes.substr(i, 1));
            client_->socket().wait_until_read();
        }
    });
}

TEST_P(Smuggling, ReachesTheRelayAsNoSecondMessageAcrossTheEdgeOfAnyBuffer) {
    for (const std::size_t size : {1024U, 4096U, 8192U, 16384U, 65536U}) {
        for (std::size_t at = size - 3; at <= size + 3; ++at) {
            std::string first;
            while (first.size() < at) first += "sixty-four bytes of text, and no more than that, to fill it up\r\n";
            first.resize(at);
            if (first.back() == '\r') first.back() = 'x';
            attack(first, [&](std::string_view bytes) { send_whole(bytes); });
        }
    }
}

INSTANTIATE_TEST_SUITE_P(EachVector, Smuggling, testing::ValuesIn(end_of_data_vectors),
                         [](const auto& test) { return test.param.name; });

// What must pass, and unchanged.
TEST(DotStuffing, IsLeftAsItIs) {
    FakeUpstream relay;
    const WeirProcess weir(configuration, {{"relay", relay.address()}});
    SmtpClient client(weir.port("listen"));
    client.greet();
    std::string long_line(100'000, 'x');
    const std::vector<std::string> bodies = {"",
                                             "\r\n",
                                             "..\r\n",
                                             "...\r\n",
                                             "..x\r\n..\r\n...\r\n",
                                             "a\r\n..\r\nb\r\n",
                                             "\r\n\r\n..\r\n\r\n",
                                             std::string(998, 'x') + "\r\n",
                                             std::string(999, 'x') + "\r\n",
                                             std::string(1000, '.') + "\r\n",
                                             long_line + "\r\n." + long_line + "\r\n",
                                             "\x80\xff\x01\x1b[31m\x7f\t\r\n"};
    for (const std::string& body : bodies) {
        Message message;
        message.body = body;
        EXPECT_EQ(client.deliver(message).decisive().code, 250);
        EXPECT_EQ(relay.transactions().back().body, body);
    }
}

}  // namespace
}  // namespace weir::test
