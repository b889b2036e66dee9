// New sender domains: a client that stays within its budget notices nothing; one that wants more is held to what it
// has used for long. And a message that Postfix splits is one message, also when its budget is used up by its first
// part.

#include <string>

#include "unit/policy/engine_fixture.hpp"

namespace weir::policy {
namespace {

using namespace std::chrono_literals;

class Minting : public EngineTest {
protected:
    Engine engine{with({{.name = "client", .per = {KeyPart::client}, .new_sender_domains = quota(6, 1h, 4)}}), 1, 2};
    const Origin office = client("192.0.2.10");

    bool send_from(int domain, core::TimePoint now) {
        return send(engine, office, "me@domain-" + std::to_string(domain) + ".example", now);
    }
};

TEST_F(Minting, AsManyDomainsAsTheBurstAreUsedFreely) {
    for (int round = 0; round < 10; ++round) {
        for (int domain = 0; domain < 4; ++domain) EXPECT_TRUE(send_from(domain, t0 + round * 1s)) << domain;
    }
}

TEST_F(Minting, OneDomainTooManyHoldsWhatIsNewUntilATokenIsBack) {
    for (int domain = 0; domain < 4; ++domain) EXPECT_TRUE(send_from(domain, t0));
    EXPECT_FALSE(send_from(4, t0 + 1s));
    EXPECT_FALSE(send_from(0, t0 + 2s)) << "repeating what was minted must not help a flood";
    EXPECT_TRUE(send_from(0, t0 + 11min));
    EXPECT_TRUE(send_from(4, t0 + 11min));
    EXPECT_TRUE(send_from(0, t0 + 12min)) << "the refusal is forgiven once the domain has got its turn";
}

TEST_F(Minting, LongUsedDomainsPassWhateverElseIsMinted) {
    EXPECT_TRUE(send_from(0, t0));
    for (int domain = 1; domain < 50; ++domain) (void)send_from(domain, t0 + 2h);
    EXPECT_TRUE(send_from(0, t0 + 2h));
}

TEST_F(EngineTest, LaterPartsOfASplitMessageNeedNoSecondBudget) {
    Engine engine(with({{.name = "client", .per = {KeyPart::client}, .messages = quota(1, 1h, 1)}}), 1, 2);
    const auto send_part = [&](const std::string& ident, int recipients) {
        Ticket ticket;
        if (mail(engine, ticket, client("192.0.2.10", ident), "news@shop.example").hold) return false;
        for (int i = 0; i < recipients; ++i) (void)engine.admit_recipient(ticket, "you@there.example", t0);
        engine.commit(ticket, t0);
        return true;
    };
    EXPECT_TRUE(send_part("A", 50));
    EXPECT_TRUE(send_part("A", 50));
    EXPECT_TRUE(send_part("A", 20));
    EXPECT_FALSE(send_part("B", 50));
}

}  // namespace
}  // namespace weir::policy
