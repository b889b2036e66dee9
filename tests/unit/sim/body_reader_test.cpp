#include "body_reader.hpp"

#include <gtest/gtest.h>

#include <string>

namespace weir::sim {
namespace {

BodyFacts read(const std::string& wire) {
    BodyReader reader;
    EXPECT_EQ(reader.feed(wire), wire.size());
    EXPECT_TRUE(reader.done()) << wire;
    return reader.facts();
}

TEST(BodyReader, CountsWhatTheRecipientGets) {
    const BodyFacts facts = read("123456789\r\n.\r\n");
    EXPECT_EQ(facts.size, 11U);
    EXPECT_EQ(facts.wire_size, 11U);
    EXPECT_EQ(facts.crc32, 0x88794574U) << "zlib.crc32(b'123456789\\r\\n')";
    EXPECT_EQ(facts.bare_newlines, 0U);
}

TEST(BodyReader, RemovesLeadingDots) {
    const BodyFacts stuffed = read("..a\r\n...\r\n.\r\n");
    EXPECT_EQ(stuffed.wire_size, 10U);
    EXPECT_EQ(stuffed.size, 8U);
    EXPECT_EQ(read("a\r\n.b\r\n.\r\n").size, 6U);
}

TEST(BodyReader, EmptyBodyIsABody) {
    EXPECT_EQ(read(".\r\n").size, 0U);
}

TEST(BodyReader, OnlyCrlfDotCrlfEndsTheBody) {
    for (const std::string end : {"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r\r\n"}) {
        BodyReader reader;
        EXPECT_EQ(reader.feed("a" + end), 1 + end.size());
        EXPECT_FALSE(reader.done());
        EXPECT_EQ(reader.feed("b\r\n.\r\nQUIT\r\n"), 6U);
        EXPECT_TRUE(reader.done());
        EXPECT_GT(reader.facts().bare_newlines, 0U);
    }
}

TEST(BodyReader, DoesNotCareHowTheBytesCome) {
    const std::string wire = "Subject: a\r\n\r\n..\r\n.x\rz\ny\r\n\r\r\n.\r.\r\n.\r\n";
    const BodyFacts whole = read(wire);
    BodyReader reader;
    for (const char byte : wire) EXPECT_EQ(reader.feed({&byte, 1}), 1U);
    const BodyFacts pieces = reader.facts();
    EXPECT_EQ(pieces.size, whole.size);
    EXPECT_EQ(pieces.wire_size, whole.wire_size);
    EXPECT_EQ(pieces.crc32, whole.crc32);
    EXPECT_EQ(pieces.bare_newlines, whole.bare_newlines);
}

TEST(BodyReader, FindsTheHeadersThatNameTheMessage) {
    const BodyFacts facts = read(
        "Received: from a (a [192.0.2.1])\r\n"
        "\tby mail.example.org (Postfix) with ESMTPS id 4dFHz1cY4G\r\n"
        "\tfor <b@b.example>; Tue, 24 Nov 2026 05:00:00 +0000 (UTC)\r\n"
        "Received: by x.example (Postfix) id OLDER; Tue, 24 Nov 2026 04:00:00 +0000 (UTC)\r\n"
        "message-id: <1@a.example>\r\n"
        "Subject: a\r\n folded one\r\n"
        "\r\n"
        "Subject: not this\r\n.\r\n");
    EXPECT_EQ(facts.queue_id, "4dFHz1cY4G");
    EXPECT_EQ(facts.message_id, "<1@a.example>");
    EXPECT_EQ(facts.subject, "a folded one");
}

TEST(BodyReader, NonsenseInTheHeadersIsNoHeader) {
    const BodyFacts facts = read(":\r\nnothing\r\nSubject\r\n.\r\n");
    EXPECT_EQ(facts.subject, "");
    EXPECT_EQ(facts.queue_id, "");
}

}  // namespace
}  // namespace weir::sim
