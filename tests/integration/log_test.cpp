// One line per transaction, with Postfix's queue IDs: grep one in mail.log and in Weir's log and the two tell one
// story.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <sstream>

#include "support/fake_upstream.hpp"
#include "support/smtp_client.hpp"
#include "support/weir_process.hpp"

namespace weir::test {
namespace {

constexpr auto configuration = R"(
listen: ["{{listen}}"]
upstream: {relays: ["{{relay}}"]}
limits: [{name: client, per: client, messages: 1/h}]
log: {format: json}
)";

std::vector<boost::json::object> transactions_in(const std::string& log) {
    std::vector<boost::json::object> result;
    std::istringstream lines(log);
    for (std::string line; std::getline(lines, line);) {
        if (line.find("\"client\"") != std::string::npos) result.push_back(boost::json::parse(line).as_object());
    }
    return result;
}

TEST(Log, NamesTheCurrentAndTheFirstQueueId) {
    FakeUpstream relay;
    const WeirProcess weir(configuration, {{"relay", relay.address()}});
    SmtpClient client(weir.port("listen"));
    client.greet();
    Message message;
    message.origin = Forwarded::remote("203.0.113.9", "4jYR2m5dFHz1cY4G");
    message.body =
        "Received: from client.example (mail.client.example [203.0.113.9])\r\n"
        "\tby post.example (Postfix) with ESMTP id B9CAAA9230E\r\n"
        "\tfor <b@example.net>; Tue, 24 Nov 2026 02:03:04 +0000 (UTC)\r\n" +
        message.body;
    EXPECT_EQ(client.deliver(message).decisive().code, 250);
    EXPECT_EQ(client.deliver(message).decisive().code, 451);
    weir.wait_for_log("held");
    const auto lines = transactions_in(weir.log());
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines[0].at("queue_id").as_string(), "B9CAAA9230E");
    EXPECT_EQ(lines[0].at("ident").as_string(), "4jYR2m5dFHz1cY4G");
    EXPECT_EQ(lines[0].at("client").as_string(), "203.0.113.9");
    EXPECT_EQ(lines[1].at("ident").as_string(), "4jYR2m5dFHz1cY4G");
    EXPECT_EQ(lines[1].at("limit").as_string(), "client");
    EXPECT_FALSE(lines[1].at("ref").as_string().empty());
}

TEST(Log, SurvivesWhatStrangersWriteIntoAddresses) {
    FakeUpstream relay;
    relay.on(Stage::dot, reply("554 5.7.1 \"}\n{\"level\":\"error\" \x1b[31m"));
    const WeirProcess weir(configuration, {{"relay", relay.address()}});
    SmtpClient client(weir.port("listen"));
    client.greet();
    Message message;
    message.sender = "\"quo\\\"ted } {\"@customer.example";
    client.deliver(message);
    weir.wait_for_log("customer.example");
    EXPECT_EQ(transactions_in(weir.log()).size(), 1U);
}

}  // namespace
}  // namespace weir::test
