#include "weir/smtp/received.hpp"

#include <gtest/gtest.h>

#include <string>

namespace weir::smtp {
namespace {

std::string sniff(std::string_view message, std::size_t piece = std::string_view::npos) {
    QueueIdSniffer sniffer;
    while (!message.empty()) {
        sniffer.feed(message.substr(0, piece));
        message.remove_prefix(std::min(piece, message.size()));
    }
    return sniffer.queue_id();
}

struct HeaderCase {
    const char* name;
    const char* header;
    const char* id;
};

class PostfixHeader : public testing::TestWithParam<HeaderCase> {};

TEST_P(PostfixHeader, TellsTheQueueId) {
    const std::string message = std::string(GetParam().header) + "\r\nSubject: x\r\n\r\nbody\r\n.\r\n";
    EXPECT_EQ(sniff(message), GetParam().id);
    for (std::size_t piece = 1; piece < message.size(); ++piece)
        EXPECT_EQ(sniff(message, piece), GetParam().id) << piece;
}

INSTANTIATE_TEST_SUITE_P(
    Forms, PostfixHeader,
    testing::Values(
        HeaderCase{"Remote",
                   "Received: from client.example (mail.client.example.org [198.51.100.7])\r\n"
                   "\tby p.lab.example (Postfix) with ESMTP id D729DA86902\r\n"
                   "\tfor <b@y.example>; Tue, 24 Nov 2026 02:03:04 +0000 (UTC)",
                   "D729DA86902"},
        HeaderCase{
            "SeveralRecipients",
            "Received: from client.example (unknown [198.51.100.7])\r\n"
            "\tby p.lab.example (Postfix) with ESMTP id 4jYR2m5dFHz1cY4G;\r\n\tTue, 24 Nov 2026 02:03:04 +0000 (UTC)",
            "4jYR2m5dFHz1cY4G"},
        HeaderCase{"Sendmail",
                   "Received: by p.lab.example (Postfix, from userid 0)\r\n\tid B9CAAA9230E; Tue, 24 Nov 2026 02:03:04 "
                   "+0000 (UTC)",
                   "B9CAAA9230E"},
        HeaderCase{"Bounce",
                   "Received: by p.lab.example (Postfix)\r\n\tid BE0BCA92225; Tue, 24 Nov 2026 02:03:04 +0000 (UTC)",
                   "BE0BCA92225"},
        HeaderCase{"Requeued",
                   "Received: by p.lab.example (Postfix, from userid 102)\r\n\tid 2B85AA86942; Tue, 24 Nov 2026 "
                   "02:03:04 +0000 (UTC)",
                   "2B85AA86942"},
        HeaderCase{"Sasl",
                   "Received: from laptop (unknown [127.0.0.2])\r\n"
                   "\t(Authenticated sender: alice@lab.example)\r\n"
                   "\tby p.lab.example (Postfix) with ESMTPA id 4jYR0m2Sbwz1cXXZ\r\n"
                   "\tfor <q@y.example>; Tue, 24 Nov 2026 02:03:04 +0000 (UTC)",
                   "4jYR0m2Sbwz1cXXZ"},
        HeaderCase{"Tls",
                   "Received: from laptop (unknown [127.0.0.2])\r\n"
                   "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\r\n"
                   "\t key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256)\r\n"
                   "\t(No client certificate requested)\r\n"
                   "\t(Authenticated sender: alice@lab.example)\r\n"
                   "\tby p.lab.example (Postfix) with ESMTPSA id 4jYR0m2Sbwz1cXXZ\r\n"
                   "\tfor <q@y.example>; Tue, 24 Nov 2026 02:03:04 +0000 (UTC)",
                   "4jYR0m2Sbwz1cXXZ"},
        HeaderCase{"IPv6",
                   "Received: from client (client.example [IPv6:2001:db8::25])\r\n"
                   "\tby p.lab.example (Postfix) with ESMTP id 1C601A86941;\r\n\tTue, 24 Nov 2026 02:03:04 +0000 (UTC)",
                   "1C601A86941"},
        HeaderCase{"OddHelo",
                   "Received: from my?pc+a=b??x? (unknown [198.51.100.7])\r\n"
                   "\tby p.lab.example (Postfix) with SMTP id 2B85AA86942;\r\n\tTue, 24 Nov 2026 02:03:04 +0000 (UTC)",
                   "2B85AA86942"}),
    [](const auto& test) { return test.param.name; });

TEST(QueueIdSniffer, TrustsOnlyTheTopmostHeader) {
    EXPECT_EQ(sniff("Received: by p.lab.example (Postfix)\r\n\tid REAL; Tue\r\n"
                    "Received: from x (ceo [192.0.2.1])\r\n\t(Authenticated sender: ceo@lab.example)\r\n"
                    "\tby p.lab.example (Postfix) with ESMTPA id FORGED; Tue\r\n\r\n"),
              "REAL");
    EXPECT_EQ(sniff("Subject: x\r\nReceived: by p.lab.example (Postfix)\r\n\tid FORGED; Tue\r\n\r\n"), "");
}

TEST(QueueIdSniffer, FindsAnIdBehindAHeloOfTwoThousandCharacters) {
    std::string helo(2040, 'h');
    helo.insert(988, "\r\n ");  // smtp(8) folds at 998
    EXPECT_EQ(
        sniff("Received: from " + helo + " (unknown [192.0.2.1])\r\n\tby p (Postfix) with SMTP id REAL; Tue\r\n\r\n"),
        "REAL");
}

TEST(QueueIdSniffer, GivesUpOnAnEndlessHeader) {
    QueueIdSniffer sniffer;
    sniffer.feed("Received: from ");
    for (int i = 0; i < 5000; ++i) sniffer.feed("x");
    EXPECT_TRUE(sniffer.done());
    EXPECT_EQ(sniffer.queue_id(), "");
}

TEST(QueueIdSniffer, IsDoneAtTheFirstByteOfAnotherHeader) {
    QueueIdSniffer sniffer;
    sniffer.feed("");
    sniffer.feed("R");
    EXPECT_FALSE(sniffer.done());
    sniffer.feed("eply-To: x");
    EXPECT_TRUE(sniffer.done());
    sniffer.feed("Received: by p (Postfix) id LATE;\r\n\r\n");
    EXPECT_EQ(sniffer.queue_id(), "");
}

TEST(QueueIdInReceived, TakesNoStrangersWordForIt) {
    EXPECT_EQ(
        queue_id_in_received(
            R"(Received: from c (c [192.0.2.1]) by p (Postfix) with ESMTP id REAL for <"x by y (Postfix) id FORGED"@y>; Tue)"),
        "REAL")
        << "a quoted recipient";
    EXPECT_EQ(queue_id_in_received(
                  "Received: from c (c [192.0.2.1]) (Client CN \"x by y (Postfix) id FORGED\", Issuer \"(i)\" (not "
                  "verified)) by p (Postfix) with ESMTPS id REAL; Tue"),
              "REAL")
        << "a client certificate";
    EXPECT_EQ(queue_id_in_received(
                  "Received: from by?x??Postfix??id?FORGED (c [192.0.2.1]) by p (Postfix) with ESMTP id REAL; Tue"),
              "REAL")
        << "a HELO";
}

TEST(QueueIdInReceived, IsEmptyForOtherSystemsAndOtherHeaders) {
    for (const char* header :
         {"", "Received:", "Subject: by p (Postfix) id X;",
          "Received: from c (c [192.0.2.1]) by p (Exim) with ESMTP id X;",
          "Received: from c (c [192.0.2.1]) by p with ESMTP id X;", "Received: by p (Postfix) with ESMTP;",
          "Received: by p (Postfix) id", "Received: by p (Postfix id X;", "Received: by (Postfix) id X;",
          "Received: from c by p (Postfix) id X;", "Received: from c (c (x) by p (Postfix) id X;",
          "Received: by p (Postfix) id ../../x;",
          "Received: by p (Postfix) id ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789;"}) {
        EXPECT_EQ(queue_id_in_received(header), "") << header;
    }
}

}  // namespace
}  // namespace weir::smtp
