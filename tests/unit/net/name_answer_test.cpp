#include "weir/net/name_answer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace weir::net {
namespace {

using core::Errc;
using core::parse_ip;
using testing::ElementsAre;
using testing::IsEmpty;

core::IpAddress ip(std::string_view text) {
    return parse_ip(text).value();
}

std::vector<std::string> interleaved_texts(const std::vector<std::string>& texts) {
    std::vector<core::IpAddress> addresses;
    for (const std::string& text : texts) addresses.push_back(ip(text));
    std::vector<std::string> result;
    for (const core::IpAddress& address : interleaved(addresses)) result.push_back(core::format_ip(address));
    return result;
}

TEST(Interleaved, TakesTheFamiliesInTurnAndBeginsWithTheFirst) {
    EXPECT_THAT(interleaved_texts({"2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"}),
                ElementsAre("2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2"));
    EXPECT_THAT(interleaved_texts({"192.0.2.1", "192.0.2.2", "2001:db8::1"}),
                ElementsAre("192.0.2.1", "2001:db8::1", "192.0.2.2"));
}

TEST(Interleaved, KeepsTheOrderOfOneFamily) {
    EXPECT_THAT(interleaved_texts({"192.0.2.9", "192.0.2.1", "192.0.2.5"}),
                ElementsAre("192.0.2.9", "192.0.2.1", "192.0.2.5"));
    EXPECT_THAT(interleaved_texts({"2001:db8::1", "192.0.2.1", "192.0.2.2", "192.0.2.3"}),
                ElementsAre("2001:db8::1", "192.0.2.1", "192.0.2.2", "192.0.2.3"));
    EXPECT_THAT(interleaved_texts({}), IsEmpty());
}

TEST(InOrderOfPreference, PutsTheLowestFirst) {
    Random random(1);
    const auto names = in_order_of_preference({{20, "b.test"}, {10, "a.test"}, {65535, "c.test"}}, random);
    EXPECT_THAT(names.value(), ElementsAre("a.test", "b.test", "c.test"));
}

TEST(InOrderOfPreference, SpreadsTheLoadOverEquals) {
    Random random(1);
    std::map<std::string, int> first;
    for (int i = 0; i < 1000; ++i) {
        const auto names = in_order_of_preference({{10, "a.test"}, {10, "b.test"}, {20, "c.test"}}, random).value();
        ++first[names.front()];
        EXPECT_EQ(names.back(), "c.test");
    }
    EXPECT_EQ(first.size(), 2U);
    EXPECT_GT(first["a.test"], 400);
    EXPECT_GT(first["b.test"], 400);
}

TEST(InOrderOfPreference, UnderstandsANullMx) {
    Random random(1);
    EXPECT_EQ(in_order_of_preference({{0, ""}}, random).error(), Errc::accepts_no_mail);
    EXPECT_THAT(in_order_of_preference({{0, ""}, {10, "a.test"}}, random).value(), ElementsAre("a.test"));
}

TEST(InOrderOfPreference, BoundsHowManyAreTried) {
    Random random(1);
    std::vector<MailHost> hosts;
    for (std::uint16_t i = 0; i < 500; ++i) hosts.push_back({i, std::to_string(i) + ".test"});
    const auto names = in_order_of_preference(hosts, random).value();
    EXPECT_EQ(names.size(), 16U);
    EXPECT_EQ(names.front(), "0.test");
}

using Bytes = std::vector<unsigned char>;

Bytes operator+(Bytes left, const Bytes& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

// "isp.test" MX, with two answers: 20 b.isp.test for 300 s and 10 a.isp.test for 60 s, the names compressed.
const Bytes header = {0, 1, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0};
const Bytes question = {3, 'i', 's', 'p', 4, 't', 'e', 's', 't', 0, 0, 15, 0, 1};
const Bytes first = {0xc0, 12, 0, 15, 0, 1, 0, 0, 1, 44, 0, 6, 0, 20, 1, 'b', 0xc0, 12};
const Bytes second = {0xc0, 12, 0, 15, 0, 1, 0, 0, 0, 60, 0, 6, 0, 10, 1, 'a', 0xc0, 12};

TEST(ParseMailHosts, ReadsHostsPreferencesAndTheShortestTtl) {
    const NameAnswer answer = parse_mail_hosts(header + question + first + second).value();
    EXPECT_THAT(answer.mail_hosts, ElementsAre(MailHost{20, "b.isp.test"}, MailHost{10, "a.isp.test"}));
    EXPECT_EQ(answer.ttl, std::chrono::seconds(60));
}

TEST(ParseMailHosts, ReadsANullMx) {
    Bytes one = header;
    one[7] = 1;
    const Bytes null = {0xc0, 12, 0, 15, 0, 1, 0, 0, 1, 44, 0, 3, 0, 0, 0};
    EXPECT_THAT(parse_mail_hosts(one + question + null).value().mail_hosts, ElementsAre(MailHost{0, ""}));
}

TEST(ParseMailHosts, SaysThatThereAreNone) {
    Bytes none = header;
    none[7] = 0;
    EXPECT_EQ(parse_mail_hosts(none + question).error(), Errc::name_not_found);
}

TEST(ParseMailHosts, RefusesEveryMessageThatIsCutShort) {
    const Bytes whole = header + question + first + second;
    for (std::size_t size = 0; size < whole.size(); ++size) {
        // A copy of its own, so that a read beyond the end is one beyond an allocation.
        const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_EQ(parse_mail_hosts(cut).error(), Errc::bad_syntax) << size;
    }
}

TEST(ParseMailHosts, RefusesANameThatPointsAtItself) {
    Bytes loop = header + question + first + second;
    loop.back() = static_cast<unsigned char>(loop.size() - 2);
    EXPECT_EQ(parse_mail_hosts(loop).error(), Errc::bad_syntax);
}

}  // namespace
}  // namespace weir::net
