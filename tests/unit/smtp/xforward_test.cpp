#include "weir/smtp/xforward.hpp"

#include <gtest/gtest.h>

#include <string>

namespace weir::smtp {
namespace {

core::IpAddress ip(std::string_view text) {
    return core::parse_ip(text).value();
}

Forwarded parse(std::initializer_list<std::string_view> commands) {
    Forwarded out;
    for (const auto command : commands) EXPECT_TRUE(parse_xforward(command, out)) << command;
    return out;
}

TEST(Xforward, ReadsTheTwoCommandsOfARemoteClient) {
    const Forwarded from = parse({"NAME=mail.client.example.org ADDR=198.51.100.7 PORT=4711",
                                  "PROTO=ESMTP HELO=client.example IDENT=D729DA86902 SOURCE=REMOTE"});
    EXPECT_TRUE(from.seen);
    EXPECT_EQ(from.name, "mail.client.example.org");
    EXPECT_EQ(from.address, ip("198.51.100.7"));
    EXPECT_EQ(from.port, "4711");
    EXPECT_EQ(from.protocol, "ESMTP");
    EXPECT_EQ(from.helo, "client.example");
    EXPECT_EQ(from.ident, "D729DA86902");
    EXPECT_EQ(from.source, Forwarded::Source::remote);
}

TEST(Xforward, ReadsASingleCommandInAnyCase) {
    const Forwarded from = parse({"addr=192.0.2.1 Ident=4jYR2m5dFHz1cY4G foo=bar source=Local"});
    EXPECT_EQ(from.address, ip("192.0.2.1"));
    EXPECT_EQ(from.ident, "4jYR2m5dFHz1cY4G") << "queue IDs are case-sensitive";
    EXPECT_EQ(from.source, Forwarded::Source::local);
}

TEST(Xforward, OfMailFromSendmailSaysOnlyThatItIsLocal) {
    const Forwarded from = parse({"SOURCE=LOCAL"});
    EXPECT_TRUE(from.seen);
    EXPECT_FALSE(from.address);
    EXPECT_TRUE(from.ident.empty());
    EXPECT_EQ(from.source, Forwarded::Source::local);
    EXPECT_EQ(parse({"SOURCE=ELSEWHERE"}).source, Forwarded::Source::unknown);
}

TEST(Xforward, ReadsIPv6Addresses) {
    for (const char* command :
         {"ADDR=IPv6:2001:db8::25", "ADDR=IPV6:2001:DB8:0::25", "ADDR=ipv6:2001:db8::25", "ADDR=2001:db8::25"}) {
        EXPECT_EQ(parse({command}).address, ip("2001:db8::25")) << command;
    }
}

TEST(Xforward, ClearsWhatIsUnavailable) {
    const Forwarded from =
        parse({"NAME=a ADDR=192.0.2.1 IDENT=X HELO=h", "NAME=[UNAVAILABLE] ADDR=[unavailable] HELO=[TEMPUNAVAIL]"});
    EXPECT_EQ(from.name, "");
    EXPECT_FALSE(from.address);
    EXPECT_EQ(from.helo, "");
    EXPECT_EQ(from.ident, "X");
}

TEST(Xforward, DecodesXtextOnce) {
    EXPECT_EQ(parse({"HELO=b+C3+BCcher"}).helo,
              "b\xc3\xbc"
              "cher");
    EXPECT_EQ(parse({"HELO=my?pc+2Ba=b??x?"}).helo, "my?pc+a=b??x?");
    EXPECT_EQ(parse({"HELO=+2B2B"}).helo, "+2B");
    EXPECT_EQ(parse({"HELO=a=b==c="}).helo, "a=b==c=");
    EXPECT_EQ(parse({"HELO="}).helo, "");
}

TEST(Xforward, TurnsBrokenXtextAndHiddenControlsIntoQuestionMarks) {
    EXPECT_EQ(parse({"HELO=a+0D+0Ab+00+7F"}).helo, "a??b??");
    EXPECT_EQ(parse({"HELO=+G1"}).helo, "?G1");
    EXPECT_EQ(parse({"HELO=a+"}).helo, "a?");
    EXPECT_EQ(parse({"HELO=a+4"}).helo, "a?4");
    EXPECT_EQ(parse({"HELO=a\tb\x7f"}).helo, "a?b?");
}

TEST(Xforward, TakesAHeloOfAnyLengthAndKeepsTheStartOfIt) {
    EXPECT_EQ(parse({"HELO=" + std::string(308, 'h')}).helo.size(), 308U);
    std::string encoded = "PROTO=ESMTP HELO=";
    for (int i = 0; i < 2043; ++i) encoded += "+C3";
    const Forwarded from = parse({encoded + " IDENT=D729DA86902 SOURCE=REMOTE"});
    EXPECT_EQ(from.helo.size(), 1024U);
    EXPECT_EQ(from.ident, "D729DA86902");
}

TEST(Xforward, RefusesABadAddressAndAMissingEqualsSignAndChangesNothing) {
    Forwarded from = parse({"ADDR=192.0.2.1 IDENT=X"});
    for (const char* command :
         {"IDENT=Y ADDR=", "IDENT=Y ADDR=192.0.2", "IDENT=Y ADDR=IPv6:", "IDENT=Y ADDR=fe80::1%eth0",
          "IDENT=Y ADDR=192.0.2.1+00", "IDENT=Y NAME", "IDENT=Y =1"}) {
        EXPECT_FALSE(parse_xforward(command, from)) << command;
        EXPECT_EQ(from.ident, "X");
        EXPECT_EQ(from.address, ip("192.0.2.1"));
    }
}

TEST(Xforward, SkipsExtraBlanks) {
    const Forwarded from = parse({"  NAME=a   IDENT=b "});
    EXPECT_EQ(from.name, "a");
    EXPECT_EQ(from.ident, "b");
}

TEST(Xtext, IsDecodedOrRefusedAsAWhole) {
    EXPECT_EQ(decode_xtext("a+2Bb+3d"), "a+b=");
    EXPECT_EQ(decode_xtext(""), "");
    for (const char* text : {"+", "+4", "+4g", "a+", "+0D", "+00", "+7f", "a\tb"})
        EXPECT_EQ(decode_xtext(text), std::nullopt) << text;
}

}  // namespace
}  // namespace weir::smtp
