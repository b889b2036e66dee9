#include "weir/core/ip.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace weir::core {
namespace {

IpAddress ip(std::string_view text) {
    return parse_ip(text).value();
}

Cidr cidr(std::string_view text) {
    return parse_cidr(text).value();
}

TEST(ParseIp, TreatsAMappedAddressAsTheIPv4ItIs) {
    EXPECT_EQ(ip("192.0.2.1"), ip("::ffff:192.0.2.1"));
    EXPECT_EQ(ip("192.0.2.1"), ip("::ffff:c000:201"));
    EXPECT_TRUE(ip("192.0.2.1").is_v4());
    EXPECT_FALSE(ip("::1").is_v4());
    EXPECT_FALSE(ip("::192.0.2.1").is_v4());
}

TEST(ParseIp, RefusesWhatIsNotAnAddress) {
    for (const char* text :
         {"", " ", "192.0.2", "192.0.2.256", "192.0.2.1.1", "192.0.2.1 ", " 192.0.2.1", "192.0.2.01x", "0x7f.0.0.1",
          "2001:db8", "::g", "fe80::1%eth0", "[::1]", "::1/128", "localhost", "1:2:3:4:5:6:7:8:9"}) {
        EXPECT_EQ(parse_ip(text).error(), Errc::bad_syntax) << '"' << text << '"';
    }
    EXPECT_EQ(parse_ip(std::string_view("::1\0", 4)).error(), Errc::bad_syntax);
}

TEST(FormatIp, WritesTheCanonicalForm) {
    EXPECT_EQ(format_ip(ip("192.0.2.1")), "192.0.2.1");
    EXPECT_EQ(format_ip(ip("::ffff:192.0.2.1")), "192.0.2.1");
    EXPECT_EQ(format_ip(ip("2001:DB8:0:0:0:0:0:1")), "2001:db8::1");
    EXPECT_EQ(format_ip(ip("::")), "::");
}

TEST(FormatIp, IsReadBackAsTheSameAddress) {
    std::mt19937 random(1);
    for (int i = 0; i < 10'000; ++i) {
        IpAddress address;
        for (auto& byte : address.bytes) byte = static_cast<std::uint8_t>(random() % 3 == 0 ? 0 : random());
        ASSERT_EQ(ip(format_ip(address)), address) << format_ip(address);
    }
}

TEST(FormatSocketAddress, PutsBracketsAroundIPv6) {
    EXPECT_EQ(format_socket_address({ip("192.0.2.1"), 53}), "192.0.2.1:53");
    EXPECT_EQ(format_socket_address({ip("2001:db8::1"), 5353}), "[2001:db8::1]:5353");
}

TEST(Masked, KeepsTheBitsOfItsOwnFamilyOnly) {
    EXPECT_EQ(masked(ip("192.0.2.77"), 24, 64), ip("192.0.2.0"));
    EXPECT_EQ(masked(ip("192.0.2.77"), 32, 64), ip("192.0.2.77"));
    EXPECT_EQ(masked(ip("192.0.2.77"), 30, 64), ip("192.0.2.76"));
    EXPECT_EQ(masked(ip("192.0.2.77"), 0, 64), ip("0.0.0.0"));
    EXPECT_EQ(masked(ip("2001:db8:1:2:3:4:5:6"), 24, 64), ip("2001:db8:1:2::"));
    EXPECT_EQ(masked(ip("2001:db8:1:2:3:4:5:6"), 24, 57), ip("2001:db8:1::"));
    EXPECT_EQ(masked(ip("2001:db8::6"), 24, 128), ip("2001:db8::6"));
    EXPECT_EQ(masked(ip("2001:db8::6"), 24, 0), ip("::"));
}

TEST(Cidr, ContainsItsOwnNetworkAndNoOther) {
    EXPECT_TRUE(cidr("192.0.2.0/24").contains(ip("192.0.2.255")));
    EXPECT_FALSE(cidr("192.0.2.0/24").contains(ip("192.0.3.0")));
    EXPECT_TRUE(cidr("192.0.2.1").contains(ip("::ffff:192.0.2.1")));
    EXPECT_FALSE(cidr("192.0.2.1").contains(ip("192.0.2.2")));
    EXPECT_TRUE(cidr("0.0.0.0/0").contains(ip("203.0.113.9")));
    EXPECT_FALSE(cidr("0.0.0.0/0").contains(ip("2001:db8::1")));
    EXPECT_TRUE(cidr("2001:db8::/32").contains(ip("2001:db8:ffff::1")));
    EXPECT_FALSE(cidr("2001:db8::/32").contains(ip("2001:db9::1")));
    EXPECT_TRUE(cidr("::/0").contains(ip("2001:db8::1")));
}

TEST(ParseCidr, RefusesHostBitsBecauseWhoeverWritesThemMeantSomethingElse) {
    for (const char* text : {"192.0.2.1/24", "192.0.2.1/0", "2001:db8::1/64", "11.0.0.0/7"}) {
        EXPECT_EQ(parse_cidr(text).error(), Errc::bad_syntax) << text;
    }
}

TEST(ParseCidr, RefusesWhatIsNotANetwork) {
    for (const char* text :
         {"", "/", "/24", "192.0.2.0/", "192.0.2.0/x", "192.0.2.0/24x", "192.0.2.0/-1", "192.0.2.0/+8",
          "192.0.2.0/24/24", "192.0.2.0/ 24", "192.0.2.0/255.255.255.0", "example.org/24"}) {
        EXPECT_EQ(parse_cidr(text).error(), Errc::bad_syntax) << '"' << text << '"';
    }
    for (const char* text : {"192.0.2.0/33", "::/129", "192.0.2.0/4294967296", "192.0.2.0/99999999999999999999"}) {
        EXPECT_EQ(parse_cidr(text).error(), Errc::out_of_range) << text;
    }
}

TEST(FormatCidr, IsReadBackAsTheSameNetwork) {
    for (const char* text : {"192.0.2.0/24", "192.0.2.1", "0.0.0.0/0", "10.0.0.0/8", "2001:db8::/32", "::1", "::/0"}) {
        EXPECT_EQ(format_cidr(cidr(text)), text);
    }
    EXPECT_EQ(format_cidr(cidr("192.0.2.1/32")), "192.0.2.1");
    EXPECT_EQ(format_cidr(cidr("2001:db8::1/128")), "2001:db8::1");
}

TEST(FormatCidr, KeepsAMappedNetworkWiderThanIPv4) {
    const Cidr wide = cidr("::ffff:0:0/96");
    EXPECT_EQ(cidr(format_cidr(wide)), wide);
    EXPECT_EQ(wide, cidr("0.0.0.0/0"));
}

}  // namespace
}  // namespace weir::core
